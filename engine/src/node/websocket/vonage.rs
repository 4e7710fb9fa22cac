//! Vonage's Voice API: JSON text messages, audio as binary messages of 20 ms, 16 bit little-endian at the rate it names.
//! `notify` serves as a mark. Messages are those of <https://developer.vonage.com/en/voice/voice-api/guides/websockets>.

use axum::extract::ws::Message;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::audio_format::AudioFormat;
use super::dialect::{Dialect, FromClient, Query, Start, ToClient, Unusable, json, key, variables};

/// One leg.
#[derive(Default)]
pub struct Vonage {
    /// Once it is told.
    format: Option<AudioFormat>,
}

#[derive(Deserialize)]
#[serde(tag = "event")]
enum FromVonage {
    #[serde(rename = "websocket:connected")]
    Connected {
        #[serde(rename = "content-type")]
        content_type: String,
        /// What the NCCO's `headers` hold.
        #[serde(flatten)]
        headers: Map<String, Value>,
    },
    #[serde(rename = "websocket:dtmf")]
    Dtmf { digit: String },
    #[serde(rename = "websocket:notify")]
    Notify { payload: Notice },
    /// `websocket:cleared`, `websocket:media:update`, and whatever Vonage will think of.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Notice {
    mark: Option<u32>,
}

// === impl Vonage ===

impl Dialect for Vonage {
    fn new(_: &Query) -> Self {
        Self::default()
    }

    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        if let Message::Binary(audio) = message {
            let format = self.format.as_mut().ok_or_else(|| Unusable("audio before websocket:connected".to_owned()))?;
            return Ok(Some(FromClient::Audio(format.hear(audio))));
        }
        let Some(message) = json(message)? else { return Ok(None) };
        Ok(match message {
            FromVonage::Connected { content_type, headers } => {
                self.format = Some(AudioFormat::linear(rate_hz(&content_type)?)?);
                Some(FromClient::Start(Box::new(Start::of(variables(&headers).collect()))))
            }
            FromVonage::Dtmf { digit } => Some(key(&digit)?),
            FromVonage::Notify { payload } => payload.mark.map(FromClient::Played),
            FromVonage::Other => None,
        })
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        let message = match what {
            ToClient::Audio(frame) => return Some(Message::binary(self.format.as_mut()?.say(frame))),
            ToClient::Mark(mark) => json!({"action": "notify", "payload": {"mark": mark}}),
            ToClient::Flush => json!({"action": "clear"}),
            // Vonage goes on with the NCCO once the socket is closed.
            ToClient::Ended(_)
            | ToClient::Started { .. }
            | ToClient::AgentText(_)
            | ToClient::CallerText(_)
            | ToClient::Thinking
            | ToClient::Transfer { .. }
            | ToClient::Error(_) => return None,
        };
        Some(Message::text(message.to_string()))
    }
}

/// Of `audio/l16;rate=16000`, Hz.
fn rate_hz(content_type: &str) -> Result<u32, Unusable> {
    let rate = content_type.strip_prefix("audio/l16;").and_then(|rest| rest.trim().strip_prefix("rate="));
    rate.and_then(|rate| rate.parse().ok())
        .ok_or_else(|| Unusable(format!("{content_type:?} is no audio like \"audio/l16;rate=16000\"")))
}

#[cfg(test)]
mod tests;
