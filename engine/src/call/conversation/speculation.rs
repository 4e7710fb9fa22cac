//! Working ahead: while the caller pauses, the transcript, the answer and its voice are asked for, and nothing is said.
//! When it is time is told by `call::speculation`; what becomes of a turn that did end is in `caller`.

use super::Conversation;
use crate::call::completeness::{self, Completeness};
use crate::call::listener::CallerTurn;
use crate::call::outbox::Outbox;
use crate::call::speech_link::{HearingId, SpeechCommand, UtteranceId};
use crate::call::turn::Turn;
use crate::clock::Moment;

/// A turn that may not be over yet. Nothing of it is an event, in the history, or heard.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The end of the speech it is about.
    covers: Moment,
    pub(super) turn: Turn,
    requests: u32,
}

impl Conversation {
    /// Begins, drops or goes on with an attempt, as the caller is silent or not.
    pub(super) fn speculate(&mut self, now: Moment, out: &mut Outbox) {
        if self.overlap.is_some() || !self.listener.is_collecting() {
            return;
        }
        let last_voiced = self.listener.last_voiced();
        if self.attempt.as_ref().is_some_and(|attempt| attempt.covers != last_voiced) {
            self.drop_attempt(out);
            self.listener.wait_as_usual();
        }
        match &self.attempt {
            None if self.speculation.is_due(now, last_voiced, self.listener.voiced_ms()) => {
                self.begin_attempt(now, out)
            }
            // An unfinished sentence is not answered, until it begins to look as if no more of it came.
            Some(attempt)
                if attempt.waits_for_more() && now.since(last_voiced) >= self.settings.endpointing.unknown =>
            {
                self.prepare_answer(out);
            }
            _ => {}
        }
    }

    /// A transcript came. True if it was the attempt's.
    pub(super) fn attempt_transcribed(
        &mut self,
        now: Moment,
        hearing: HearingId,
        text: &str,
        out: &mut Outbox,
    ) -> bool {
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.turn.hearing == hearing) else {
            return false;
        };
        if text.is_empty() {
            self.drop_attempt(out);
            return true;
        }
        attempt.turn.times.transcribed = Some(now);
        attempt.turn.text = text.to_owned();
        let expected = completeness::expected_after(self.history.last_of_agent());
        let so_far = completeness::judge(text, expected);
        self.listener.wait_for(self.settings.endpointing.wait(so_far));
        if so_far != Completeness::Unfinished {
            self.prepare_answer(out);
        }
        true
    }

    /// The turn the caller ended, if the attempt was about all of it: with what is known of it already.
    pub(super) fn take_attempt(&mut self, heard: &CallerTurn, out: &mut Outbox) -> Option<Turn> {
        if self.attempt.as_ref().is_some_and(|attempt| attempt.covers != heard.last_voiced) {
            self.drop_attempt(out);
        }
        self.speculation.turn_over();
        Some(self.attempt.take()?.turn)
    }

    /// The caller goes on, or something else is to be said.
    pub(super) fn drop_attempt(&mut self, out: &mut Outbox) {
        let Some(attempt) = self.attempt.take() else { return };
        self.speculation.in_vain(attempt.requests);
        out.speech(SpeechCommand::Cancel);
        if attempt.turn.answer.is_some() {
            self.speaker.stop();
        }
    }

    /// The attempt's answer is `utterance`, or its transcript is `hearing`.
    pub(super) fn is_attempt(&self, hearing: Option<HearingId>, utterance: Option<UtteranceId>) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| {
            Some(attempt.turn.hearing) == hearing || (utterance.is_some() && attempt.turn.answer == utterance)
        })
    }

    fn begin_attempt(&mut self, now: Moment, out: &mut Outbox) {
        let Some(heard) = self.listener.so_far() else { return };
        let covers = heard.last_voiced;
        self.speculation.begun(covers);
        let turn = self.ask_for_transcript(now, heard, out);
        self.attempt = Some(Attempt { covers, turn, requests: 1 });
    }

    fn prepare_answer(&mut self, out: &mut Outbox) {
        let Some(mut attempt) = self.attempt.take() else { return };
        attempt.turn.answer = Some(self.ask_for_answer(&attempt.turn.text, out));
        attempt.requests += 1;
        self.speaker.hold();
        self.attempt = Some(attempt);
    }
}

// === impl Attempt ===

impl Attempt {
    fn waits_for_more(&self) -> bool {
        !self.turn.text.is_empty() && self.turn.answer.is_none()
    }
}
