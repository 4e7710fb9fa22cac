//! What the conversation does when it is told to from outside: wait, go on, say or know something.
//! Who tells it, and why, is not known here.

use std::time::Duration;

use edge_protocol::EndCause;

use super::Conversation;
use crate::call::outbox::Outbox;
use crate::call::speech_link::SpeechCommand;
use crate::clock::Moment;

impl Conversation {
    /// The call was made and is answered now: its time begins.
    pub fn begin_late(&mut self, now: Moment, out: &mut Outbox) {
        self.started = now;
        self.resume(now);
        self.aside = Duration::ZERO;
        self.begin(out);
    }

    /// Falls silent and hears nothing until `resume`; what was said so far is kept.
    pub fn pause(&mut self, now: Moment, out: &mut Outbox) {
        self.be_quiet(now, out);
        self.listener.reset();
        if let Some(keys) = self.keys.take_pressed() {
            self.history.caller_said(&keys);
        }
        self.ending = None;
        self.paused.get_or_insert(now);
    }

    /// The caller is there again.
    pub fn resume(&mut self, now: Moment) {
        self.quiet_since = now;
        self.last_sound = now;
        self.silence_prompts_used = 0;
        if let Some(since) = self.paused.take() {
            self.aside += now.since(since);
        }
    }

    /// The next 20 ms of a caller who talks with somebody else, or waits: as long as it is paid for.
    pub fn tick_aside(&mut self, now: Moment, out: &mut Outbox) {
        if self.credits_are_used_up(now) {
            out.hang_up(EndCause::MaxDuration);
        }
    }

    /// Says a text in place of what is being said or prepared. Nobody is told of an ordered text that is replaced.
    pub fn say_now(&mut self, now: Moment, text: String, out: &mut Outbox) {
        self.ordered = None;
        self.be_quiet(now, out);
        self.say(text, out);
        self.ordered = Some(self.utterances);
    }

    /// Adds to what the agent knows; its next answer takes it into account.
    pub fn instruct(&mut self, text: &str) {
        self.history.instruct(text);
    }

    pub(super) fn be_quiet(&mut self, now: Moment, out: &mut Outbox) {
        if self.turn.is_some() || self.speaker.is_busy() {
            out.speech(SpeechCommand::Cancel);
        }
        self.interrupt(now, out);
    }
}
