//! `GET /v1/realtime`: the Realtime API over a WebSocket, with the stub's latencies and faults.
//! What is said is made in `realtime/answer.rs`; what the conversation holds is in `realtime/conversation.rs`.

mod answer;
mod conversation;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;

use super::Stub;
use super::chat::reply_to;
use super::faults::{self, Stage, Treatment};
use answer::{Answer, Format, What};
use conversation::Conversation;

/// What a task of the session has for its socket.
enum Out {
    Event(Value),
    /// This much audio of the item was sent.
    Spoken(String, u64),
    /// The response is over.
    Finished,
    /// Break the connection.
    Cut,
}

struct Session {
    stub: Arc<Stub>,
    conversation: Conversation,
    format: Format,
    /// Functions the session offers.
    tools: Vec<String>,
    /// Audio that was appended and not committed, bytes of base64.
    buffered: usize,
    response: Option<(String, AbortOnDropHandle<()>)>,
    out: UnboundedSender<Out>,
    events: u64,
    made: u64,
}

/// An event that cannot be carried out: code and message.
struct Refused(&'static str, String);

pub async fn connect(State(stub): State<Arc<Stub>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let (out, taken) = unbounded_channel();
        let session = Session {
            stub,
            conversation: Conversation::default(),
            format: Format::Pcm,
            tools: Vec::new(),
            buffered: 0,
            response: None,
            out,
            events: 0,
            made: 0,
        };
        session.run(socket, taken).await;
    })
}

// === impl Session ===

