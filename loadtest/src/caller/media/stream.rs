//! A call over a WebSocket, as a client of Twilio Media Streams: every 20 ms a `media` message, marks sent back when what
//! was before them was played, `clear` obeyed. What a client plays when is `playout`'s, what is heard `ear`'s.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use engine::audio::FRAME_SAMPLES;
use engine::audio::g711::Law;
use engine::clock::Moment;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::ear::Ear;
use super::leg::{LegReport, SendCounts, TOO_LATE};
use super::mouth::Spoke;
use super::playout::{Played, Playout};
use super::ticker::LegOrder;
use super::time::KernelClock;
use super::{Event, LegHandle};
use crate::measure::spacing::Arrival;
use crate::voice::Utterance;

const FRAME: Duration = Duration::from_millis(20);

/// A pause longer than this was meant: the audio after it is a stretch of its own.
const MEANT_PAUSE: Duration = Duration::from_millis(60);

/// Calls so far, for their ids.
static CALLS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Error)]
pub enum StreamError {
    #[error("cannot open {url}: {cause}")]
    Open { url: String, cause: Box<Error> },
    #[error("{url} was answered with {status}: {body}")]
    Refused { url: String, status: u16, body: String },
}

/// One call.
pub struct Stream {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// `streamSid`.
    id: String,
    clock: KernelClock,
    /// `None` once nobody is there to be told.
    events: Option<UnboundedSender<Event>>,
    mouth: Says,
    ear: Ear,
    playout: Playout,
    sending: SendCounts,
    /// Messages sent.
    sequence: u64,
    /// What came last, in the time of its own media.
    came: Option<Arrival>,
}

/// What is said next.
#[derive(Default)]
struct Says {
    waiting: std::collections::VecDeque<Utterance>,
    /// The number of the first utterance's next frame.
    next: usize,
}

// === impl Stream ===

