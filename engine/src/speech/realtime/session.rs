//! One call's session with a Realtime server as a state machine: wishes of the call, events and time go in; events,
//! answers and what the three stages are to do in its place come out. The socket is `link`'s.

mod server;
mod turn;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use edge_protocol::SpeechStage;

use super::answer::Piece;
use super::config::{Patience, RealtimeConfig, RealtimeError};
use super::conversation::{Conversation, TurnNumber};
use super::events::{
    AudioFormat, AudioInput, AudioOutput, AudioSettings, ClientEvent, FunctionTool, InputTranscription, SessionKind,
    SessionSettings,
};
use crate::audio::g711::Law;
use crate::call::{ChatMessage, SoFar, SpeechCommand, SpeechEvent, ToolCall, ToolDefinition, UNCLEAR, UtteranceId};
use turn::{Question, Turn};

/// Audio in one event, bytes (4 s): whatever is between us and the server need not take large messages.
const APPEND_BYTES: usize = 32_000;

/// Utterances whose turns are remembered until it is told how far they were heard.
const REMEMBERED: usize = 8;

/// A session that lived so long and broke is opened again at once; one that breaks sooner when it is needed.
const LIVED: Duration = Duration::from_secs(10);

/// What is to be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open a connection; the answer is `connected` or `lost`.
    Connect,
    /// Drop the connection, or the attempt at one; not answered.
    Close,
    Send(ClientEvent),
    Tell(SpeechEvent),
    /// Have the three stages do it, in place of what they do.
    Stages(SpeechCommand),
    /// Have the three stages stop.
    StopStages,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Closed,
    Opening,
    Open { since: Instant },
}

/// The one response the server may have under way.
#[derive(Debug)]
struct Response {
    /// `None` until the server has told.
    id: Option<String>,
    turn: TurnNumber,
    /// Nobody wants it any more; until it is over no other can be asked for.
    cancelled: bool,
}

/// What the server was told last.
#[derive(Debug, PartialEq)]
struct Told {
    instructions: String,
    tools: Arc<[ToolDefinition]>,
}

/// Something the agent said as one piece.
#[derive(Debug)]
struct Utterance {
    id: UtteranceId,
    /// The turns whose answers are in it, more than one if functions were called; `None`: a fixed text, which the server
    /// knows nothing of.
    parts: Vec<Option<TurnNumber>>,
}

/// The session's state.
#[derive(Debug)]
pub struct Session {
    config: Arc<RealtimeConfig>,
    link: Link,
    told: Option<Told>,
    format: AudioFormat,
    conversation: Conversation,
    response: Option<Response>,
    /// Audio was sent to be an item, and the server has not told which.
    committing: bool,
    /// What the call wants now.
    turn: Option<Turn>,
    turns: TurnNumber,
    /// What utterances were made of, newest last.
    answers: VecDeque<Utterance>,
    rest_until: Option<Instant>,
    actions: VecDeque<Action>,
}

// === impl Session ===

impl Session {
    pub fn new(config: Arc<RealtimeConfig>) -> Self {
        Self {
            config,
            link: Link::Closed,
            told: None,
            format: AudioFormat::Pcmu,
            conversation: Conversation::default(),
            response: None,
            committing: false,
            turn: None,
            turns: 0,
            answers: VecDeque::new(),
            rest_until: None,
            actions: VecDeque::new(),
        }
    }

    /// The next thing to be done; to be asked after every input until there is none.
    pub fn pop(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `timeout` is to be called, if nothing comes before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.turn.as_ref()?.deadline()
    }

