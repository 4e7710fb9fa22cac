//! The Tandem protocol: `edge_protocol::media`, JSON text messages, audio as base64 of µ-law.
//! Nothing here knows of calls; a message is read or written and that is all.

use axum::extract::ws::Message;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use edge_protocol::VERSION;
use edge_protocol::media::{FromNode, ToNode};

use super::dialect::{Dialect, FromClient, Start, ToClient, Unusable};

/// Longest audio of one message, bytes: 1 s.
const MAX_AUDIO_BYTES: usize = 8000;

/// Padding is written; clients that leave it out are understood.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The dialect has no state.
#[derive(Debug, Clone, Copy)]
pub struct Tandem;

// === impl Tandem ===

impl Dialect for Tandem {
    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        let text = match message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => {
                return Err(Unusable("binary messages are not understood, only JSON text".to_owned()));
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(None),
        };
        let message =
            serde_json::from_str(text).map_err(|e| Unusable(format!("not a message of this protocol: {e}")))?;
        Ok(Some(match message {
            ToNode::Start { v, call_id, from, to, admitted } => {
                if v != VERSION {
                    return Err(Unusable(format!("format version {v} is not spoken here, only {VERSION}")));
                }
                FromClient::Start(Box::new(Start { call_id, from, to, admitted: admitted.map(|a| *a) }))
            }
            ToNode::Audio { data } => FromClient::Audio(audio(&data)?),
            ToNode::Dtmf { digit } => FromClient::Key(key(digit)?),
            ToNode::Hangup => FromClient::HangUp,
        }))
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        let message = match what {
            ToClient::Started { call_id } => FromNode::Started { call_id: call_id.to_owned() },
            ToClient::Audio(frame) => FromNode::Audio { data: BASE64.encode(frame) },
            ToClient::AgentText(text) => FromNode::AgentText { text: text.to_owned() },
            ToClient::CallerText(text) => FromNode::CallerText { text: text.to_owned() },
            ToClient::Thinking => FromNode::Thinking,
            ToClient::Flush => FromNode::Flush,
            ToClient::Ended(cause) => FromNode::Ended { cause },
            ToClient::Error(message) => FromNode::Error { message: message.to_owned() },
        };
        serde_json::to_string(&message).ok().map(Message::text)
    }
}

fn audio(data: &str) -> Result<Vec<u8>, Unusable> {
    let audio = BASE64.decode(data).map_err(|e| Unusable(format!("audio is no base64: {e}")))?;
    if audio.is_empty() || audio.len() > MAX_AUDIO_BYTES {
        let bytes = audio.len();
        return Err(Unusable(format!("audio of {bytes} bytes: a message takes 1 to {MAX_AUDIO_BYTES}, up to 1 s")));
    }
    Ok(audio)
}

fn key(digit: char) -> Result<char, Unusable> {
    match digit {
        '0'..='9' | '*' | '#' | 'A'..='D' => Ok(digit),
        _ => Err(Unusable(format!("{digit:?} is no key: 0-9, *, #, A-D"))),
    }
}

#[cfg(test)]
mod tests;