impl Stream {
    /// Calls `url` from `from`; from then on silence is sent until there is something to say.
    ///
    /// # Errors
    /// [`StreamError`] if there is no WebSocket behind it.
    pub async fn open(url: &str, from: &str) -> Result<(LegHandle, UnboundedReceiver<Event>), StreamError> {
        let opened = connect_async_with_config(url, None, true).await;
        let (socket, _) = opened.map_err(|cause| StreamError::of(url, cause))?;
        let number = CALLS.fetch_add(1, Ordering::Relaxed);
        let (events, heard) = unbounded_channel();
        let mut stream = Self {
            socket,
            id: format!("MZ{number:032x}"),
            clock: KernelClock::start(),
            events: Some(events),
            mouth: Says::default(),
            ear: Ear::new(false),
            playout: Playout::new(Instant::now()),
            sending: SendCounts::default(),
            sequence: 0,
            came: None,
        };
        let failed = |cause| StreamError::of(url, cause);
        stream.greet(number, from).await.map_err(failed)?;
        let (orders, taken) = unbounded_channel();
        tokio::spawn(stream.run(taken));
        // A task that has ended takes no orders; the missing events tell.
        let orders = Box::new(move |order| drop(orders.send(order)));
        Ok((LegHandle { local: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), orders }, heard))
    }

    async fn greet(&mut self, number: u64, from: &str) -> Result<(), Error> {
        let connected = json!({"event": "connected", "protocol": "Call", "version": "1.0.0"});
        self.socket.send(Message::text(connected.to_string())).await?;
        let start = json!({
            "streamSid": self.id,
            "accountSid": format!("AC{:032x}", 0),
            "callSid": format!("CA{number:032x}"),
            "tracks": ["inbound"],
            "customParameters": {"from": from},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        });
        self.send("start", json!({"start": start})).await
    }

    async fn run(mut self, mut orders: UnboundedReceiver<LegOrder>) {
        let mut due = Instant::now();
        loop {
            let play_at = self.playout.due();
            let order = tokio::select! {
                () = sleep_until(due) => {
                    self.tick(due).await;
                    due += FRAME;
                    continue;
                }
                () = sleep_until(play_at.unwrap_or(due)), if play_at.is_some() => {
                    self.play().await;
                    continue;
                }
                message = self.socket.next(), if self.events.is_some() => {
                    self.take(message).await;
                    continue;
                }
                order = orders.recv() => order,
            };
            match order {
                Some(LegOrder::Say(utterance)) => self.mouth.waiting.push_back(utterance),
                Some(LegOrder::Press(digit)) => {
                    let dtmf = json!({"dtmf": {"track": "inbound_track", "digit": digit.to_string()}});
                    let _ = self.send("dtmf", dtmf).await;
                    self.tell(Event::Pressed { at: self.clock.now() });
                }
                Some(LegOrder::Close(report)) => return self.close(report).await,
                None => return self.close(None).await,
                // RTP's own.
                Some(LegOrder::Connect(..) | LegOrder::Raw(_)) => {}
            }
        }
    }

    /// Sends the 20 ms that are due.
    async fn tick(&mut self, due: Instant) {
        let now = Instant::now();
        if self.playout.is_silent(now) {
            self.listen(now, &[Law::Mu.silence(); FRAME_SAMPLES]);
        }
        if self.events.is_none() {
            return;
        }
        let (frame, spoke) = self.mouth.next_frame();
        let media = json!({
            "track": "inbound",
            "chunk": (self.sending.nominal + 1).to_string(),
            "timestamp": (self.sending.nominal * 20).to_string(),
            "payload": STANDARD.encode(frame),
        });
        self.sending.nominal += 1;
        let (late, at) = (due.elapsed(), self.clock.now());
        if self.send("media", json!({"media": media})).await.is_ok() && late <= TOO_LATE {
            self.sending.sent += 1;
            self.sending.lateness.record(late);
        }
        match spoke {
            Spoke::First => self.tell(Event::SayingStarted { at }),
            Spoke::Last => self.tell(Event::Said { at }),
            Spoke::Nothing | Spoke::Key => {}
        }
    }

    /// Plays what is due.
    async fn play(&mut self) {
        while let Some((at, played)) = self.playout.next(Instant::now()) {
            match played {
                Played::Frame(frame) => self.listen(at, &frame),
                Played::Mark(name) => self.send_back(name).await,
            }
        }
    }

    async fn take(&mut self, message: Option<Result<Message, Error>>) {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_)) | Err(_)) | None => {
                // Whoever listens learns by it that the call is over.
                self.events = None;
                return;
            }
            Some(Ok(_)) => return,
        };
        let Ok(message) = serde_json::from_str::<Value>(text.as_str()) else { return };
        match message["event"].as_str() {
            Some("media") => {
                let payload = message["media"]["payload"].as_str().unwrap_or_default();
                self.hear(&STANDARD.decode(payload).unwrap_or_default());
            }
            Some("mark") => self.playout.mark(message["mark"]["name"].as_str().unwrap_or_default().to_owned()),
            Some("clear") => {
                for name in self.playout.clear() {
                    self.send_back(name).await;
                }
            }
            _ => {}
        }
        self.play().await;
    }

    fn hear(&mut self, audio: &[u8]) {
        let (at, duration) = (self.clock.now(), audio.len() as u32);
        let mut arrival = Arrival { at, marker: true, sequence: 0, timestamp: 0, ssrc: 0, duration, clock_hz: 8000 };
        if let Some(last) = self.came {
            let pause = at.since(last.at).saturating_sub(Duration::from_millis(u64::from(last.duration / 8)));
            let meant = if pause > MEANT_PAUSE { (pause.as_micros() as u32 / 125).max(1) } else { 0 };
            arrival.marker = meant > 0;
            arrival.sequence = last.sequence.wrapping_add(1);
            arrival.timestamp = last.timestamp.wrapping_add(last.duration).wrapping_add(meant);
        }
        self.came = Some(arrival);
        let events = &self.events;
        self.ear.count(arrival, |event| tell(events, event));
        self.playout.push(Instant::now(), audio);
    }

    fn listen(&mut self, at: Instant, frame: &[u8; FRAME_SAMPLES]) {
        let ago = Instant::now().saturating_duration_since(at).as_micros() as u64;
        let at = Moment(self.clock.now().0.saturating_sub(ago));
        let samples = frame.map(|byte| Law::Mu.decode(byte));
        let events = &self.events;
        self.ear.listen(at, &samples, |event| tell(events, event));
    }

    async fn send_back(&mut self, name: String) {
        let _ = self.send("mark", json!({"mark": {"name": name}})).await;
    }

    async fn send(&mut self, event: &str, mut message: Value) -> Result<(), Error> {
        self.sequence += 1;
        message["event"] = event.into();
        message["sequenceNumber"] = self.sequence.to_string().into();
        message["streamSid"] = self.id.as_str().into();
        self.socket.send(Message::text(message.to_string())).await
    }

    fn tell(&self, event: Event) {
        tell(&self.events, event);
    }

    async fn close(mut self, report: Option<tokio::sync::oneshot::Sender<LegReport>>) {
        if self.events.is_some() {
            // The call is over for us, whether the other side hears of it or not.
            let _ = self.send("stop", json!({"stop": {}})).await;
            let _ = self.socket.close(None).await;
        }
        if let Some(report) = report {
            let _ = report.send(self.ear.into_report(self.sending));
        }
    }
}

fn tell(events: &Option<UnboundedSender<Event>>, event: Event) {
    if let Some(events) = events {
        // Nobody listens any more once the call is being closed.
        let _ = events.send(event);
    }
}

// === impl StreamError ===

impl StreamError {
    fn of(url: &str, cause: Error) -> Self {
        let url = url.to_owned();
        match cause {
            Error::Http(answer) => {
                let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).trim().to_owned();
                Self::Refused { url, status: answer.status().as_u16(), body }
            }
            cause => Self::Open { url, cause: Box::new(cause) },
        }
    }
}

// === impl Says ===

impl Says {
    fn next_frame(&mut self) -> ([u8; FRAME_SAMPLES], Spoke) {
        let mut frame = [Law::Mu.silence(); FRAME_SAMPLES];
        let Some(utterance) = self.waiting.front() else { return (frame, Spoke::Nothing) };
        if let Some(samples) = utterance.frame(self.next) {
            Law::Mu.encode_into(samples, &mut frame);
        }
        let first = self.next == 0;
        self.next += 1;
        if utterance.frame(self.next).is_none() {
            self.waiting.pop_front();
            self.next = 0;
            return (frame, Spoke::Last);
        }
        (frame, if first { Spoke::First } else { Spoke::Nothing })
    }
}