    /// The call wants something.
    pub fn command(&mut self, now: Instant, command: SpeechCommand) {
        match command {
            SpeechCommand::WarmUp { .. } => {
                if self.link == Link::Closed && !self.rests(now) {
                    self.open();
                }
            }
            SpeechCommand::Transcribe { hearing, law, audio, so_far: Some(so_far) } => {
                let question = Question::Heard { hearing, law, audio, so_far };
                self.begin(now, question);
            }
            SpeechCommand::Respond { .. } => self.respond(now, command),
            SpeechCommand::Heard { utterance, ms, text } => self.was_heard(utterance, ms, &text),
            SpeechCommand::Cancel => self.drop_turn(),
            // A fixed text has its exact words, and is kept, only in the synthesiser's hands.
            SpeechCommand::Say { utterance, .. } => {
                self.is_part_of(utterance, None);
                self.hand_to_stages(command);
            }
            SpeechCommand::Transcribe { so_far: None, .. } => self.hand_to_stages(command),
            SpeechCommand::Over => {
                self.drop_turn();
                self.close();
            }
            // Not a session's.
            SpeechCommand::Prepare { .. } | SpeechCommand::RunTool { .. } | SpeechCommand::FindTools { .. } => {}
        }
    }

    /// The connection stands, with a session as the server makes them.
    pub fn connected(&mut self, now: Instant) {
        self.link = Link::Open { since: now };
        self.advance(now);
    }

    /// There is no connection (any more), or none worth keeping.
    pub fn lost(&mut self, now: Instant, error: RealtimeError) {
        let (lived, opening) = match self.link {
            Link::Open { since } => (now.saturating_duration_since(since) >= LIVED, false),
            Link::Opening => (false, true),
            Link::Closed => return,
        };
        tracing::debug!(%error, "the Realtime session is gone");
        self.forget();
        match self.turn.as_mut() {
            Some(turn) if turn.may_be_asked_again() && !opening => {
                turn.ask_again(now, self.config.patience.connect + self.config.patience.settle);
                self.advance(now);
            }
            Some(turn) if turn.is_wanted_here() => self.fail(now, error),
            _ if lived => self.open(),
            // The next turn need not wait for what will not come.
            _ if opening => self.rest(now),
            _ => {}
        }
    }

    /// The server said what is no event.
    pub fn malformed(&mut self, now: Instant, reason: String) {
        let base_url = self.config.base_url.clone();
        self.give_up(now, RealtimeError::Malformed { base_url, reason });
    }

    /// The time `poll_timeout` told has come.
    pub fn timeout(&mut self, now: Instant) {
        let Some(turn) = self.turn.as_mut() else { return };
        if turn.transcript_is_late(now) {
            tracing::warn!("the caller's words were not written down in time");
            return self.words_known(UNCLEAR);
        }
        if turn.is_late(now) {
            let (what, after) = turn.waits_for();
            let base_url = self.config.base_url.clone();
            self.give_up(now, RealtimeError::TimedOut { base_url, what, after });
        }
    }

    fn hand_to_stages(&mut self, command: SpeechCommand) {
        self.drop_turn();
        self.actions.push_back(Action::Stages(command));
    }

    /// A new turn takes the place of what was wanted before.
    fn begin(&mut self, now: Instant, question: Question) {
        self.drop_turn();
        self.turns += 1;
        let Patience { connect, settle, .. } = self.config.patience;
        let wait = if matches!(self.link, Link::Open { .. }) { settle } else { connect + settle };
        let turn = Turn::new(self.turns, question, now, wait);
        if self.rests(now) {
            return self.by_stages(turn);
        }
        self.turn = Some(turn);
        self.advance(now);
    }

    /// The call wants the answer: to what was just heard, or to a line it knows.
    fn respond(&mut self, now: Instant, command: SpeechCommand) {
        let SpeechCommand::Respond { utterance, ref messages, .. } = command else { return };
        match self.turn.as_mut() {
            Some(turn) if turn.is_by_stages() => self.actions.push_back(Action::Stages(command)),
            Some(turn) if turn.is_answered_by(messages) => {
                let number = turn.number;
                turn.wanted = Some(command);
                self.is_part_of(utterance, Some(number));
                self.hand_over();
            }
            _ => {
                self.begin(now, Question::Written(command));
                self.is_part_of(utterance, Some(self.turns));
            }
        }
    }

