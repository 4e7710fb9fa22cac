//! The rules of a client's session on `/ws/call-session`: who may say what when, how fast, and for how long.
//! Sockets are `relay`'s; what the messages look like is `edge_protocol::call_session`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_protocol::call_session::{ClientMessage, ServerMessage, SessionError, SessionStatus};
use edge_protocol::media::FromNode;
use edge_protocol::{EndCause, media};

/// How long a client may take to say `start_call`, and a node to begin the call, ms.
pub const START_MS: u64 = 10_000;
/// A client not heard of for so long is gone, ms.
pub const IDLE_MS: u64 = 60_000;
/// How often a `pong` is sent unasked, ms.
pub const HEARTBEAT_MS: u64 = 20_000;
/// Messages in a row that cannot be used before the session is closed.
const MAX_UNUSABLE: u32 = 5;
/// Longest message read, bytes: a second of audio in base64 and its frame.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Samples a second, and bytes of µ-law.
const BYTES_PER_S: u64 = 8_000;
/// Audio a client may be ahead of twice real time, bytes.
const BURST_BYTES: u64 = 5 * BYTES_PER_S;
/// Longest text a client may name itself or a number with, bytes.
const MAX_TEXT_BYTES: usize = 256;

/// What to do about a message or the time.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Tell the client.
    Say(ServerMessage),
    /// Begin the call.
    Start { user_id: String, number: Option<String> },
    /// Tell the node.
    Node(media::ToNode),
    /// The session is over.
    Close(Closing),
}

/// How a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What the client is told before, if it is a fault.
    pub error: Option<(SessionError, String)>,
    /// WebSocket close code and reason (RFC 6455 section 7.4).
    pub code: u16,
    pub reason: String,
}

/// A session so far. Times are ms on the caller's clock.
#[derive(Debug)]
pub struct Session {
    call_id: String,
    max_ms: u64,
    phase: Phase,
    opened_ms: u64,
    heard_ms: u64,
    pong_ms: u64,
    unusable: u32,
    /// Bytes the client may send at once, as of `allowed_at_ms`.
    allowed: u64,
    allowed_at_ms: u64,
    too_fast_said_ms: Option<u64>,
    /// Said by the agent, to go with its next audio.
    text: String,
    thinking: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing said yet.
    Silent,
    /// A node is looked for, and begins the call.
    Starting {
        since_ms: u64,
    },
    Live {
        since_ms: u64,
    },
}

// === impl Closing ===

impl Closing {
    /// A fault of ours or a rule of ours.
    pub fn fault(code: SessionError, message: impl Into<String>) -> Self {
        let message = message.into();
        let close = if code == SessionError::InternalError { 1011 } else { 1008 };
        // A reason has at most 123 bytes (RFC 6455 section 5.5).
        let reason = message.chars().filter(char::is_ascii).take(100).collect();
        Self { error: Some((code, message)), code: close, reason }
    }

    /// The call ended as calls do.
    pub fn normal(reason: impl Into<String>) -> Self {
        Self { error: None, code: 1000, reason: reason.into() }
    }

    /// What the client is told before the socket closes.
    pub fn messages(&self) -> Vec<ServerMessage> {
        let Some((code, message)) = &self.error else { return Vec::new() };
        vec![
            ServerMessage::Error { code: *code, message: message.clone() },
            ServerMessage::Status { status: SessionStatus::Error, message: message.clone() },
        ]
    }
}

// === impl Session ===

impl Session {
    /// A socket was opened for a call that may last `max_s`.
    pub fn new(call_id: &str, max_s: u32, now_ms: u64) -> Self {
        Self {
            call_id: call_id.to_owned(),
            max_ms: u64::from(max_s) * 1000,
            phase: Phase::Silent,
            opened_ms: now_ms,
            heard_ms: now_ms,
            pong_ms: now_ms,
            unusable: 0,
            allowed: BURST_BYTES,
            allowed_at_ms: now_ms,
            too_fast_said_ms: None,
            text: String::new(),
            thinking: false,
        }
    }

