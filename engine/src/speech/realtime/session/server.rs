//! What the server says, and what becomes of the turn by it.
//! What is asked of the server, and when, is in `session`.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::turn::Turn;
use super::{Session, event_id};
use crate::call::{SpeechEvent, ToolCall, UNCLEAR};
use crate::speech::realtime::config::RealtimeError;
use crate::speech::realtime::events::{
    ApiError, ClientEvent, OutputItem, OutputKind, ResponseState, ResponseStatus, ServerEvent,
};

impl Session {
    /// The server says something.
    pub fn received(&mut self, now: Instant, event: ServerEvent) {
        match event {
            ServerEvent::SessionUpdated { session } => {
                if let Some(other) = session.output_format().filter(|name| *name != self.format.name()) {
                    self.malformed(now, format!("audio as {other} where {} was asked for", self.format.name()));
                }
            }
            ServerEvent::AudioCommitted { item_id } => {
                self.committing = false;
                if let Some(turn) = self.turn.as_mut() {
                    turn.committed(&item_id);
                }
                self.conversation.committed(item_id);
                self.advance(now);
            }
            ServerEvent::Transcribed { item_id, transcript } => self.transcribed(&item_id, transcript.trim()),
            ServerEvent::NotTranscribed { item_id, error } => {
                tracing::warn!(error = error.words(), "the caller's words could not be written down");
                self.transcribed(&item_id, UNCLEAR);
            }
            ServerEvent::ResponseCreated { response } => self.response_created(response.id),
            ServerEvent::OutputItemAdded { response_id, item } | ServerEvent::OutputItemDone { response_id, item } => {
                self.output_item(now, &response_id, item);
            }
            ServerEvent::ArgumentsDone { response_id, item_id, call_id, name, arguments } => {
                let call = ToolCall { id: call_id, name: name.unwrap_or_default(), arguments };
                if let Some(turn) = self.answering(now, &response_id) {
                    turn.answer.call(&item_id, call);
                }
            }
            ServerEvent::AudioDelta { response_id, item_id, delta } => self.audio(now, &response_id, &item_id, &delta),
            ServerEvent::TranscriptDelta { response_id, delta } => {
                if let Some(turn) = self.answering(now, &response_id) {
                    turn.answer.text(&delta);
                    self.hand_over();
                }
            }
            ServerEvent::TranscriptDone { response_id, transcript } => {
                if let Some(turn) = self.answering(now, &response_id) {
                    turn.answer.whole_text(&transcript);
                    self.hand_over();
                }
            }
            ServerEvent::ResponseDone { response } => self.response_done(now, response),
            ServerEvent::Error { error } => self.error(now, &error),
            ServerEvent::Other => {}
        }
    }

    fn transcribed(&mut self, item_id: &str, text: &str) {
        if self.turn.as_ref().is_some_and(|turn| turn.is_about(item_id)) {
            self.words_known(text);
        }
    }

    /// The turn's words are known, or never will be.
    pub(super) fn words_known(&mut self, text: &str) {
        let Some(turn) = self.turn.as_mut() else { return };
        let Some(hearing) = turn.take_words(text) else { return };
        if let Some(item_id) = &turn.item {
            // An empty line goes into the call's history as one that was not clear.
            self.conversation.caller_said(item_id, if text.is_empty() { UNCLEAR } else { text });
        }
        self.tell(SpeechEvent::Transcribed { hearing, text: text.to_owned() });
    }

    fn response_created(&mut self, id: String) {
        let Some(response) = self.response.as_mut().filter(|response| response.id.is_none()) else { return };
        response.id = Some(id.clone());
        if response.cancelled {
            // It could not be named before.
            let event_id = event_id(response.turn, "cancel");
            self.send(ClientEvent::ResponseCancel { event_id, response_id: id });
        }
    }

