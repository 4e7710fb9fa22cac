//! An answer of the Realtime stub, spoken or a call of a function, piece by piece in the documented order of events.
//! When it is asked for and cancelled, and what it says, is the session's matter.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use engine::audio::g711::Law;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::{Out, Refused};
use crate::ai_stub::faults::{self, Stage, Treatment};
use crate::ai_stub::speech::{RATE_HZ, VOICE, length_ms};
use crate::ai_stub::{Stub, StubCall};

/// Audio of one event, and how long it takes to come: ten times as fast as it is spoken.
const PIECE_MS: usize = 100;
const BETWEEN_PIECES: Duration = Duration::from_millis(10);
/// Half a second is said before the connection is cut.
const PIECES_BEFORE_CUT: usize = 5;

/// What audio is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 24 kHz, 16 bit.
    Pcm,
    /// 8 kHz G.711.
    Law(Law),
}

/// What an answer consists of.
#[derive(Debug, Clone)]
pub enum What {
    Text(String),
    Call(StubCall),
}

pub struct Answer {
    pub stub: Arc<Stub>,
    pub response: String,
    pub item: String,
    /// The item before it.
    pub before: Option<String>,
    pub format: Format,
    pub what: What,
}

// === impl Format ===

impl Format {
    /// What `session.update` asks for; `now` if it does not say.
    pub fn of(format: &Value, now: Self) -> Result<Self, Refused> {
        match format["type"].as_str() {
            None => Ok(now),
            Some("audio/pcm") => Ok(Self::Pcm),
            Some("audio/pcmu") => Ok(Self::Law(Law::Mu)),
            Some("audio/pcma") => Ok(Self::Law(Law::A)),
            Some(other) => Err(Refused("invalid_value", format!("there is no audio format {other:?}"))),
        }
    }

    /// Something that sounds like speech, from `start` to `end` ms of it.
    fn voice(self, start: usize, end: usize) -> Vec<u8> {
        let byte = |ms: usize| ms * RATE_HZ / 1000 * 2;
        let pcm = VOICE.slice(byte(start)..byte(end));
        match self {
            Self::Pcm => pcm.to_vec(),
            // Every third sample: there is nothing in this voice that would alias.
            Self::Law(law) => {
                pcm.chunks_exact(6).map(|three| law.encode(i16::from_le_bytes([three[0], three[1]]))).collect()
            }
        }
    }
}

// === impl What ===

impl What {
    pub fn item(&self, id: &str, status: &str) -> Value {
        let done = status == "completed";
        match self {
            Self::Text(text) => {
                let content = if done { json!([{"type": "output_audio", "transcript": text}]) } else { json!([]) };
                json!({"id": id, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
                    "content": content})
            }
            Self::Call(StubCall { name, arguments }) => {
                json!({"id": id, "object": "realtime.item", "type": "function_call", "status": status, "name": name,
                    "call_id": format!("call_{id}"), "arguments": if done { arguments } else { "" }})
            }
        }
    }
}

// === impl Answer ===

