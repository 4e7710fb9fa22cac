//! Telnyx media streaming: JSON text messages, audio as base64 of PCMU, PCMA or L16, marks that come back.
//! Messages are those of <https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket>, with
//! `stream_bidirectional_mode` `rtp`. What Telnyx sends and what it wants are two codecs: the latter is PCMU, as is its
//! default, unless `?stream_bidirectional_codec=PCMA` (or L16, at `&stream_bidirectional_sampling_rate=`) is in the URL.

use axum::extract::ws::Message;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::audio_format::AudioFormat;
use super::dialect::{Dialect, FromClient, Query, Start, ToClient, Unusable, json, key, variables};
use super::payload;
use crate::audio::g711::Law;

/// Longest audio of one message, bytes: 1 s of L16 at 16 kHz.
const MAX_AUDIO_BYTES: usize = 32_000;

/// One stream.
pub struct Telnyx {
    stream: String,
    /// Of what comes, once that is told.
    heard: Option<AudioFormat>,
    /// Of what is sent.
    said: Result<AudioFormat, Unusable>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum FromTelnyx {
    Start {
        start: Box<StreamStart>,
        #[serde(default)]
        stream_id: String,
    },
    Media {
        media: Media,
    },
    Dtmf {
        dtmf: Dtmf,
    },
    Mark {
        mark: Mark,
    },
    Error {
        payload: Value,
    },
    Stop,
    /// `connected`, and whatever Telnyx will think of.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct StreamStart {
    media_format: MediaFormat,
    #[serde(default)]
    custom_parameters: Map<String, Value>,
    /// Everything else: `from`, `to`, `call_control_id` and the like.
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Deserialize)]
struct MediaFormat {
    encoding: String,
    sample_rate: u32,
}

#[derive(Deserialize)]
struct Media {
    #[serde(default)]
    track: String,
    payload: String,
}

#[derive(Deserialize)]
struct Dtmf {
    digit: String,
}

#[derive(Deserialize)]
struct Mark {
    name: String,
}

// === impl Telnyx ===

impl Dialect for Telnyx {
    fn new(query: &Query) -> Self {
        let value = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let rate = value("stream_bidirectional_sampling_rate").and_then(|rate| rate.parse().ok()).unwrap_or(8000);
        let said = format(value("stream_bidirectional_codec").unwrap_or("PCMU"), rate);
        Self { stream: String::new(), heard: None, said }
    }

    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        let Some(message) = json(message)? else { return Ok(None) };
        Ok(match message {
            FromTelnyx::Start { start, stream_id } => Some(self.start(*start, stream_id)?),
            FromTelnyx::Media { media } if media.track == "outbound" => None,
            FromTelnyx::Media { media } => {
                let audio = payload::decode(&media.payload, MAX_AUDIO_BYTES)?;
                let format = self.heard.as_mut().ok_or_else(|| Unusable("media before start".to_owned()))?;
                Some(FromClient::Audio(format.hear(&audio)))
            }
            FromTelnyx::Dtmf { dtmf } => Some(key(&dtmf.digit)?),
            FromTelnyx::Mark { mark } => mark.name.parse().ok().map(FromClient::Played),
            FromTelnyx::Error { payload } => {
                tracing::warn!(stream = self.stream, %payload, "Telnyx reports an error");
                None
            }
            FromTelnyx::Stop => Some(FromClient::HangUp),
            FromTelnyx::Other => None,
        })
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        let message = match what {
            ToClient::Audio(frame) => {
                let audio = payload::encode(&self.said.as_mut().ok()?.say(frame));
                json!({"event": "media", "stream_id": self.stream, "media": {"payload": audio}})
            }
            ToClient::Mark(mark) => {
                json!({"event": "mark", "stream_id": self.stream, "mark": {"name": mark.to_string()}})
            }
            ToClient::Flush => json!({"event": "clear", "stream_id": self.stream}),
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

impl Telnyx {
    fn start(&mut self, start: StreamStart, stream: String) -> Result<FromClient, Unusable> {
        if let Err(unusable) = &self.said {
            return Err(unusable.clone());
        }
        self.heard = Some(format(&start.media_format.encoding, start.media_format.sample_rate)?);
        let stream_id = ("stream_id".to_owned(), stream.clone());
        self.stream = stream;
        let known = variables(&start.custom_parameters).chain(variables(&start.more)).chain([stream_id]).collect();
        Ok(FromClient::Start(Box::new(Start::of(known))))
    }
}

fn format(encoding: &str, rate_hz: u32) -> Result<AudioFormat, Unusable> {
    match (encoding, rate_hz) {
        ("PCMU", 8000) => Ok(AudioFormat::Law(Law::Mu)),
        ("PCMA", 8000) => Ok(AudioFormat::Law(Law::A)),
        ("L16", _) => AudioFormat::linear(rate_hz),
        _ => Err(Unusable(format!("{encoding} at {rate_hz} Hz is not spoken here, but PCMU, PCMA (8000) and L16"))),
    }
}

#[cfg(test)]
mod tests;