    /// A node is to begin the call and has not.
    pub fn is_starting(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. })
    }

    /// A node has begun the call.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    /// When [`Self::on_time`] is to be asked next.
    pub fn deadline_ms(&self) -> u64 {
        let end_ms = match self.phase {
            Phase::Silent => self.opened_ms + START_MS,
            Phase::Starting { since_ms } => since_ms + START_MS,
            Phase::Live { since_ms } => since_ms + self.max_ms,
        };
        end_ms.min(self.heard_ms + IDLE_MS).min(self.pong_ms + HEARTBEAT_MS)
    }

    /// The time has come for something.
    pub fn on_time(&mut self, now_ms: u64) -> Option<Step> {
        let timeout = |message: String| Some(Step::Close(Closing::fault(SessionError::Timeout, message)));
        match self.phase {
            Phase::Silent if now_ms >= self.opened_ms + START_MS => {
                return timeout(format!("no start_call within {} seconds", START_MS / 1000));
            }
            Phase::Starting { since_ms } if now_ms >= since_ms + START_MS => {
                let message = "the engine node did not begin the call";
                return Some(Step::Close(Closing::fault(SessionError::InternalError, message)));
            }
            Phase::Live { since_ms } if now_ms >= since_ms + self.max_ms => {
                return timeout(format!("the call has lasted {} seconds", self.max_ms / 1000));
            }
            _ => {}
        }
        if now_ms >= self.heard_ms + IDLE_MS {
            return timeout(format!("nothing was heard for {} seconds", IDLE_MS / 1000));
        }
        if now_ms >= self.pong_ms + HEARTBEAT_MS {
            self.pong_ms = now_ms;
            return Some(Step::Say(ServerMessage::Pong));
        }
        None
    }

    /// The client said something; `None` for what is not text.
    pub fn on_client(&mut self, text: Option<&str>, now_ms: u64) -> Option<Step> {
        self.heard_ms = now_ms;
        let Some(text) = text.filter(|text| text.len() <= MAX_MESSAGE_BYTES) else {
            return Some(self.unusable(format!("messages are text of at most {MAX_MESSAGE_BYTES} bytes")));
        };
        let message = match serde_json::from_str::<ClientMessage>(text) {
            Ok(message) => message,
            Err(error) => return Some(self.unusable(format!("the message cannot be read: {error}"))),
        };
        let step = match (message, self.phase) {
            (ClientMessage::Ping, _) => Ok(Some(Step::Say(ServerMessage::Pong))),
            (ClientMessage::EndCall, _) => Ok(Some(Step::Close(Closing::normal("end_call")))),
            (ClientMessage::StartCall { call_id, user_id, metadata }, Phase::Silent) => {
                let long = user_id.len() > MAX_TEXT_BYTES
                    || metadata.phone_number.as_ref().is_some_and(|number| number.len() > MAX_TEXT_BYTES);
                if call_id != self.call_id {
                    Err("start_call: callId is not the call this token is for".to_owned())
                } else if long {
                    Err(format!("start_call: at most {MAX_TEXT_BYTES} bytes in userId and phoneNumber"))
                } else {
                    self.phase = Phase::Starting { since_ms: now_ms };
                    Ok(Some(Step::Start { user_id, number: metadata.phone_number }))
                }
            }
            (ClientMessage::StartCall { .. }, _) => Err("the call has been started".to_owned()),
            (ClientMessage::Audio { .. }, Phase::Silent) => Err("send start_call first".to_owned()),
            (ClientMessage::Audio { data, sample_rate, .. }, phase) => self.audio(data, sample_rate, phase, now_ms),
        };
        match step {
            Ok(step) => {
                self.unusable = 0;
                step
            }
            Err(message) => Some(self.unusable(message)),
        }
    }

    fn audio(&mut self, data: String, rate: u32, phase: Phase, now_ms: u64) -> Result<Option<Step>, String> {
        if u64::from(rate) != BYTES_PER_S {
            return Err(format!("audio: sampleRate must be {BYTES_PER_S}, not {rate}"));
        }
        let bytes = STANDARD.decode(&data).map_err(|error| format!("audio: data is not base64: {error}"))?.len() as u64;
        if bytes == 0 {
            return Ok(None);
        }
        if bytes > BYTES_PER_S {
            return Err("audio: at most one second in a message".to_owned());
        }
        let gained = now_ms.saturating_sub(self.allowed_at_ms) * 2 * BYTES_PER_S / 1000;
        self.allowed = (self.allowed + gained).min(BURST_BYTES);
        self.allowed_at_ms = now_ms;
        if bytes > self.allowed {
            let quiet = self.too_fast_said_ms.is_some_and(|said_ms| now_ms < said_ms + 1000);
            if quiet {
                return Ok(None);
            }
            self.too_fast_said_ms = Some(now_ms);
            let message = "audio comes faster than twice real time: some was dropped".to_owned();
            return Ok(Some(Step::Say(ServerMessage::Error { code: SessionError::RateLimit, message })));
        }
        self.allowed -= bytes;
        // Nobody listens before the node is there.
        Ok(matches!(phase, Phase::Live { .. }).then_some(Step::Node(media::ToNode::Audio { data })))
    }

    /// The node said something.
    pub fn on_node(&mut self, message: FromNode, now_ms: u64) -> Vec<Step> {
        let status = |status, message: &str| Step::Say(ServerMessage::Status { status, message: message.to_owned() });
        match message {
            FromNode::Started { .. } => {
                self.phase = Phase::Live { since_ms: now_ms };
                vec![status(SessionStatus::Ready, "listening")]
            }
            FromNode::Audio { data } => {
                let mut steps = Vec::new();
                if std::mem::take(&mut self.thinking) {
                    steps.push(status(SessionStatus::Ready, "listening"));
                }
                let text = std::mem::take(&mut self.text);
                steps.push(Step::Say(ServerMessage::AudioResponse { audio: data, text }));
                steps
            }
            FromNode::AgentText { text } => {
                if !self.text.is_empty() {
                    self.text.push(' ');
                }
                self.text.push_str(&text);
                vec![]
            }
            FromNode::CallerText { .. } => vec![],
            FromNode::Thinking => {
                self.thinking = true;
                vec![status(SessionStatus::Processing, "thinking")]
            }
            FromNode::Flush => {
                self.text.clear();
                self.thinking = false;
                vec![status(SessionStatus::Ready, "interrupted")]
            }
            // Only to clients of which it was said that they transfer.
            FromNode::Transfer { .. } => vec![],
            FromNode::Ended { cause } => vec![Step::Close(closing(cause, self.max_ms))],
            FromNode::Error { message } => {
                vec![Step::Say(ServerMessage::Error { code: SessionError::InternalError, message })]
            }
        }
    }

    /// The session goes on after a few of these.
    fn unusable(&mut self, message: String) -> Step {
        self.unusable += 1;
        if self.unusable >= MAX_UNUSABLE {
            return Step::Close(Closing { code: 1008, ..Closing::fault(SessionError::InternalError, message) });
        }
        Step::Say(ServerMessage::Error { code: SessionError::InternalError, message })
    }
}

