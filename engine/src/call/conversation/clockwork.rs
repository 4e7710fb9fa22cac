//! What the conversation does because time passed: silence prompts, the longest call, the end.
//! All deadlines are checked once a tick; none has a timer of its own.

use std::time::Duration;

use edge_protocol::{EndCause, SpeechStage};

use super::{Conversation, Ending, Interruptible};
use crate::call::outbox::Outbox;
use crate::call::speech_link::SpeechCommand;
use crate::call::turn::Turn;
use crate::clock::Moment;

/// Time between the last word and what ends the call, a hang-up or a handover, so that the last word is not cut off on its way.
pub const LAST_WORD: Duration = Duration::from_millis(400);

/// Longest goodbye; then the call ends in mid-word.
const LONGEST_GOODBYE: Duration = Duration::from_secs(15);

/// Longest wait for a fixed text, or for more of it, should speech never report.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Conversation {
    pub(super) fn keep_time(&mut self, now: Moment, out: &mut Outbox) {
        if self.keep_end(now, out) {
            return;
        }
        self.take_keys(now, out);
        self.wait_for_tools(now, out);
        self.give_up_thinking(now, out);
        self.give_up_speaking(now, out);
        self.prompt_into_silence(now, out);
    }

    /// The part that also counts on hold. True when the call is about to end.
    pub(super) fn keep_end(&mut self, now: Moment, out: &mut Outbox) -> bool {
        if self.ending.is_some() {
            self.finish(now, out);
        } else if self.time_is_up(now) {
            self.caller_is_cut_off(now, out);
        }
        self.ending.is_some()
    }

    fn time_is_up(&self, now: Moment) -> bool {
        let with_agent = now.since(self.started).saturating_sub(self.aside);
        with_agent >= self.settings.max_call || self.credits_are_used_up(now)
    }

    pub(super) fn credits_are_used_up(&self, now: Moment) -> bool {
        self.settings.paid_for.is_some_and(|longest| now.since(self.started) >= longest)
    }

    /// Says goodbye (unless `said` already) and hangs up after it.
    pub(super) fn end_politely(&mut self, now: Moment, cause: EndCause, said: bool, out: &mut Outbox) {
        self.ending = Some(Ending { cause, latest: now + LONGEST_GOODBYE, hang_up_at: None });
        if !said && !self.settings.goodbye.is_empty() {
            self.say(self.settings.goodbye.clone(), out);
        }
        self.schedule_hang_up(now);
    }

    /// Sets the hang-up once nothing is left to be said.
    pub(super) fn schedule_hang_up(&mut self, now: Moment) {
        if self.speaker.is_busy() {
            return;
        }
        if let Some(ending) = self.ending.as_mut() {
            ending.hang_up_at.get_or_insert(now + LAST_WORD + self.speaker.unplayed());
        }
    }

    /// The agent's last words may not be interrupted when the caller's time is up, nor what its settings say.
    pub(super) fn must_be_heard_out(&self) -> bool {
        let speaks = self.speaker.is_busy();
        let protected = match self.settings.interruptible {
            Interruptible::Always => false,
            Interruptible::AfterGreeting => speaks && self.greeting,
            Interruptible::Never => speaks && (self.prompt.is_some() || self.speaker.is_audible()),
        };
        protected || self.ending.is_some_and(|e| e.cause == EndCause::MaxDuration || e.hang_up_at.is_some())
    }

    fn finish(&mut self, now: Moment, out: &mut Outbox) {
        let Some(ending) = self.ending else { return };
        if ending.hang_up_at.is_some_and(|at| now >= at) || now >= ending.latest {
            out.hang_up(ending.cause);
        }
    }

    fn caller_is_cut_off(&mut self, now: Moment, out: &mut Outbox) {
        out.speech(SpeechCommand::Cancel);
        self.interrupt(now, out);
        self.listener.reset();
        self.end_politely(now, EndCause::MaxDuration, false, out);
    }

    /// An answer that is too long in coming is not waited for: each stage may be in its time, and all together are not.
    fn give_up_thinking(&mut self, now: Moment, out: &mut Outbox) {
        let waiting = self.turn.as_ref().filter(|t| t.times.first_packet.is_none() && !t.errand.waits());
        let Some(turn) = waiting.filter(|turn| !self.voice_waits && now >= self.answer_due(turn)) else { return };
        let stage = match turn.times.first_token {
            _ if turn.answer.is_none() => SpeechStage::Transcription,
            Some(_) if turn.errand.answered().is_none() => SpeechStage::Synthesis,
            _ => SpeechStage::Chat,
        };
        out.speech(SpeechCommand::Cancel);
        let error = format!("nothing of an answer within {} ms", self.limits.answer_within.as_millis());
        self.speech_failed(now, stage, error, out);
    }

    /// When the caller has waited long enough for an answer.
    fn answer_due(&self, turn: &Turn) -> Moment {
        let (within, times) = (self.limits.answer_within, &turn.times);
        match turn.errand.answered() {
            Some(answered) => answered + within,
            // Keys are worked on from the turn's end, speech while the caller pauses.
            None if turn.heard.is_none() => times.ended + within,
            None => (times.last_voiced + within).max(times.ended + within / 2),
        }
    }

    /// What was begun to be said and is not heard any more will not be heard: speech has lost it.
    fn give_up_speaking(&mut self, now: Moment, out: &mut Outbox) {
        let begun = self.speaker.is_audible() || self.prompt.is_some();
        let longest = if self.prompt.is_some() { LONGEST_PAUSE } else { self.limits.answer_within };
        if !begun || now.since(self.last_sound) < longest {
            return;
        }
        out.speech(SpeechCommand::Cancel);
        let error = format!("nothing more to say came for {} ms", longest.as_millis());
        self.speech_failed(now, SpeechStage::Synthesis, error, out);
    }

    fn prompt_into_silence(&mut self, now: Moment, out: &mut Outbox) {
        let busy = self.speaker.is_busy() || self.turn.is_some() || self.listener.is_collecting();
        if busy || self.keys.is_pending() {
            self.quiet_since = now;
            return;
        }
        if now.since(self.quiet_since) < self.settings.silence_after {
            return;
        }
        match self.settings.silence_prompts.get(self.silence_prompts_used) {
            Some(prompt) => {
                self.silence_prompts_used += 1;
                self.say(prompt.clone(), out);
            }
            None => self.end_politely(now, EndCause::CallerSilent, false, out),
        }
    }
}