    fn is_part_of(&mut self, utterance: UtteranceId, part: Option<TurnNumber>) {
        if let Some(known) = self.answers.iter_mut().find(|known| known.id == utterance) {
            return known.parts.push(part);
        }
        if self.answers.len() == REMEMBERED {
            self.answers.pop_front();
        }
        self.answers.push_back(Utterance { id: utterance, parts: vec![part] });
    }

    fn was_heard(&mut self, utterance: UtteranceId, ms: u64, text: &str) {
        let Some(at) = self.answers.iter().position(|known| known.id == utterance) else { return };
        let Some(Utterance { parts, .. }) = self.answers.remove(at) else { return };
        if let [Some(turn)] = parts[..] {
            for event in self.conversation.agent_was_heard(turn, ms, text) {
                self.send(event);
            }
            return;
        }
        // In which part it ended, and where in it, is not known: what was heard is told as text.
        for turn in parts.into_iter().flatten() {
            self.conversation.agent_was_not_heard(turn);
        }
    }

    /// Asks the server for the turn's answer as soon as it can be asked.
    fn advance(&mut self, now: Instant) {
        let Some(turn) = self.turn.as_ref().filter(|turn| turn.is_waiting()) else { return };
        match self.link {
            Link::Closed => return self.open(),
            Link::Opening => return,
            Link::Open { .. } => {}
        }
        if self.response.is_some() || self.committing {
            return;
        }
        let number = turn.number;
        let Some((law, so_far)) = turn.terms() else { return };
        let audio = turn.audio();
        let known = turn.words().map(str::to_owned);
        self.introduce(number, law, &so_far);
        for event in self.conversation.agree(&so_far.messages) {
            self.send(event);
        }
        if let Some(audio) = audio {
            for chunk in audio.chunks(APPEND_BYTES) {
                let event_id = event_id(number, "audio");
                self.send(ClientEvent::AudioAppend { event_id, audio: BASE64.encode(chunk) });
            }
            self.send(ClientEvent::AudioCommit { event_id: event_id(number, "commit") });
            self.committing = true;
            self.conversation.caller_speaks(known.as_deref());
        }
        self.send(ClientEvent::ResponseCreate { event_id: event_id(number, "response") });
        self.response = Some(Response { id: None, turn: number, cancelled: false });
        if let Some(turn) = self.turn.as_mut() {
            turn.asked(now, &self.config.patience);
        }
    }

