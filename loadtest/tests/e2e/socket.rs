//! A client of a node's `/ws/tandem`, another dialect in JSON, or the edge's `/ws/call-session`: talks in real time, keeps every message with the
//! time it came. It knows JSON text and base64 of µ-law, and nothing of what should come of them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Half a sentence by a synthetic voice, µ-law, 8 kHz; the voice detector knows it for speech.
pub const SPEECH: &[u8] = include_bytes!("../../../engine/tests/fixtures/speech_rms.ul");

const FRAME: Duration = Duration::from_millis(20);
const FRAME_BYTES: usize = 160;
const SILENCE: u8 = 0xFF;

/// Longest wait for any message.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connected client. Dropping it cuts the connection without a word.
pub struct Client {
    mouth: mpsc::UnboundedSender<Utterance>,
    heard: mpsc::UnboundedReceiver<(Instant, Value)>,
    task: JoinHandle<Option<u16>>,
    /// Every message, in order.
    pub log: Vec<(Instant, Value)>,
}

enum Utterance {
    Text(String),
    Audio(Vec<u8>),
    /// From here on nothing is sent, not even silence.
    Hush,
}

/// What a node answered in place of an upgrade.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub body: String,
}

// === impl Client ===

impl Client {
    /// Connects to the node's `/ws/tandem`; nothing is said yet.
    pub async fn connect(http: u16, headers: &[(&'static str, String)]) -> Result<Result<Self, Refused>> {
        Self::open(&format!("ws://127.0.0.1:{http}/ws/tandem"), headers, audio_message).await
    }

    /// Connects to `url`, where audio is sent as `message` makes it; nothing is said yet.
    pub async fn open(
        url: &str,
        headers: &[(&'static str, String)],
        message: fn(&[u8]) -> Value,
    ) -> Result<Result<Self, Refused>> {
        let mut request = url.into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        let socket = match connect_async(request).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(answer)) => {
                let body = String::from_utf8(answer.body().clone().unwrap_or_default())?;
                return Ok(Err(Refused { status: answer.status().as_u16(), body }));
            }
            Err(error) => return Err(error.into()),
        };
        let (mouth, say) = mpsc::unbounded_channel();
        let (tell, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(live(socket, message, say, tell));
        Ok(Ok(Self { mouth, heard, task, log: Vec::new() }))
    }

    /// Connects and starts a call from `from`; the id of the call.
    pub async fn dial(http: u16, from: &str) -> Result<(Self, String)> {
        let mut client = Self::connect(http, &[]).await?.map_err(|r| anyhow::anyhow!("refused: {r:?}"))?;
        client.send(&json!({"type": "start", "v": 1, "call_id": null, "from": from, "to": ""}));
        let started = client.until("started").await?;
        Ok((client, started["call_id"].as_str().context("no call_id")?.to_owned()))
    }

    pub fn send(&self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub fn send_text(&self, text: &str) {
        // A connection that is gone is noticed by what does not come.
        let _ = self.mouth.send(Utterance::Text(text.to_owned()));
    }

    /// Says µ-law audio, in real time, after what is being said.
    pub fn say(&self, audio: &[u8]) {
        let _ = self.mouth.send(Utterance::Audio(audio.to_vec()));
    }

    pub fn hush(&self) {
        let _ = self.mouth.send(Utterance::Hush);
    }

    /// The next message of this type; those before it are in the log.
    pub async fn until(&mut self, kind: &str) -> Result<Value> {
        self.until_one(kind, |message| kind_of(message) == Some(kind)).await
    }

    pub async fn until_one(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match tokio::time::timeout_at(deadline, self.heard.recv()).await {
                Ok(Some((at, message))) => {
                    self.log.push((at, message.clone()));
                    if wanted(&message) {
                        return Ok(message);
                    }
                }
                Ok(None) => bail!("the node closed before {what}; heard: {:?}", self.kinds()),
                Err(_) => bail!("no {what} within {PATIENCE:?}; heard: {:?}", self.kinds()),
            }
        }
    }

    /// What comes until nothing has come for `quiet`.
    pub async fn until_quiet(&mut self, quiet: Duration) {
        while let Ok(Some(heard)) = tokio::time::timeout(quiet, self.heard.recv()).await {
            self.log.push(heard);
        }
    }

    /// Waits for the node to close; its close code.
    pub async fn closed(mut self) -> Result<Option<u16>> {
        while let Some(heard) = tokio::time::timeout(PATIENCE, self.heard.recv()).await.context("still open")? {
            self.log.push(heard);
        }
        Ok((&mut self.task).await?)
    }

    /// Types of the messages so far, audio once for a run of it.
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.log.iter().filter_map(|(_, message)| kind_of(message)).collect();
        kinds.dedup_by(|a, b| a == b && matches!(*a, "audio" | "media"));
        kinds
    }

    /// The audio messages from the `from`th message on.
    pub fn audio(&self, from: usize) -> Vec<(Instant, Vec<u8>)> {
        let text =
            |message: &Value| message["data"].as_str().or(message["media"]["payload"].as_str()).map(str::to_owned);
        let audio = self.log.iter().skip(from).filter_map(|(at, message)| Some((*at, text(message)?)));
        audio.map(|(at, text)| (at, STANDARD.decode(text).unwrap())).collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What kind of message it is, in our protocol or Twilio's.
fn kind_of(message: &Value) -> Option<&str> {
    message["type"].as_str().or(message["event"].as_str())
}

/// An `audio` message.
pub fn audio_message(audio: &[u8]) -> Value {
    json!({"type": "audio", "data": STANDARD.encode(audio)})
}

/// Sends a frame every 20 ms once a text was sent, and everything that comes to `tell`. The node's close code.
async fn live(
    mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    audio: fn(&[u8]) -> Value,
    mut say: mpsc::UnboundedReceiver<Utterance>,
    tell: mpsc::UnboundedSender<(Instant, Value)>,
) -> Option<u16> {
    let mut mouth: VecDeque<u8> = VecDeque::new();
    let mut speaks = false;
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            Some(utterance) = say.recv() => match utterance {
                Utterance::Text(text) => {
                    speaks |= text.contains("\"start");
                    socket.send(Message::text(text)).await.ok()?;
                }
                Utterance::Audio(audio) => mouth.extend(audio),
                Utterance::Hush => speaks = false,
            },
            _ = frames.tick() => if speaks {
                let frame: Vec<u8> = (0..FRAME_BYTES).map(|_| mouth.pop_front().unwrap_or(SILENCE)).collect();
                // The node may have closed just now: what it said is still to be read.
                let _ = socket.send(Message::text(audio(&frame).to_string())).await;
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let _ = tell.send((Instant::now(), serde_json::from_str(&text).expect("JSON")));
                }
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            },
        }
    }
}
