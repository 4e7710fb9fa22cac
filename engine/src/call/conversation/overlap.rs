//! Both speak: the agent is held at the caller's first sound, then yields, or goes on where it was.
//! What kind of sound it is, is weighed in `call::barge_in`.

use super::{CallerFrame, Conversation};
use crate::call::barge_in::{Overlap, Verdict};
use crate::call::listener::ONSET_OVER_AGENT;
use crate::call::outbox::Outbox;
use crate::clock::Moment;

/// So little left to be said is not taken up again: the caller's word is the answer to it.
const NOT_WORTH_GOING_ON_MS: usize = 600;

impl Conversation {
    /// The caller makes a sound while the agent speaks.
    pub(super) fn hold(&mut self, now: Moment) {
        self.speaker.hold();
        self.overlap = Some(Overlap::new(now, ONSET_OVER_AGENT));
    }

    pub(super) fn weigh_overlap(&mut self, now: Moment, caller: CallerFrame<'_>, out: &mut Outbox) {
        let Some(overlap) = self.overlap.as_mut() else { return };
        match overlap.push(now, caller.near, caller.pitched) {
            Verdict::Undecided => {}
            Verdict::Interruption => self.yield_to_caller(now, out),
            Verdict::InPassing => self.sound_is_over(now, out),
        }
    }

    /// The sound ended before it could be taken for an interruption.
    pub(super) fn sound_is_over(&mut self, now: Moment, out: &mut Outbox) {
        if self.speaker.remaining_ms().is_some_and(|ms| ms <= NOT_WORTH_GOING_ON_MS) {
            return self.yield_to_caller(now, out);
        }
        self.overlap = None;
        self.listener.reset();
        self.speaker.go_on();
    }

    fn yield_to_caller(&mut self, now: Moment, out: &mut Outbox) {
        self.overlap = None;
        self.speech_started(now, out);
    }
}
