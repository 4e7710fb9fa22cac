//! The Tandem protocol: `edge_protocol::media`, JSON text messages, audio as base64 of µ-law.
//! Nothing here knows of calls; a message is read or written and that is all.

use axum::extract::ws::Message;
use edge_protocol::VERSION;
use edge_protocol::media::{FromNode, ToNode};

use super::dialect::{Dialect, FromClient, Query, Start, ToClient, Unusable, json, key};
use super::payload;

/// Longest audio of one message, bytes: 1 s.
const MAX_AUDIO_BYTES: usize = 8000;

/// The dialect has no state.
#[derive(Debug, Clone, Copy)]
pub struct Tandem;

// === impl Tandem ===

impl Dialect for Tandem {
    fn new(_: &Query) -> Self {
        Self
    }

    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        let Some(message) = json(message)? else { return Ok(None) };
        Ok(Some(match message {
            ToNode::Start { v, call_id, from, to, admitted, transfers } => {
                if v != VERSION {
                    return Err(Unusable(format!("format version {v} is not spoken here, only {VERSION}")));
                }
                let admitted = admitted.map(|admitted| *admitted);
                FromClient::Start(Box::new(Start { call_id, from, to, admitted, transfers, ..Start::default() }))
            }
            ToNode::Audio { data } => FromClient::Audio(payload::decode(&data, MAX_AUDIO_BYTES)?),
            ToNode::Dtmf { digit } => key(digit.encode_utf8(&mut [0; 4]))?,
            ToNode::Hangup => FromClient::HangUp,
        }))
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        let message = match what {
            ToClient::Started { call_id } => FromNode::Started { call_id: call_id.to_owned() },
            ToClient::Audio(frame) => FromNode::Audio { data: payload::encode(frame) },
            ToClient::AgentText(text) => FromNode::AgentText { text: text.to_owned() },
            ToClient::CallerText(text) => FromNode::CallerText { text: text.to_owned() },
            ToClient::Thinking => FromNode::Thinking,
            ToClient::Flush => FromNode::Flush,
            ToClient::Transfer { to, reason } => {
                FromNode::Transfer { to: to.to_owned(), reason: reason.map(str::to_owned) }
            }
            ToClient::Ended(cause) => FromNode::Ended { cause },
            ToClient::Error(message) => FromNode::Error { message: message.to_owned() },
            ToClient::Mark(_) => return None,
        };
        serde_json::to_string(&message).ok().map(Message::text)
    }
}

#[cfg(test)]
mod tests;
