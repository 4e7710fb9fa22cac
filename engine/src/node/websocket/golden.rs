//! Golden conversations: what a client of each dialect sends and gets, message by message, from `DIALECT/conversation.json`.
//! An entry is `{"client": MESSAGE, "means": …}` or `{"node": SAID, "sends": MESSAGE}`. A MESSAGE is a JSON object (text),
//! a string (text that is none), or `{"bytes": HEX, "times": N}` (binary).

use axum::extract::ws::Message;
use edge_protocol::EndCause;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::dialect::{Dialect, FromClient, ToClient};

/// Replays a dialect's conversation, as the client of `query`.
pub fn replay<D: Dialect>(query: &[(&str, &str)], conversation: &str) {
    let query: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut dialect = D::new(&query);
    let entries: Vec<Value> = serde_json::from_str(conversation).unwrap();
    for entry in &entries {
        if let Some(message) = entry.get("client") {
            assert_eq!(meaning(dialect.read(&sent(message))), entry["means"], "{entry}");
        } else {
            let said = say(&mut dialect, &entry["node"]);
            assert_eq!(said.as_ref().map_or(Value::Null, shown), shown_as_written(&entry["sends"]), "{entry}");
        }
    }
}

/// Whatever comes, in whatever order, is read without a panic; and so is what is like the conversation, but not quite.
pub fn survives_anything<D: Dialect>(conversation: &str) {
    let entries: Vec<Value> = serde_json::from_str(conversation).unwrap();
    let known: Vec<Message> = entries.iter().filter_map(|entry| entry.get("client")).map(sent).collect();
    let text = |message: &Message| message.to_text().unwrap_or_default().to_owned();
    let texts: Vec<String> = known.iter().map(text).filter(|text| !text.is_empty()).collect();
    let damaged = (prop::sample::select(texts), any::<prop::sample::Index>(), ".{0,3}").prop_map(|(text, at, with)| {
        let mut damaged: Vec<char> = text.chars().collect();
        let at = at.index(damaged.len());
        damaged.splice(at..(at + 1), with.chars());
        Message::text(damaged.into_iter().collect::<String>())
    });
    let anything = prop_oneof![
        4 => prop::sample::select(known),
        4 => damaged,
        1 => ".{0,80}".prop_map(Message::text),
        2 => prop::collection::vec(any::<u8>(), 0..700).prop_map(Message::binary),
    ];
    proptest!(|(messages in prop::collection::vec(anything, 0..12), frame in prop::array::uniform32(any::<u8>()))| {
        let mut dialect = D::new(&[]);
        for message in &messages {
            let _ = dialect.read(message);
            let audio: [u8; 160] = std::array::from_fn(|n| frame[n % 32]);
            for said in [ToClient::Audio(&audio), ToClient::Mark(7), ToClient::Flush] {
                let _ = dialect.write(said);
            }
        }
    });
}

fn sent(message: &Value) -> Message {
    match message {
        Value::String(text) => Message::text(text.clone()),
        _ => match message.get("bytes") {
            Some(bytes) => Message::binary(unfolded(bytes, message)),
            None => Message::text(message.to_string()),
        },
    }
}

fn unfolded(hex: &Value, message: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    let times = message["times"].as_u64().unwrap_or(1);
    bytes.collect::<Vec<_>>().repeat(times as usize)
}

fn meaning(read: Result<Option<FromClient>, super::dialect::Unusable>) -> Value {
    match read {
        Ok(Some(FromClient::Start(start))) => {
            let variables: serde_json::Map<String, Value> =
                start.variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            json!({"start": {"from": start.from, "to": start.to, "variables": variables}})
        }
        Ok(Some(FromClient::Audio(audio))) => json!({"audio": folded(&audio)}),
        Ok(Some(FromClient::Key(key))) => json!({"key": key}),
        Ok(Some(FromClient::Played(mark))) => json!({"played": mark}),
        Ok(Some(FromClient::HangUp)) => json!("hang up"),
        Ok(None) => Value::Null,
        Err(unusable) => json!({"unusable": unusable.0}),
    }
}

fn say(dialect: &mut impl Dialect, said: &Value) -> Option<Message> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let silence = [0xFF; 160];
    dialect.write(match said.as_str() {
        Some("started") => ToClient::Started { call_id: "c" },
        Some("silence") => ToClient::Audio(&silence),
        Some("flush") => ToClient::Flush,
        Some("thinking") => ToClient::Thinking,
        Some("ended") => ToClient::Ended(EndCause::AgentHungUp),
        _ if let Some(to) = text("transfer") => ToClient::Transfer { to, reason: text("reason") },
        _ => match (text("agent_text"), text("error"), said.get("mark").and_then(Value::as_u64)) {
            (Some(text), ..) => ToClient::AgentText(text),
            (_, Some(error), _) => ToClient::Error(error),
            (.., Some(mark)) => ToClient::Mark(mark as u32),
            _ => panic!("{said} is nothing a node says"),
        },
    })
}

fn shown(message: &Message) -> Value {
    match message {
        Message::Text(text) => serde_json::from_str(text.as_str()).unwrap_or_else(|_| json!(text.as_str())),
        Message::Binary(bytes) => folded(bytes),
        other => panic!("{other:?} is nothing a dialect writes"),
    }
}

fn shown_as_written(message: &Value) -> Value {
    message.get("bytes").map_or_else(|| message.clone(), |bytes| folded(&unfolded(bytes, message)))
}

/// Bytes that are all the same in few words.
fn folded(bytes: &[u8]) -> Value {
    match bytes.first() {
        Some(first) if bytes.iter().all(|byte| byte == first) => {
            json!({"bytes": format!("{first:02x}"), "times": bytes.len()})
        }
        _ => json!({"bytes": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), "times": 1}),
    }
}
