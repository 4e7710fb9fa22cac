//! Twilio Media Streams: JSON text messages, audio as base64 of µ-law at 8000 Hz, marks that come back when they are played.
//! Whether Twilio itself is asking is `twilio::signature`'s. Messages are those of
//! <https://www.twilio.com/docs/voice/media-streams/websocket-messages>, of a stream both ways (`<Connect><Stream>`).

pub(super) mod signature;

use axum::extract::ws::Message;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::dialect::{Dialect, FromClient, Query, Start, ToClient, Unusable, json, key, variables};
use super::payload;

/// Longest audio of one message, bytes: 1 s. Twilio's own are of 20 ms.
const MAX_AUDIO_BYTES: usize = 8000;

const ENCODING: &str = "audio/x-mulaw";

/// One stream.
#[derive(Debug, Clone)]
pub struct Twilio {
    /// `streamSid`, which every message of ours names.
    stream: String,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum FromTwilio {
    Start {
        start: StreamStart,
        #[serde(rename = "streamSid")]
        stream_sid: Option<String>,
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
    Stop,
    /// `connected`, and whatever Twilio will think of.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamStart {
    stream_sid: Option<String>,
    account_sid: Option<String>,
    call_sid: Option<String>,
    #[serde(default)]
    custom_parameters: Map<String, Value>,
    media_format: Option<MediaFormat>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat {
    encoding: String,
    sample_rate: u32,
    channels: u32,
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

// === impl Twilio ===

impl Dialect for Twilio {
    fn new(_: &Query) -> Self {
        Self { stream: String::new() }
    }

    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        let Some(message) = json(message)? else { return Ok(None) };
        Ok(match message {
            FromTwilio::Start { start, stream_sid } => Some(self.start(start, stream_sid)?),
            // Of a stream one way only, what the other side hears comes too.
            FromTwilio::Media { media } if media.track == "outbound" => None,
            FromTwilio::Media { media } => Some(FromClient::Audio(payload::decode(&media.payload, MAX_AUDIO_BYTES)?)),
            FromTwilio::Dtmf { dtmf } => Some(key(&dtmf.digit)?),
            FromTwilio::Mark { mark } => mark.name.parse().ok().map(FromClient::Played),
            FromTwilio::Stop => Some(FromClient::HangUp),
            FromTwilio::Other => None,
        })
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        let stream = &self.stream;
        let message = match what {
            ToClient::Audio(frame) => {
                json!({"event": "media", "streamSid": stream, "media": {"payload": payload::encode(frame)}})
            }
            ToClient::Mark(mark) => json!({"event": "mark", "streamSid": stream, "mark": {"name": mark.to_string()}}),
            ToClient::Flush => json!({"event": "clear", "streamSid": stream}),
            // Twilio goes on with its instructions once the socket is closed.
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

impl Twilio {
    fn start(&mut self, start: StreamStart, stream: Option<String>) -> Result<FromClient, Unusable> {
        if let Some(MediaFormat { encoding, sample_rate, channels }) = &start.media_format
            && (encoding.as_str(), *sample_rate, *channels) != (ENCODING, 8000, 1)
        {
            return Err(Unusable(format!(
                "{encoding} at {sample_rate} Hz is not what Twilio sends: {ENCODING} at 8000"
            )));
        }
        self.stream = start.stream_sid.or(stream).unwrap_or_default();
        let sids = [
            ("call_sid", start.call_sid),
            ("stream_sid", Some(self.stream.clone())),
            ("account_sid", start.account_sid),
        ];
        let sids = sids.into_iter().filter_map(|(name, sid)| Some((name.to_owned(), sid?)));
        let known = variables(&start.custom_parameters).chain(sids).collect();
        Ok(FromClient::Start(Box::new(Start::of(known))))
    }
}

#[cfg(test)]
mod tests;
