//! The WebSocket of a Realtime session, and the task that drives the session with it.
//! What is said over it, and when, is decided by `session`.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, StreamExt};
use reqwest::header::{
    AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use reqwest::{StatusCode, Upgraded, Url};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::task::AbortOnDropHandle;

use super::config::{RealtimeConfig, RealtimeConfigError, RealtimeError};
use super::events::{ClientEvent, ServerEvent};
use super::session::{Action, Session};
use crate::call::{SpeechCommand, SpeechEvent};
use crate::destination::is_loopback;
use crate::speech::http::{cause, excerpt};

/// Largest event; a second of audio is 11 kB of it.
const MOST_BYTES: usize = 4 << 20;
/// How long an event may take to be sent.
const SENT_WITHIN: Duration = Duration::from_secs(2);
/// The call a session is for.
pub trait Caller: Send + Sync + 'static {
    fn tell(&self, event: SpeechEvent) -> BoxFuture<'_, ()>;

    /// Has the three stages serve a command.
    fn by_stages(&self, command: SpeechCommand) -> BoxFuture<'static, ()>;
}

/// A provider of speech-to-speech. Cheap to clone.
#[derive(Clone)]
pub struct Realtime {
    config: Arc<RealtimeConfig>,
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
}

type Socket = WebSocketStream<Upgraded>;

/// What a connection brings.
enum Incoming {
    Opened,
    Event(ServerEvent),
    /// A message that is no event, and why.
    NoEvent(String),
    Lost(RealtimeError),
}

/// What a session's task holds beside the session.
struct Driver<C> {
    realtime: Realtime,
    caller: C,
    socket: Option<Socket>,
    connecting: Option<BoxFuture<'static, Result<Socket, RealtimeError>>>,
    stages: Option<AbortOnDropHandle<()>>,
}

// === impl Realtime ===

impl Realtime {
    /// Checks the configuration; connects to nothing yet.
    ///
    /// # Errors
    /// [`RealtimeConfigError`] naming what is wrong.
    pub fn new(config: RealtimeConfig) -> Result<Self, RealtimeConfigError> {
        let url = url(&config)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Some(key) = &config.api_key {
            let bearer = key.header("Bearer ").ok_or(RealtimeConfigError::ApiKey)?;
            headers.insert(AUTHORIZATION, bearer);
        }
        let mut http = reqwest::Client::builder()
            .http1_only()
            .connect_timeout(config.patience.connect)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30));
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        Ok(Self { config: Arc::new(config), http: http.build()?, url, headers })
    }

    /// Serves one call's commands until there are no more. The connection is made when it is first needed, and again
    /// when it breaks.
    pub async fn serve(self, caller: impl Caller, mut commands: mpsc::Receiver<SpeechCommand>) {
        let mut session = Session::new(self.config.clone());
        let idle = self.config.patience.idle;
        let mut driver = Driver { realtime: self, caller, socket: None, connecting: None, stages: None };
        let mut last_command = Instant::now();
        loop {
            while let Some(action) = session.pop() {
                if let Err(error) = driver.carry_out(action).await {
                    session.lost(now(), error);
                }
            }
            let due = session.poll_timeout().map(Instant::from_std);
            let idle_at = driver.socket.is_some().then(|| last_command + idle);
            tokio::select! {
                command = commands.recv() => {
                    let Some(command) = command else { break };
                    last_command = Instant::now();
                    session.command(now(), command);
                }
                incoming = driver.next() => match incoming {
                    Incoming::Opened => session.connected(now()),
                    Incoming::Event(event) => session.received(now(), event),
                    Incoming::NoEvent(reason) => session.malformed(now(), reason),
                    Incoming::Lost(error) => session.lost(now(), error),
                },
                () = until(due) => session.timeout(now()),
                () = until(idle_at) => session.command(now(), SpeechCommand::Over),
            }
        }
        driver.close();
    }

    async fn connect(self) -> Result<Socket, RealtimeError> {
        let within = self.config.patience.connect;
        let base_url = self.config.base_url.clone();
        let late = RealtimeError::TimedOut { base_url, what: "connection", after: within };
        timeout(within, self.upgrade()).await.unwrap_or(Err(late))
    }

    async fn upgrade(&self) -> Result<Socket, RealtimeError> {
        let base_url = || self.config.base_url.clone();
        let unreachable =
            |error: reqwest::Error| RealtimeError::Unreachable { base_url: base_url(), reason: cause(&error) };
        let key = generate_key();
        let request = self.http.get(self.url.clone()).headers(self.headers.clone()).header(SEC_WEBSOCKET_KEY, &key);
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            // The status is what counts; a body that cannot be read only leaves the message empty.
            let message = excerpt(&response.text().await.unwrap_or_default());
            return Err(RealtimeError::Refused { base_url: base_url(), status: status.as_u16(), message });
        }
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            let reason = "the WebSocket's key is not answered".to_owned();
            return Err(RealtimeError::Malformed { base_url: base_url(), reason });
        }
        let stream = response.upgrade().await.map_err(unreachable)?;
        let config = WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await)
    }
}

