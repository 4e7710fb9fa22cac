//! What a call wants done outside: commands to speech, facts for the journal, the end of the call.
//! Only a queue with the call's event counter; who empties it is the shard (or a test).

use std::collections::VecDeque;

use edge_protocol::{CallEvent, EndCause, EventKind, VERSION};

use super::speech_link::SpeechCommand;
use super::tools::TransferWish;
use crate::clock::Moment;

/// One thing to be done outside the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Speech(SpeechCommand),
    /// What the agent was told to say is said, as far as it will be.
    Said,
    /// Give the caller to somebody else.
    Transfer(TransferWish),
    /// A key goes through the signalling.
    Press(char),
    /// End the dialog; the call is over once it is told so by `Call::end`.
    HangUp(EndCause),
}

/// What the other side of a frame leg is told beside audio, at the moment it becomes true for the ear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cue {
    /// The agent begins to say this sentence.
    AgentSays(String),
    /// The caller's line is known.
    CallerSaid(String),
    /// The caller's turn is over and is being worked on.
    Thinking,
    /// The caller cut in: what was sent and is not played yet is not to be played.
    Flush,
    /// More audio came than time passed: the oldest of it is dropped. Told once.
    Overrun,
}

/// Wishes, facts and cues, each in the order they came about. Apart: facts that wait for a slow disk hold up no speech.
#[derive(Debug)]
pub struct Outbox {
    call_id: String,
    call_started_at_ms: u64,
    started: Moment,
    next_seq: u64,
    hang_up_asked: bool,
    wishes: VecDeque<Wish>,
    facts: VecDeque<CallEvent>,
    /// `None`: nobody is there to be told.
    cues: Option<VecDeque<Cue>>,
}

// === impl Outbox ===

impl Outbox {
    pub fn new(call_id: String, call_started_at_ms: u64, started: Moment) -> Self {
        Self {
            call_id,
            call_started_at_ms,
            started,
            next_seq: 0,
            hang_up_asked: false,
            wishes: VecDeque::with_capacity(4),
            facts: VecDeque::new(),
            cues: None,
        }
    }

    /// From here on cues are kept until they are taken.
    pub fn keep_cues(&mut self) {
        self.cues = Some(VecDeque::with_capacity(8));
    }

    /// Tells the other side something, if it can be told.
    pub fn cue(&mut self, cue: impl FnOnce() -> Cue) {
        if let Some(cues) = self.cues.as_mut() {
            cues.push_back(cue());
        }
    }

    pub fn pop_cue(&mut self) -> Option<Cue> {
        self.cues.as_mut()?.pop_front()
    }

    pub fn event(&mut self, now: Moment, kind: EventKind) {
        let event = CallEvent {
            v: VERSION,
            call_id: self.call_id.clone(),
            seq: self.next_seq,
            call_started_at_ms: self.call_started_at_ms,
            at_ms: now.millis_since(self.started),
            kind,
        };
        self.next_seq += 1;
        self.facts.push_back(event);
    }

    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    pub fn said(&mut self) {
        self.wishes.push_back(Wish::Said);
    }

    pub fn press(&mut self, key: char) {
        self.wishes.push_back(Wish::Press(key));
    }

    pub fn speech(&mut self, command: SpeechCommand) {
        self.wishes.push_back(Wish::Speech(command));
    }

    pub fn transfer(&mut self, wish: TransferWish) {
        self.wishes.push_back(Wish::Transfer(wish));
    }

    /// Asks for the end of the call; the first cause stands.
    pub fn hang_up(&mut self, cause: EndCause) {
        if !std::mem::replace(&mut self.hang_up_asked, true) {
            self.wishes.push_back(Wish::HangUp(cause));
        }
    }

    pub fn pop_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    pub fn has_fact(&self) -> bool {
        !self.facts.is_empty()
    }

    pub fn pop_fact(&mut self) -> Option<CallEvent> {
        let fact = self.facts.pop_front();
        if self.facts.is_empty() {
            // There is seldom one, and room for four of them takes more than a kilobyte.
            self.facts = VecDeque::new();
        }
        fact
    }

    /// Number of the next event; `RecordingReady` takes it up where the call ends.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }
}