impl Session {
    async fn run(mut self, mut socket: WebSocket, mut taken: UnboundedReceiver<Out>) {
        self.event(json!({"type": "session.created", "session": {"type": "realtime", "object": "realtime.session",
            "id": "sess_stub", "model": "stub"}}));
        loop {
            tokio::select! {
                // What is ready goes out before more is taken in, in the order a server works.
                biased;
                out = taken.recv() => match out {
                    Some(Out::Event(event)) => {
                        let event = self.numbered(event);
                        if socket.send(Message::text(event.to_string())).await.is_err() {
                            return;
                        }
                    }
                    Some(Out::Spoken(item, ms)) => self.conversation.spoken(&item, ms),
                    Some(Out::Finished) => self.response = None,
                    Some(Out::Cut) | None => return,
                },
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.take(&text),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => {}
                },
            }
        }
    }

    fn take(&mut self, text: &str) {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        if let Err(Refused(code, message)) = self.carry_out(&event) {
            self.event(json!({"type": "error", "error": {"type": "invalid_request_error", "code": code,
                "message": message, "param": null, "event_id": event["event_id"]}}));
        }
    }

    fn carry_out(&mut self, event: &Value) -> Result<(), Refused> {
        match event["type"].as_str().unwrap_or_default() {
            "session.update" => {
                self.format = Format::of(&event["session"]["audio"]["output"]["format"], self.format)?;
                if let Some(tools) = event["session"]["tools"].as_array() {
                    self.tools = tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect();
                }
                let mut session = event["session"].clone();
                session["id"] = json!("sess_stub");
                self.event(json!({"type": "session.updated", "session": session}));
            }
            "input_audio_buffer.append" => self.buffered += event["audio"].as_str().unwrap_or_default().len(),
            "input_audio_buffer.clear" => {
                self.buffered = 0;
                self.event(json!({"type": "input_audio_buffer.cleared"}));
            }
            "input_audio_buffer.commit" => self.commit()?,
            "conversation.item.create" => {
                let (before, item) = self.conversation.create(event)?;
                self.added(before, &item);
            }
            "conversation.item.truncate" => {
                self.conversation.truncate(event)?;
                self.event(json!({"type": "conversation.item.truncated", "item_id": event["item_id"],
                    "content_index": 0, "audio_end_ms": event["audio_end_ms"]}));
            }
            "conversation.item.delete" => {
                self.conversation.delete(event)?;
                self.event(json!({"type": "conversation.item.deleted", "item_id": event["item_id"]}));
            }
            "response.create" => self.respond()?,
            "response.cancel" => self.cancel()?,
            other => return Err(Refused("invalid_event", format!("there is no event {other:?}"))),
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Refused> {
        if std::mem::take(&mut self.buffered) == 0 {
            return Err(Refused("input_audio_buffer_commit_empty", "the buffer is empty".to_owned()));
        }
        let id = self.new_id("item");
        let item = json!({"id": id, "object": "realtime.item", "type": "message", "status": "completed", "role": "user",
            "content": [{"type": "input_audio", "transcript": null}]});
        let before = self.conversation.append(item.clone(), &self.stub.transcript);
        self.event(json!({"type": "input_audio_buffer.committed", "previous_item_id": before, "item_id": id}));
        self.added(before, &item);
        tokio::spawn(transcribe(self.stub.clone(), id, self.out.clone()));
        Ok(())
    }

    fn respond(&mut self) -> Result<(), Refused> {
        if let Some((id, _)) = &self.response {
            let message = format!("Conversation already has an active response in progress: {id}");
            return Err(Refused("conversation_already_has_active_response", message));
        }
        let (id, item) = (self.new_id("resp"), self.new_id("item"));
        self.event(json!({"type": "response.created", "response": answer::response(&id, "in_progress", &json!(null))}));
        self.event(json!({"type": "rate_limits.updated", "rate_limits": [
            {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 0.06}]}));
        let (line, result) = self.conversation.last_of_client();
        let offered = self.stub.tool.clone().filter(|tool| result.is_none() && self.tools.contains(&tool.name));
        let what = match offered {
            Some(call) => What::Call(call),
            None => What::Text(reply_to(&self.stub, &line, result.as_deref())),
        };
        let before = self.conversation.append(what.item(&item, "in_progress"), "");
        let answer = Answer { stub: self.stub.clone(), response: id.clone(), item, before, format: self.format, what };
        let speaking = tokio::spawn(answer.give(self.out.clone()));
        self.response = Some((id, AbortOnDropHandle::new(speaking)));
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), Refused> {
        let Some((id, _)) = self.response.take() else {
            return Err(Refused(
                "response_cancel_not_active",
                "Cancellation failed: no active response found".to_owned(),
            ));
        };
        let details = json!({"type": "cancelled", "reason": "client_cancelled"});
        self.event(json!({"type": "response.done", "response": answer::response(&id, "cancelled", &details)}));
        Ok(())
    }

    fn added(&self, before: Option<String>, item: &Value) {
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.event(json!({"type": kind, "previous_item_id": before, "item": item}));
        }
    }

    /// Goes out behind what is waiting.
    fn event(&self, event: Value) {
        // The other end is in the same task.
        let _ = self.out.send(Out::Event(event));
    }

    fn numbered(&mut self, mut event: Value) -> Value {
        self.events += 1;
        event["event_id"] = json!(format!("event_{}", self.events));
        event
    }

    fn new_id(&mut self, of: &str) -> String {
        self.made += 1;
        format!("{of}_stub_{}", self.made)
    }
}

/// Tells what the caller said, or that it cannot be told.
async fn transcribe(stub: Arc<Stub>, item: String, out: UnboundedSender<Out>) {
    // The client may be gone by then.
    let _ = match faults::treat(stub.faults.as_ref(), Stage::Stt, stub.transcription_after).await {
        Treatment::Normal => out.send(Out::Event(json!({
            "type": "conversation.item.input_audio_transcription.completed", "item_id": item, "content_index": 0,
            "transcript": stub.transcript, "usage": {"type": "duration", "seconds": 1}}))),
        Treatment::Refuse(response) => out.send(Out::Event(json!({
            "type": "conversation.item.input_audio_transcription.failed", "item_id": item, "content_index": 0,
            "error": {"type": "transcription_error", "code": null, "param": null,
                "message": format!("the stub was told to answer {}", response.status())}}))),
        Treatment::Cut => out.send(Out::Cut),
    };
}

#[cfg(test)]
mod tests;