    fn output_item(&mut self, now: Instant, response_id: &str, item: OutputItem) {
        let Some(response) = self.response.as_ref().filter(|r| r.id.as_deref() == Some(response_id)) else { return };
        match item.kind {
            OutputKind::Message => self.conversation.agent_speaks(response.turn, &item.id, 0),
            OutputKind::FunctionCall => {
                let call = ToolCall {
                    id: item.call_id.unwrap_or_default(),
                    name: item.name.unwrap_or_default(),
                    arguments: item.arguments.unwrap_or_default(),
                };
                self.conversation.agent_calls(&item.id, &call);
                if let Some(turn) = self.answering(now, response_id) {
                    turn.answer.call(&item.id, call);
                }
            }
            OutputKind::Other => {}
        }
    }

    fn audio(&mut self, now: Instant, response_id: &str, item_id: &str, delta: &str) {
        let Some(turn) = self.answering(now, response_id) else { return };
        let Ok(audio) = BASE64.decode(delta) else {
            return self.malformed(now, "audio that is no base64".to_owned());
        };
        let (number, bytes) = (turn.number, audio.len());
        if !turn.answer.audio(audio.into()) {
            return self.malformed(now, "an answer without end".to_owned());
        }
        self.conversation.agent_speaks(number, item_id, bytes);
        self.hand_over();
    }

    fn response_done(&mut self, now: Instant, done: ResponseState) {
        let Some(response) = self.response.take_if(|r| r.id.is_none() || r.id.as_deref() == Some(done.id.as_str()))
        else {
            return;
        };
        if let Some(usage) = done.usage {
            self.tell(SpeechEvent::Used(self.config.prices.answer(usage.into())));
        }
        let turn = self.turn.as_mut().filter(|turn| !response.cancelled && turn.number == response.turn);
        let Some(turn) = turn else { return self.advance(now) };
        // What was cut short by the model's limits is still an answer; what somebody else cancelled is none.
        let spoken = matches!(done.status, ResponseStatus::Completed | ResponseStatus::Incomplete);
        if !spoken || turn.answer.is_empty() {
            let details = done.status_details;
            let error = details.as_ref().and_then(|details| details.error.as_ref()).map(ApiError::words);
            let reason = details.as_ref().and_then(|details| details.reason.clone());
            let message = error.or(reason).unwrap_or_else(|| "an answer without words".to_owned());
            return self.fail(now, RealtimeError::Failed { base_url: self.config.base_url.clone(), message });
        }
        turn.complete();
        for (item_id, call) in turn.answer.calls() {
            self.conversation.agent_calls(item_id, call);
        }
        // Nothing is cut by this: how far it is heard is told later.
        self.conversation.agent_was_heard(turn.number, u64::MAX, turn.answer.words());
        self.hand_over();
    }

    fn error(&mut self, now: Instant, error: &ApiError) {
        let about = error.event_id.as_deref().unwrap_or_default();
        let ours = self.turn.as_ref().filter(|turn| turn.is_under_way());
        let hits = ours.is_some_and(|turn| {
            let about_turn = about.starts_with(&event_id(turn.number, "")) && !about.ends_with("cancel");
            about_turn || about.is_empty() && !is_harmless(error)
        });
        if !hits {
            tracing::debug!(error = error.words(), about, "the Realtime server minds something");
            return;
        }
        let message = error.words();
        self.give_up(now, RealtimeError::Failed { base_url: self.config.base_url.clone(), message });
    }

    /// The turn this response answers, if it is still wanted: a sign of life, which gives it new time.
    fn answering(&mut self, now: Instant, response_id: &str) -> Option<&mut Turn> {
        let response = self.response.as_ref().filter(|r| !r.cancelled && r.id.as_deref() == Some(response_id))?;
        let turn = self.turn.as_mut().filter(|turn| turn.number == response.turn)?;
        turn.alive(now, &self.config.patience);
        Some(turn)
    }
}

/// Says only that something was over already.
fn is_harmless(error: &ApiError) -> bool {
    error.code.as_deref() == Some("response_cancel_not_active")
}
