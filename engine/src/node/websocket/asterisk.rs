//! Asterisk's `chan_websocket` (20.16, 21.11, 22.6 and later): audio as binary messages in the channel's codec, events and
//! commands as text, one line each or JSON, whichever `MEDIA_START` comes in. They are those of
//! <https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/>. Codecs: `ulaw`, `alaw` and `slin` at any rate.

use axum::extract::ws::Message;
use serde_json::{Map, Value, json};

use super::audio_format::AudioFormat;
use super::dialect::{Dialect, FromClient, Query, Start, ToClient, Unusable, json, key, variables};
use crate::audio::g711::Law;

/// Largest frame that is collected for Asterisk, bytes: 100 ms of the highest rate.
const MOST_FRAME_BYTES: usize = 38_400;

/// One channel.
#[derive(Default)]
pub struct Asterisk {
    /// Once it is told.
    format: Option<AudioFormat>,
    /// Events and commands are JSON.
    speaks_json: bool,
    /// Bytes its frames have.
    frame_bytes: usize,
    /// What does not fill one yet.
    collected: Vec<u8>,
    /// It has enough for now, and would drop more.
    full: bool,
}

// === impl Asterisk ===

impl Dialect for Asterisk {
    const SUBPROTOCOLS: &'static [&'static str] = &["media"];

    fn new(_: &Query) -> Self {
        Self::default()
    }

    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        let text = match message {
            Message::Binary(audio) => {
                let format = self.format.as_mut().ok_or_else(|| Unusable("audio before MEDIA_START".to_owned()))?;
                return Ok(Some(FromClient::Audio(format.hear(audio))));
            }
            Message::Text(text) => text.as_str(),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(None),
        };
        let is_json = text.starts_with('{');
        let event = if is_json { json(message)?.unwrap_or_default() } else { event_of_line(text) };
        let word = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        Ok(match word("event") {
            "MEDIA_START" => {
                self.speaks_json = is_json;
                Some(self.start(&event)?)
            }
            "DTMF_END" => Some(key(word("digit"))?),
            "MEDIA_MARK_PROCESSED" => word("correlation_id").parse().ok().map(FromClient::Played),
            "MEDIA_XOFF" => {
                self.full = true;
                None
            }
            "MEDIA_XON" => {
                self.full = false;
                None
            }
            _ => None,
        })
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        match what {
            ToClient::Started { .. } => Some(self.command("ANSWER", None)),
            ToClient::Audio(frame) => {
                let audio = self.format.as_mut()?.say(frame);
                if self.full {
                    return None;
                }
                self.collected.extend(audio);
                let whole = self.collected.len() / self.frame_bytes.max(1) * self.frame_bytes;
                (whole > 0).then(|| Message::binary(self.collected.drain(..whole).collect::<Vec<u8>>()))
            }
            // Asterisk versions that speak in lines only know no marks.
            ToClient::Mark(mark) => self.speaks_json.then(|| self.command("MARK_MEDIA", Some(mark))),
            ToClient::Flush => {
                self.collected.clear();
                self.full = false;
                Some(self.command("FLUSH_MEDIA", None))
            }
            ToClient::Ended(_) => Some(self.command("HANGUP", None)),
            ToClient::AgentText(_)
            | ToClient::CallerText(_)
            | ToClient::Thinking
            | ToClient::Transfer { .. }
            | ToClient::Error(_) => None,
        }
    }
}

impl Asterisk {
    fn start(&mut self, event: &Map<String, Value>) -> Result<FromClient, Unusable> {
        let codec = event.get("format").and_then(Value::as_str).unwrap_or_default();
        self.format = Some(format(codec)?);
        let frame_bytes = event.get("optimal_frame_size").and_then(number).unwrap_or(1);
        if !(1..=MOST_FRAME_BYTES).contains(&frame_bytes) {
            return Err(Unusable(format!("optimal_frame_size {frame_bytes}: must be 1 to {MOST_FRAME_BYTES}")));
        }
        self.frame_bytes = frame_bytes;
        let channel = event.get("channel_variables").and_then(Value::as_object).map(variables);
        let known = variables(event).filter(|(name, _)| name != "event").chain(channel.into_iter().flatten());
        Ok(FromClient::Start(Box::new(Start::of(known.collect()))))
    }

    fn command(&self, name: &str, correlation_id: Option<u32>) -> Message {
        let id = correlation_id.map(|id| id.to_string());
        Message::text(match (self.speaks_json, id) {
            (true, Some(id)) => json!({"command": name, "correlation_id": id}).to_string(),
            (true, None) => json!({"command": name}).to_string(),
            (false, Some(id)) => format!("{name} {id}"),
            (false, None) => name.to_owned(),
        })
    }
}

/// `NAME key:value key:value` as the JSON form has it.
fn event_of_line(line: &str) -> Map<String, Value> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let pairs = rest.split_whitespace().filter_map(|word| word.split_once(':'));
    let pairs = [("event", name)].into_iter().chain(pairs);
    pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn number(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.parse().ok(),
        _ => value.as_u64().and_then(|number| number.try_into().ok()),
    }
}

/// By Asterisk's name of a codec.
fn format(codec: &str) -> Result<AudioFormat, Unusable> {
    let rate = match codec {
        "ulaw" => return Ok(AudioFormat::Law(Law::Mu)),
        "alaw" => return Ok(AudioFormat::Law(Law::A)),
        "slin" => Some(8000),
        "slin44" => Some(44_100),
        _ => codec.strip_prefix("slin").and_then(|kilohertz| kilohertz.parse::<u32>().ok()?.checked_mul(1000)),
    };
    let rate = rate.ok_or_else(|| Unusable(format!("{codec:?} is not spoken here, but ulaw, alaw and slin")))?;
    AudioFormat::linear(rate)
}

#[cfg(test)]
mod tests;