// === impl Driver ===

impl<C: Caller> Driver<C> {
    async fn carry_out(&mut self, action: Action) -> Result<(), RealtimeError> {
        match action {
            Action::Connect => self.connecting = Some(self.realtime.clone().connect().boxed()),
            Action::Close => self.close(),
            Action::Send(event) => return self.send(&event).await,
            Action::Tell(event) => self.caller.tell(event).await,
            Action::Stages(command) => {
                self.stages = Some(AbortOnDropHandle::new(tokio::spawn(self.caller.by_stages(command))));
            }
            Action::StopStages => self.stages = None,
        }
        Ok(())
    }

    async fn send(&mut self, event: &ClientEvent) -> Result<(), RealtimeError> {
        let Some(socket) = self.socket.as_mut() else { return Ok(()) };
        // Only maps with odd keys fail, and there are none.
        let text = serde_json::to_string(event).unwrap_or_default();
        let sent = timeout(SENT_WITHIN, socket.send(Message::text(text))).await;
        let reason = match sent {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("an event could not be sent within {} ms", SENT_WITHIN.as_millis()),
        };
        Err(self.cut_off(reason))
    }

    /// What comes of the connection next. Nothing is lost if it is not waited for to the end.
    async fn next(&mut self) -> Incoming {
        if let Some(connecting) = self.connecting.as_mut() {
            let opened = connecting.await;
            self.connecting = None;
            return match opened {
                Ok(socket) => {
                    self.socket = Some(socket);
                    Incoming::Opened
                }
                Err(error) => Incoming::Lost(error),
            };
        }
        let Some(socket) = self.socket.as_mut() else { return pending().await };
        let reason = loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return match serde_json::from_str(&text) {
                        Ok(event) => Incoming::Event(event),
                        Err(error) => Incoming::NoEvent(format!("{error} in {:?}", excerpt(&text))),
                    };
                }
                Some(Ok(Message::Close(Some(frame)))) => break format!("{} {}", frame.code, frame.reason),
                Some(Ok(Message::Close(None))) | None => break "the connection is gone".to_owned(),
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.to_string(),
            }
        };
        Incoming::Lost(self.cut_off(reason))
    }

    fn close(&mut self) {
        self.connecting = None;
        if let Some(mut socket) = self.socket.take() {
            // It is over either way, and nobody waits for it.
            tokio::spawn(async move { drop(timeout(SENT_WITHIN, socket.close(None)).await) });
        }
    }

    fn cut_off(&mut self, reason: String) -> RealtimeError {
        self.socket = None;
        RealtimeError::CutOff { base_url: self.realtime.config.base_url.clone(), reason }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// `…/realtime?model=…`, by HTTP's names of the schemes.
fn url(config: &RealtimeConfig) -> Result<Url, RealtimeConfigError> {
    let base_url = &config.base_url;
    let bad = |reason: String| RealtimeConfigError::BaseUrl { base_url: base_url.clone(), reason };
    let http = match base_url.split_once("://") {
        Some(("ws" | "http", rest)) => format!("http://{rest}"),
        Some(("wss" | "https", rest)) => format!("https://{rest}"),
        _ => return Err(bad("it begins with neither ws, wss, http nor https".to_owned())),
    };
    let mut url = Url::parse(&http).map_err(|error| bad(error.to_string()))?;
    match url.path_segments_mut() {
        Ok(mut path) => drop(path.pop_if_empty().push("realtime")),
        Err(()) => return Err(bad("nothing can be appended to it".to_owned())),
    }
    url.query_pairs_mut().append_pair("model", &config.model);
    Ok(url)
}
