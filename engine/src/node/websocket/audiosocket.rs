//! Asterisk's AudioSocket: not a WebSocket but TCP, of packets of kind, length and payload; each is carried here as a binary
//! message. The format is that of <https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/>, with the kinds
//! for rates other than 8 kHz. It knows no numbers: the UUID the dialplan names is the variable `uuid`.

mod listener;

use axum::extract::ws::Message;
use uuid::Uuid;

use super::audio_format::AudioFormat;
use super::dialect::{Dialect, FromClient, Query, Start, ToClient, Unusable, key};

pub use listener::listen;

const HANG_UP: u8 = 0x00;
const UUID: u8 = 0x01;
const DTMF: u8 = 0x03;
/// Audio: linear 16 bit, little-endian, and the rates of this kind and those after it, Hz.
const SLIN: u8 = 0x10;
const RATES_HZ: [u32; 9] = [8000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];
const ERROR: u8 = 0xFF;

/// One connection.
#[derive(Default)]
pub struct AudioSocket {
    /// Kind and format of the audio, once some came: what is sent is of the same.
    audio: Option<(u8, AudioFormat)>,
}

// === impl AudioSocket ===

impl Dialect for AudioSocket {
    fn new(_: &Query) -> Self {
        Self::default()
    }

    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        let Message::Binary(packet) = message else { return Ok(None) };
        let Some((kind, payload)) = packet.split_first() else { return Ok(None) };
        Ok(match *kind {
            HANG_UP => Some(FromClient::HangUp),
            UUID => {
                let uuid = Uuid::from_slice(payload);
                let uuid = uuid.map_err(|_| Unusable(format!("a UUID has 16 bytes, not {}", payload.len())))?;
                let uuid = ("uuid".to_owned(), uuid.hyphenated().to_string());
                Some(FromClient::Start(Box::new(Start::of(vec![uuid]))))
            }
            DTMF => Some(key(str::from_utf8(payload).unwrap_or_default())?),
            ERROR => {
                tracing::warn!(code = ?payload, "Asterisk reports an error on an AudioSocket");
                None
            }
            kind => match kind.checked_sub(SLIN).and_then(|n| RATES_HZ.get(usize::from(n))) {
                Some(rate) => Some(FromClient::Audio(self.format(kind, *rate)?.hear(payload))),
                None => None,
            },
        })
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        match what {
            ToClient::Audio(frame) => {
                if self.audio.is_none() {
                    self.format(SLIN, RATES_HZ[0]).ok()?;
                }
                let (kind, format) = self.audio.as_mut()?;
                let mut packet = vec![*kind];
                packet.extend(format.say(frame));
                Some(Message::binary(packet))
            }
            ToClient::Ended(_) => Some(Message::binary(vec![HANG_UP])),
            ToClient::Started { .. }
            | ToClient::Mark(_)
            | ToClient::AgentText(_)
            | ToClient::CallerText(_)
            | ToClient::Thinking
            | ToClient::Flush
            | ToClient::Transfer { .. }
            | ToClient::Error(_) => None,
        }
    }
}

impl AudioSocket {
    fn format(&mut self, kind: u8, rate_hz: u32) -> Result<&mut AudioFormat, Unusable> {
        let known = self.audio.take().filter(|(known, _)| *known == kind);
        let (kind, format) = match known {
            Some(known) => known,
            None => (kind, AudioFormat::linear(rate_hz)?),
        };
        Ok(&mut self.audio.insert((kind, format)).1)
    }
}

#[cfg(test)]
mod tests;