impl Answer {
    pub async fn give(self, out: UnboundedSender<Out>) {
        let mut cut = false;
        for (stage, after) in [(Stage::Chat, self.stub.token_after), (Stage::Tts, self.stub.speech_after)] {
            if stage == Stage::Tts && matches!(self.what, What::Call(_)) {
                break;
            }
            match faults::treat(self.stub.faults.as_ref(), stage, after).await {
                Treatment::Normal => {}
                Treatment::Cut => cut = true,
                Treatment::Refuse(refusal) => {
                    let error = json!({"type": "server_error", "code": refusal.status().as_str(),
                        "message": format!("the stub was told to answer {}", refusal.status())});
                    let details = json!({"type": "failed", "error": error});
                    let failed = response(&self.response, "failed", &details);
                    send(&out, json!({"type": "response.done", "response": failed}));
                    return over(&out, Out::Finished);
                }
            }
            if stage == Stage::Chat {
                self.begin(&out);
            }
        }
        let text = match &self.what {
            What::Text(text) => text,
            What::Call(call) => {
                self.call(call, &out);
                return over(&out, Out::Finished);
            }
        };
        let length = length_ms(text);
        let mut words = text.split_inclusive(' ');
        for piece in 0..length.div_ceil(PIECE_MS) {
            if cut && piece == PIECES_BEFORE_CUT {
                return over(&out, Out::Cut);
            }
            // The transcript runs ahead of the audio, as the real one does.
            for word in words.by_ref().take(2) {
                send(&out, self.part("response.output_audio_transcript.delta", "delta", json!(word)));
            }
            let (start, end) = (piece * PIECE_MS, ((piece + 1) * PIECE_MS).min(length));
            let audio = BASE64.encode(self.format.voice(start, end));
            send(&out, self.part("response.output_audio.delta", "delta", json!(audio)));
            over(&out, Out::Spoken(self.item.clone(), (end - start) as u64));
            tokio::time::sleep(BETWEEN_PIECES).await;
        }
        send(&out, self.part("response.output_audio.done", "content_index", json!(0)));
        send(&out, self.part("response.output_audio_transcript.done", "transcript", json!(text)));
        send(&out, self.part("response.content_part.done", "part", json!({"type": "audio", "transcript": text})));
        self.end(&out);
        over(&out, Out::Finished);
    }

    fn call(&self, StubCall { name, arguments }: &StubCall, out: &UnboundedSender<Out>) {
        let part = |kind: &str, key: &str, value: &str| {
            let mut event = json!({"type": kind, "response_id": self.response, "item_id": self.item,
                "output_index": 0, "call_id": format!("call_{}", self.item)});
            event[key] = json!(value);
            event
        };
        for piece in arguments.split_inclusive(':') {
            send(out, part("response.function_call_arguments.delta", "delta", piece));
        }
        let mut done = part("response.function_call_arguments.done", "arguments", arguments);
        done["name"] = json!(name);
        send(out, done);
        self.end(out);
    }

    fn begin(&self, out: &UnboundedSender<Out>) {
        let item = self.what.item(&self.item, "in_progress");
        let added = json!({"type": "response.output_item.added", "response_id": self.response, "output_index": 0,
            "item": item});
        send(out, added);
        send(out, json!({"type": "conversation.item.added", "previous_item_id": self.before, "item": item}));
        if matches!(self.what, What::Text(_)) {
            let part = json!({"type": "audio", "transcript": ""});
            send(out, self.part("response.content_part.added", "part", part));
        }
    }

    fn end(&self, out: &UnboundedSender<Out>) {
        let item = self.what.item(&self.item, "completed");
        send(out, json!({"type": "conversation.item.done", "previous_item_id": self.before, "item": item}));
        let done = json!({"type": "response.output_item.done", "response_id": self.response, "output_index": 0,
            "item": item});
        send(out, done);
        let mut done = response(&self.response, "completed", &Value::Null);
        done["output"] = json!([item]);
        done["usage"] = json!({"total_tokens": 2, "input_tokens": 1, "output_tokens": 1});
        send(out, json!({"type": "response.done", "response": done}));
    }

    /// An event about the answer's one spoken part.
    fn part(&self, kind: &str, key: &str, value: Value) -> Value {
        let mut event = json!({"type": kind, "response_id": self.response, "item_id": self.item, "output_index": 0,
            "content_index": 0});
        event[key] = value;
        event
    }
}

fn send(out: &UnboundedSender<Out>, event: Value) {
    over(out, Out::Event(event));
}

fn over(out: &UnboundedSender<Out>, what: Out) {
    // The client may be gone by now.
    let _ = out.send(what);
}

/// A response as it begins and ends.
pub fn response(id: &str, status: &str, details: &Value) -> Value {
    json!({"object": "realtime.response", "id": id, "status": status, "status_details": details, "output": [],
        "conversation_id": "conv_stub", "output_modalities": ["audio"], "usage": null, "metadata": null})
}