fn closing(cause: EndCause, max_ms: u64) -> Closing {
    match cause {
        EndCause::MaxDuration => {
            Closing::fault(SessionError::Timeout, format!("the call has lasted its {} seconds", max_ms / 1000))
        }
        EndCause::NodeStopped | EndCause::NodeCrashed | EndCause::SpeechFailed | EndCause::SignallingFailed => {
            Closing::fault(SessionError::InternalError, "the call could not go on")
        }
        EndCause::RtpTimeout | EndCause::NoRtp | EndCause::HoldTimeout => {
            Closing::fault(SessionError::Timeout, "no audio came for too long")
        }
        EndCause::DtlsFailed => Closing::fault(SessionError::InternalError, "the media keys could not be agreed on"),
        EndCause::CallerHungUp => Closing::normal("caller_hung_up"),
        EndCause::AgentHungUp => Closing::normal("agent_hung_up"),
        EndCause::CallerSilent => Closing::normal("caller_silent"),
        EndCause::EndedByEdge => Closing::normal("ended_by_edge"),
        EndCause::EndedByApi => Closing::normal("ended_by_api"),
        EndCause::PeerHungUp => Closing::normal("peer_hung_up"),
        // A session says of no client that it transfers, and only calls over SIP are made by the node.
        EndCause::Transferred
        | EndCause::Busy
        | EndCause::NoAnswer
        | EndCause::Rejected
        | EndCause::Unreachable
        | EndCause::Cancelled => Closing::normal("ended"),
    }
}

#[cfg(test)]
mod tests;