    /// Tells the server who it is to be, if that is news.
    fn introduce(&mut self, turn: TurnNumber, law: Law, so_far: &SoFar) {
        let told = Told { instructions: instructions(&so_far.messages), tools: so_far.tools.clone() };
        if self.told.as_ref() == Some(&told) {
            return;
        }
        // Formats and voice are said once: a voice that has spoken cannot be changed.
        let first = self.told.is_none();
        if first {
            self.format = law.into();
        }
        let audio = first.then(|| AudioSettings {
            input: AudioInput {
                format: self.format,
                transcription: InputTranscription { model: self.config.transcription_model.clone() },
                turn_detection: None,
            },
            output: AudioOutput {
                format: self.format,
                voice: so_far.voice.as_deref().unwrap_or(&self.config.voice).to_owned(),
            },
        });
        let tool = |tool: &ToolDefinition| FunctionTool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
        };
        let session = SessionSettings {
            kind: SessionKind::Realtime,
            instructions: told.instructions.clone(),
            tools: told.tools.iter().map(tool).collect(),
            output_modalities: first.then_some(["audio"]),
            audio,
        };
        self.told = Some(told);
        self.send(ClientEvent::SessionUpdate { event_id: event_id(turn, "session"), session });
    }

    /// Tells the call what is there of its answer, once it wants it.
    fn hand_over(&mut self) {
        let Some(turn) = self.turn.as_mut() else { return };
        let Some(utterance) = turn.utterance() else { return };
        while let Some(piece) = turn.answer.pop() {
            if !std::mem::replace(&mut turn.begun, true) {
                self.actions.push_back(Action::Tell(SpeechEvent::FirstToken { utterance }));
            }
            self.actions.push_back(Action::Tell(match piece {
                Piece::Sentence(text) => SpeechEvent::Sentence { utterance, text },
                Piece::Voice(audio) => SpeechEvent::Voice { utterance, audio },
            }));
        }
        if turn.is_done() {
            let calls: Vec<ToolCall> = turn.answer.calls().iter().map(|(_, call)| call.clone()).collect();
            self.turn = None;
            if !calls.is_empty() {
                self.tell(SpeechEvent::ToolsCalled { utterance, calls });
            }
            self.tell(SpeechEvent::Said { utterance });
        }
    }

    /// Nothing is wanted any more of what is under way.
    fn drop_turn(&mut self) {
        self.cancel_response();
        if self.turn.take().is_some_and(|turn| !turn.is_by_stages()) {
            return;
        }
        self.actions.push_back(Action::StopStages);
    }

    fn cancel_response(&mut self) {
        let Some(response) = self.response.as_mut().filter(|response| !response.cancelled) else { return };
        response.cancelled = true;
        // One that the server has not begun yet cannot be cancelled: it is once it begins.
        if let Some(response_id) = response.id.clone() {
            let event_id = event_id(response.turn, "cancel");
            self.send(ClientEvent::ResponseCancel { event_id, response_id });
        }
    }

    /// The session cannot be trusted any more.
    fn give_up(&mut self, now: Instant, error: RealtimeError) {
        self.close();
        if self.turn.as_ref().is_some_and(Turn::is_wanted_here) {
            return self.fail(now, error);
        }
        tracing::warn!(%error, "the Realtime session is given up");
    }

    /// The turn cannot be answered here: the three stages take over, unless some of the answer was told already.
    fn fail(&mut self, now: Instant, error: RealtimeError) {
        tracing::warn!(%error, "speech-to-speech failed");
        self.cancel_response();
        self.rest(now);
        let Some(turn) = self.turn.take() else { return };
        match turn.utterance().filter(|_| turn.begun) {
            Some(utterance) => self.tell(SpeechEvent::Failed {
                hearing: None,
                utterance: Some(utterance),
                stage: SpeechStage::Chat,
                error: format!("Realtime: {error}"),
            }),
            None => self.by_stages(turn),
        }
    }

    fn by_stages(&mut self, mut turn: Turn) {
        if let Some(command) = turn.hand_to_stages() {
            self.actions.push_back(Action::Stages(command));
        }
        self.turn = Some(turn);
    }

    fn open(&mut self) {
        self.link = Link::Opening;
        self.actions.push_back(Action::Connect);
    }

    fn close(&mut self) {
        if self.link != Link::Closed {
            self.actions.push_back(Action::Close);
        }
        self.forget();
    }

    /// The server's side of the session is no more.
    fn forget(&mut self) {
        self.link = Link::Closed;
        self.told = None;
        self.conversation = Conversation::default();
        self.response = None;
        self.committing = false;
    }

    fn rest(&mut self, now: Instant) {
        self.rest_until = Some(now + self.config.patience.rest);
    }

    fn rests(&self, now: Instant) -> bool {
        self.rest_until.is_some_and(|until| now < until)
    }

    fn send(&mut self, event: ClientEvent) {
        self.actions.push_back(Action::Send(event));
    }

    fn tell(&mut self, event: SpeechEvent) {
        self.actions.push_back(Action::Tell(event));
    }
}

/// What the model is told about its part.
fn instructions(messages: &[ChatMessage]) -> String {
    let texts = messages
        .iter()
        .filter_map(|line| if let ChatMessage::System(text) = line { Some(text.as_str()) } else { None });
    texts.collect::<Vec<_>>().join("\n\n")
}

/// Names an event of ours so that an error that is about it can be told from others.
fn event_id(turn: TurnNumber, what: &str) -> String {
    format!("turn_{turn}_{what}")
}

#[cfg(test)]
mod tests;
