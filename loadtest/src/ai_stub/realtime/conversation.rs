//! The items of a Realtime session's conversation, and what may be done with them.
//! It is as strict as the documentation is, so that a client's mistake shows.

use serde_json::{Value, json};

use super::Refused;

#[derive(Debug, Default)]
pub struct Conversation(Vec<Item>);

#[derive(Debug)]
struct Item {
    id: String,
    /// What of it is words.
    text: String,
    /// By the client: a message of theirs, or what came of a function.
    of_client: bool,
    is_result: bool,
    /// Audio of an answer, ms.
    spoken_ms: u64,
}

// === impl Conversation ===

impl Conversation {
    /// Adds an item of which this was said; the one before it.
    pub fn append(&mut self, item: Value, text: &str) -> Option<String> {
        let before = self.0.last().map(|item| item.id.clone());
        self.0.push(Item::new(&item, text.to_owned()));
        before
    }

    /// `conversation.item.create`: the item before the new one, and the new one.
    pub fn create(&mut self, event: &Value) -> Result<(Option<String>, Value), Refused> {
        let mut item = event["item"].clone();
        let text = match item["type"].as_str().unwrap_or_default() {
            "message" => message_text(&item)?,
            "function_call" => String::new(),
            "function_call_output" => item["output"].as_str().unwrap_or_default().to_owned(),
            other => return Err(Refused("invalid_value", format!("there is no item of type {other:?}"))),
        };
        let at = match event["previous_item_id"].as_str() {
            None => self.0.len(),
            Some("root") => 0,
            Some(before) => self.position(before)? + 1,
        };
        if item["id"].is_null() {
            item["id"] = json!(format!("item_made_{}", self.0.len()));
        }
        if item["id"].as_str().is_some_and(|id| id.len() > 32 || self.position(id).is_ok()) {
            return Err(Refused("invalid_value", format!("the id {} is taken or too long", item["id"])));
        }
        let before = at.checked_sub(1).and_then(|before| self.0.get(before)).map(|item| item.id.clone());
        self.0.insert(at, Item::new(&item, text));
        item["object"] = json!("realtime.item");
        item["status"] = json!("completed");
        Ok((before, item))
    }

    /// `conversation.item.truncate`.
    pub fn truncate(&mut self, event: &Value) -> Result<(), Refused> {
        let at = self.position(event["item_id"].as_str().unwrap_or_default())?;
        let end = event["audio_end_ms"].as_u64().unwrap_or(u64::MAX);
        match self.0.get_mut(at) {
            Some(item) if !item.of_client && end <= item.spoken_ms => {
                item.spoken_ms = end;
                Ok(())
            }
            _ => Err(Refused("invalid_value", format!("there is no audio of {} ms to cut", event["audio_end_ms"]))),
        }
    }

    /// `conversation.item.delete`.
    pub fn delete(&mut self, event: &Value) -> Result<(), Refused> {
        let at = self.position(event["item_id"].as_str().unwrap_or_default())?;
        self.0.remove(at);
        Ok(())
    }

    /// More audio of an answer was sent.
    pub fn spoken(&mut self, id: &str, ms: u64) {
        if let Some(item) = self.0.iter_mut().find(|item| item.id == id) {
            item.spoken_ms += ms;
        }
    }

    /// What the client's user said last, and what came of a function, if that is the client's last item.
    pub fn last_of_client(&self) -> (String, Option<String>) {
        let mut of_client = self.0.iter().rev().filter(|item| item.of_client).peekable();
        let result = of_client.peek().filter(|item| item.is_result).map(|item| item.text.clone());
        let line = of_client.find(|item| !item.is_result).map_or("nothing", |item| item.text.as_str());
        (line.to_owned(), result)
    }

    fn position(&self, id: &str) -> Result<usize, Refused> {
        let missing = || Refused("item_not_found", format!("there is no item {id:?}"));
        self.0.iter().position(|item| item.id == id).ok_or_else(missing)
    }
}

// === impl Item ===

impl Item {
    fn new(item: &Value, text: String) -> Self {
        let is_result = item["type"] == "function_call_output";
        let of_client = item["role"] == "user" || is_result;
        Self { id: item["id"].as_str().unwrap_or_default().to_owned(), text, of_client, is_result, spoken_ms: 0 }
    }
}

/// The words of a message, whose parts must be of the kinds its role has.
fn message_text(item: &Value) -> Result<String, Refused> {
    let kind = match item["role"].as_str().unwrap_or_default() {
        "user" | "system" => "input_text",
        "assistant" => "output_text",
        other => return Err(Refused("invalid_value", format!("there is no role {other:?}"))),
    };
    let parts = item["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    if parts.iter().any(|part| part["type"] != kind) {
        return Err(Refused("invalid_value", format!("the content of a {} is {kind}", item["role"])));
    }
    Ok(parts.iter().filter_map(|part| part["text"].as_str()).collect())
}
