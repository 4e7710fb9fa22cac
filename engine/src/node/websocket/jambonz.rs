//! jambonz' `listen` verb and FreeSWITCH's `mod_audio_fork`, on which it rests: one JSON message about the call, then audio
//! as binary messages, 16 bit little-endian. Messages are those of <https://docs.jambonz.org/verbs/verbs/listen>, with
//! `bidirectionalAudio.streaming`; `playAudio`, which plays whole files, is not spoken. Audio is sent back at `sampleRate`
//! unless `?bidirectional_sample_rate=` in the URL names the `bidirectionalAudio.sampleRate` that was set. The module makes
//! `transfer` an event of FreeSWITCH's; `?transfers=true` in the URL says that somebody acts on it.

use axum::extract::ws::Message;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::audio_format::AudioFormat;
use super::dialect::{Dialect, FromClient, Query, Start, ToClient, Unusable, json, key, variables};

/// Where nobody names a rate, as with `mod_audio_fork`, Hz.
const USUAL_RATE_HZ: u32 = 8000;

/// One fork.
#[derive(Default)]
pub struct Jambonz {
    /// The rates the URL names.
    rate: Option<u32>,
    back_rate: Option<u32>,
    transfers: bool,
    /// Of what comes and of what is sent, once the first message came.
    formats: Option<(AudioFormat, AudioFormat)>,
}

/// A text message after the first.
#[derive(Deserialize)]
struct Later {
    /// jambonz names its own messages so,
    event: Option<String>,
    dtmf: Option<String>,
    /// the module its own so.
    r#type: Option<String>,
    data: Option<MarkData>,
}

#[derive(Deserialize)]
struct MarkData {
    name: Option<String>,
    event: Option<String>,
}

// === impl Jambonz ===

impl Dialect for Jambonz {
    const SUBPROTOCOLS: &'static [&'static str] =
        &["audio.jambonz.org", "audio.drachtio.org", "audiostream.drachtio.org"];

    fn new(query: &Query) -> Self {
        let value = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let rate = |name: &str| value(name).and_then(|rate| rate.parse().ok());
        Self {
            rate: rate("sample_rate"),
            back_rate: rate("bidirectional_sample_rate"),
            transfers: value("transfers") == Some("true"),
            formats: None,
        }
    }

    fn read(&mut self, message: &Message) -> Result<Option<FromClient>, Unusable> {
        match (message, &mut self.formats) {
            (Message::Binary(audio), Some((heard, _))) => Ok(Some(FromClient::Audio(heard.hear(audio)))),
            // Metadata is up to whoever starts the module: without, the call begins with its audio.
            (Message::Binary(_), None) => Ok(Some(self.start(&Map::new())?)),
            (_, None) => Ok(match json(message)? {
                Some(call) => Some(self.start(&call)?),
                None => None,
            }),
            (_, Some(_)) => Ok(match json::<Later>(message)? {
                Some(Later { event: Some(event), dtmf: Some(digit), .. }) if event == "dtmf" => Some(key(&digit)?),
                Some(Later { r#type: Some(kind), data: Some(data), .. }) if kind == "mark" => data.played(),
                Some(_) | None => None,
            }),
        }
    }

    fn write(&mut self, what: ToClient<'_>) -> Option<Message> {
        let message = match what {
            ToClient::Audio(frame) => return Some(Message::binary(self.formats.as_mut()?.1.say(frame))),
            ToClient::Mark(mark) => json!({"type": "mark", "data": {"name": mark.to_string()}}),
            ToClient::Flush => json!({"type": "killAudio"}),
            ToClient::Transfer { to, reason } => json!({"type": "transfer", "data": {"to": to, "reason": reason}}),
            ToClient::Ended(_) => json!({"type": "disconnect"}),
            ToClient::Started { .. }
            | ToClient::AgentText(_)
            | ToClient::CallerText(_)
            | ToClient::Thinking
            | ToClient::Error(_) => return None,
        };
        Some(Message::text(message.to_string()))
    }
}

impl Jambonz {
    fn start(&mut self, call: &Map<String, Value>) -> Result<FromClient, Unusable> {
        let mix = call.get("mixType").and_then(Value::as_str).unwrap_or("mono");
        if mix != "mono" {
            return Err(Unusable(format!("mixType {mix:?} holds our own voice too: \"mono\" is what is needed")));
        }
        let told = call.get("sampleRate").and_then(Value::as_u64).and_then(|rate| rate.try_into().ok());
        let rate = told.or(self.rate).unwrap_or(USUAL_RATE_HZ);
        self.formats = Some((AudioFormat::linear(rate)?, AudioFormat::linear(self.back_rate.unwrap_or(rate))?));
        let start = Start { transfers: self.transfers, ..Start::of(variables(call).collect()) };
        Ok(FromClient::Start(Box::new(start)))
    }
}

// === impl MarkData ===

impl MarkData {
    /// `None` for a mark that was cleared.
    fn played(self) -> Option<FromClient> {
        let played = self.event.is_none_or(|event| event == "playout");
        self.name.filter(|_| played)?.parse().ok().map(FromClient::Played)
    }
}

#[cfg(test)]
mod tests;
