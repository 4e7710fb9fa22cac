//! A turn of the call within a Realtime session: what was asked, how far its answer is, and until when it is waited for.
//! What is sent and told because of it is the session's matter.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::audio::g711::Law;
use crate::call::{ChatMessage, HearingId, SoFar, SpeechCommand, UNCLEAR, UtteranceId};
use crate::speech::realtime::answer::Answer;
use crate::speech::realtime::config::Patience;
use crate::speech::realtime::conversation::TurnNumber;

/// What an answer is wanted to.
#[derive(Debug)]
pub enum Question {
    /// The caller's voice. Its words are told; its answer is wanted once the call says so.
    Heard { hearing: HearingId, law: Law, audio: Bytes, so_far: SoFar },
    /// Lines the call knows; a `Respond`.
    Written(SpeechCommand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It cannot be asked yet.
    Waiting,
    UnderWay,
    /// All of its answer is here.
    Done,
    /// The three stages have it.
    ByStages,
}

#[derive(Debug)]
pub struct Turn {
    pub number: TurnNumber,
    stage: Stage,
    heard: Option<(HearingId, Law, Bytes, SoFar)>,
    /// The server's name of the caller's audio.
    pub item: Option<String>,
    /// What the caller said, once it was told.
    words: Option<String>,
    /// The `Respond` by which its answer is wanted.
    pub wanted: Option<SpeechCommand>,
    pub answer: Answer,
    /// Some of its answer was told.
    pub begun: bool,
    asked_again: bool,
    due: Instant,
    waits_for: (&'static str, Duration),
    transcript_due: Option<Instant>,
}

// === impl Turn ===

impl Turn {
    /// It may be asked within `wait`.
    pub fn new(number: TurnNumber, question: Question, now: Instant, wait: Duration) -> Self {
        let (heard, wanted) = match question {
            Question::Heard { hearing, law, audio, so_far } => (Some((hearing, law, audio, so_far)), None),
            Question::Written(command) => (None, Some(command)),
        };
        Self {
            number,
            stage: Stage::Waiting,
            heard,
            item: None,
            words: None,
            wanted,
            answer: Answer::default(),
            begun: false,
            asked_again: false,
            due: now + wait,
            waits_for: ("session", wait),
            transcript_due: None,
        }
    }

    /// The conversation it is to be answered in, and the law of the call's audio.
    pub fn terms(&self) -> Option<(Law, SoFar)> {
        match (&self.heard, &self.wanted) {
            (Some((_, law, _, so_far)), _) => Some((*law, so_far.clone())),
            (None, Some(SpeechCommand::Respond { law, voice, messages, tools, .. })) => {
                Some((*law, SoFar { voice: voice.clone(), messages: messages.clone(), tools: tools.clone() }))
            }
            _ => None,
        }
    }

    /// The caller's voice, if that is the question.
    pub fn audio(&self) -> Option<Bytes> {
        self.heard.as_ref().map(|(_, _, audio, _)| audio.clone())
    }

    pub fn words(&self) -> Option<&str> {
        self.words.as_deref()
    }

    /// The utterance its answer is to be, once it is wanted.
    pub fn utterance(&self) -> Option<UtteranceId> {
        match self.wanted {
            Some(SpeechCommand::Respond { utterance, .. }) => Some(utterance),
            _ => None,
        }
    }

    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    pub fn is_under_way(&self) -> bool {
        self.stage == Stage::UnderWay
    }

    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub fn is_by_stages(&self) -> bool {
        self.stage == Stage::ByStages
    }

    /// The session owes its answer.
    pub fn is_wanted_here(&self) -> bool {
        self.is_waiting() || self.is_under_way()
    }

    /// Its answer is the one to these lines: nothing was said or done since that the model did not hear.
    pub fn is_answered_by(&self, messages: &[ChatMessage]) -> bool {
        let (Some((_, _, _, so_far)), Some(words)) = (&self.heard, &self.words) else { return false };
        let words = if words.is_empty() { UNCLEAR } else { words };
        match messages.split_last() {
            Some((ChatMessage::User(line), before)) => {
                self.wanted.is_none() && line == words && before == so_far.messages
            }
            _ => false,
        }
    }

    /// The caller's audio is that item.
    pub fn is_about(&self, item_id: &str) -> bool {
        !self.is_by_stages() && self.item.as_deref() == Some(item_id)
    }

    /// The question was sent.
    pub fn asked(&mut self, now: Instant, patience: &Patience) {
        self.stage = Stage::UnderWay;
        self.wait(now, "answer", patience.answer);
        let unknown = self.heard.is_some() && self.words.is_none();
        self.transcript_due = unknown.then(|| now + patience.transcript);
    }

    /// The server made an item of the caller's audio.
    pub fn committed(&mut self, item_id: &str) {
        if self.is_under_way() && self.heard.is_some() {
            self.item.get_or_insert_with(|| item_id.to_owned());
        }
    }

    /// What the caller said, to be told to that hearing; `None` if it was told before.
    pub fn take_words(&mut self, text: &str) -> Option<HearingId> {
        self.transcript_due = None;
        if self.words.is_some() {
            return None;
        }
        self.words = Some(text.to_owned());
        self.heard.as_ref().map(|(hearing, ..)| *hearing)
    }

    /// More of its answer came.
    pub fn alive(&mut self, now: Instant, patience: &Patience) {
        if self.is_under_way() {
            self.wait(now, "more of the answer", patience.gap);
        }
    }

    /// All of its answer came.
    pub fn complete(&mut self) {
        self.stage = Stage::Done;
        self.answer.complete();
    }

    /// What was asked was lost, and nobody has heard of it: the same may be asked in another session, once.
    pub fn may_be_asked_again(&self) -> bool {
        self.is_wanted_here() && !self.begun && !self.asked_again
    }

    pub fn ask_again(&mut self, now: Instant, wait: Duration) {
        self.asked_again = true;
        self.stage = Stage::Waiting;
        self.item = None;
        self.answer = Answer::default();
        self.transcript_due = None;
        self.wait(now, "session", wait);
    }

    /// From here on it is the three stages': what they are to begin with, if anything is wanted now.
    pub fn hand_to_stages(&mut self) -> Option<SpeechCommand> {
        self.stage = Stage::ByStages;
        self.transcript_due = None;
        let unknown = self.heard.take().filter(|_| self.words.is_none());
        let transcribe = |(hearing, law, audio, _)| SpeechCommand::Transcribe { hearing, law, audio, so_far: None };
        self.wanted.take().or_else(|| unknown.map(transcribe))
    }

    /// When something is late.
    pub fn deadline(&self) -> Option<Instant> {
        let due = self.is_wanted_here().then_some(self.due);
        due.into_iter().chain(self.transcript_due).min()
    }

    pub fn is_late(&self, now: Instant) -> bool {
        self.is_wanted_here() && now >= self.due
    }

    /// What is waited for, and how long that wait is.
    pub fn waits_for(&self) -> (&'static str, Duration) {
        self.waits_for
    }

    pub fn transcript_is_late(&self, now: Instant) -> bool {
        self.transcript_due.is_some_and(|due| now >= due)
    }

    fn wait(&mut self, now: Instant, what: &'static str, wait: Duration) {
        self.due = now + wait;
        self.waits_for = (what, wait);
    }
}
