//! The conversation as the Realtime server keeps it, and how it is brought to agree with what was really heard.
//! How far which answer was heard is told by the call; here it becomes items created, cut and deleted.

use std::collections::VecDeque;

use super::events::{ClientEvent, NewContent, NewItem, TextPart};
use crate::call::{ChatMessage, ToolCall};

/// Where the first item goes.
const ROOT: &str = "root";

/// An answer that was heard but for so much was heard out: the last frame need not be full.
const NEAR_ENOUGH_MS: u64 = 20;

/// Number of a turn within the session.
pub type TurnNumber = u64;

/// What we know of the server's items, in their order.
#[derive(Debug, Default)]
pub struct Conversation {
    items: Vec<Item>,
    /// Items we made, for their names.
    made: u64,
    /// Changes we asked for, for theirs.
    changes: u64,
}

#[derive(Debug)]
struct Item {
    /// `None` until the server has told.
    id: Option<String>,
    /// The line of the call's history it stands for; `None`: not known yet, or none.
    means: Option<ChatMessage>,
    /// Said by the model.
    spoken: Option<Spoken>,
}

#[derive(Debug)]
struct Spoken {
    turn: TurnNumber,
    /// Audio of it that came: eight bytes a millisecond.
    bytes: usize,
}

// === impl Conversation ===

impl Conversation {
    /// What must be sent so that the conversation is `wanted`. What is there stays the audio it is; what is missing
    /// becomes text; the rest is deleted.
    pub fn agree(&mut self, wanted: &[ChatMessage]) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        let mut old = VecDeque::from(std::mem::take(&mut self.items));
        for line in wanted.iter().flat_map(parts) {
            match old.iter().position(|item| item.means.as_ref() == Some(&line)) {
                Some(at) => {
                    for gone in old.drain(..at) {
                        events.extend(self.delete(gone.id));
                    }
                    self.items.extend(old.pop_front());
                }
                None => events.extend(self.create(line)),
            }
        }
        for gone in old {
            events.extend(self.delete(gone.id));
        }
        events
    }

    /// The caller's audio was sent to be an item; `text`: if it is known what was said.
    pub fn caller_speaks(&mut self, text: Option<&str>) {
        let means = text.map(|text| ChatMessage::User(text.to_owned()));
        self.items.push(Item { id: None, means, spoken: None });
    }

    /// The server made an item of the caller's audio.
    pub fn committed(&mut self, item_id: String) {
        if let Some(item) = self.items.iter_mut().find(|item| item.id.is_none()) {
            item.id = Some(item_id);
        }
    }

    /// What the caller said in that item.
    pub fn caller_said(&mut self, item_id: &str, text: &str) {
        if let Some(item) = self.item(item_id) {
            item.means = Some(ChatMessage::User(text.to_owned()));
        }
    }

    /// The model says something, in answer to `turn`; `bytes` of its audio came.
    pub fn agent_speaks(&mut self, turn: TurnNumber, item_id: &str, bytes: usize) {
        match self.item(item_id) {
            Some(Item { spoken: Some(spoken), .. }) => spoken.bytes += bytes,
            Some(_) => {}
            None => {
                let spoken = Some(Spoken { turn, bytes });
                self.items.push(Item { id: Some(item_id.to_owned()), means: None, spoken });
            }
        }
    }

    /// The model called a function.
    pub fn agent_calls(&mut self, item_id: &str, call: &ToolCall) {
        let means = Some(ChatMessage::Assistant { text: String::new(), calls: vec![call.clone()] });
        match self.item(item_id) {
            Some(item) => item.means = means,
            None => self.items.push(Item { id: Some(item_id.to_owned()), means, spoken: None }),
        }
    }

    /// The answer to `turn` was heard for `ms`, which was `text`. What must be sent, so that the model believes no more.
    pub fn agent_was_heard(&mut self, turn: TurnNumber, ms: u64, text: &str) -> Vec<ClientEvent> {
        let (mut left, mut heard, mut events) = (ms, Vec::new(), Vec::new());
        for item in &mut self.items {
            let Some(spoken) = item.spoken.as_ref().filter(|spoken| spoken.turn == turn) else { continue };
            let length = spoken.bytes as u64 / 8;
            item.means = None;
            if left > 0
                && let Some(item_id) = item.id.clone()
            {
                if left.saturating_add(NEAR_ENOUGH_MS) < length {
                    self.changes += 1;
                    events.push(ClientEvent::ItemTruncate {
                        event_id: change(self.changes),
                        item_id,
                        content_index: 0,
                        audio_end_ms: left,
                    });
                }
                heard.push(item);
            }
            left = left.saturating_sub(length);
        }
        // A line said in several parts is no line of the history: it will be replaced by its text.
        if let [item] = &mut heard[..] {
            item.means = Some(ChatMessage::assistant(text));
        }
        events
    }

    /// None of the answer to `turn` is to stay as it was said.
    pub fn agent_was_not_heard(&mut self, turn: TurnNumber) {
        let of_turn = |item: &&mut Item| item.spoken.as_ref().is_some_and(|spoken| spoken.turn == turn);
        for item in self.items.iter_mut().filter(of_turn) {
            item.means = None;
        }
    }

    fn item(&mut self, item_id: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id.as_deref() == Some(item_id))
    }

    fn create(&mut self, line: ChatMessage) -> Option<ClientEvent> {
        let content = match &line {
            ChatMessage::User(text) => {
                NewContent::Message { role: "user", content: [TextPart::InputText { text: text.clone() }] }
            }
            ChatMessage::Assistant { text, calls } => match calls.first() {
                Some(ToolCall { id, name, arguments }) => {
                    NewContent::FunctionCall { call_id: id.clone(), name: name.clone(), arguments: arguments.clone() }
                }
                None => {
                    NewContent::Message { role: "assistant", content: [TextPart::OutputText { text: text.clone() }] }
                }
            },
            ChatMessage::Tool { id, result } => {
                NewContent::FunctionCallOutput { call_id: id.clone(), output: result.clone() }
            }
            ChatMessage::System(_) => return None,
        };
        let previous_item_id = self.items.last().and_then(|item| item.id.clone()).unwrap_or_else(|| ROOT.to_owned());
        self.made += 1;
        self.changes += 1;
        let id = format!("tandem_{}", self.made);
        self.items.push(Item { id: Some(id.clone()), means: Some(line), spoken: None });
        Some(ClientEvent::ItemCreate {
            event_id: change(self.changes),
            previous_item_id,
            item: NewItem { id, content },
        })
    }

    fn delete(&mut self, item_id: Option<String>) -> Option<ClientEvent> {
        let item_id = item_id?;
        self.changes += 1;
        Some(ClientEvent::ItemDelete { event_id: change(self.changes), item_id })
    }
}

/// A line as the items it takes. Instructions are no item.
fn parts(line: &ChatMessage) -> Vec<ChatMessage> {
    match line {
        ChatMessage::System(_) => Vec::new(),
        ChatMessage::User(_) | ChatMessage::Tool { .. } => vec![line.clone()],
        ChatMessage::Assistant { text, calls } => {
            let said = (!text.is_empty()).then(|| ChatMessage::assistant(text.clone()));
            let called =
                calls.iter().map(|call| ChatMessage::Assistant { text: String::new(), calls: vec![call.clone()] });
            said.into_iter().chain(called).collect()
        }
    }
}

fn change(number: u64) -> String {
    format!("item_{number}")
}

#[cfg(test)]
mod tests;
