//! What the conversation does when the caller speaks, stops, or presses a key.
//! Recognising speech in a frame is the listener's and the voice detector's work.

use edge_protocol::EventKind;

use super::{CallerFrame, Conversation, Errand};
use crate::call::listener::{CallerTurn, HeardFrame, Noticed};
use crate::call::outbox::{Cue, Outbox};
use crate::call::speech_link::SpeechCommand;
use crate::call::turn::{Turn, TurnTimes};
use crate::clock::Moment;

impl Conversation {
    /// The caller pressed a key (RFC 4733).
    pub fn key_pressed(&mut self, now: Moment, key: char, duration_ms: u32, out: &mut Outbox) {
        out.event(now, EventKind::Dtmf { digit: key, duration_ms });
        if self.ending.is_some() && self.must_be_heard_out() {
            return;
        }
        if !self.must_be_heard_out() {
            self.caller_takes_the_floor(now, out);
            self.listener.reset();
        }
        self.keys.press(now, key);
    }

    pub(super) fn hear(&mut self, now: Moment, caller: CallerFrame<'_>, out: &mut Outbox) {
        let agent_speaks = self.speaker.is_audible();
        let CallerFrame { audio, voiced, delay, .. } = caller;
        match self.listener.push(now, HeardFrame { audio, voiced, delay, agent_speaks }) {
            Noticed::Nothing => self.weigh_overlap(now, caller, out),
            Noticed::SpeechStarted if self.must_be_heard_out() => self.listener.reset(),
            Noticed::SpeechStarted if agent_speaks => self.hold(now),
            Noticed::SpeechStarted => self.speech_started(now, out),
            Noticed::TurnEnded(_) if self.overlap.is_some() => self.sound_is_over(now, out),
            Noticed::TurnEnded(heard) => self.turn_ended(now, heard, out),
        }
        self.speculate(now, out);
    }

    /// Takes the keys as a turn once they are complete.
    pub(super) fn take_keys(&mut self, now: Moment, out: &mut Outbox) {
        if self.must_be_heard_out() {
            return;
        }
        let last = self.keys.last();
        let Some(line) = self.keys.take_entered(now) else { return };
        self.turns += 1;
        out.cue(|| Cue::Thinking);
        self.turn = Some(Turn {
            id: self.turns,
            hearing: 0,
            heard: None,
            text: String::new(),
            answer: None,
            barged_in: std::mem::take(&mut self.barged_in),
            in_history: false,
            errand: Errand::default(),
            times: TurnTimes::new(last, now),
        });
        self.caller_line_known(now, line, out);
    }

    pub(super) fn speech_started(&mut self, now: Moment, out: &mut Outbox) {
        // Keys and then speech are one turn: what was pressed goes before what is being said.
        if let Some(keys) = self.keys.take_pressed() {
            self.history.caller_said(&keys);
        }
        // The caller goes on before an answer was heard or anything done: what was said so far is part of the same turn.
        let unanswered = self.turn.as_ref().is_some_and(|t| !t.in_history);
        if unanswered && let Some(turn) = self.turn.take() {
            out.speech(SpeechCommand::Cancel);
            self.speaker.stop();
            match &turn.heard {
                Some(heard) => self.listener.prepend(heard),
                None => self.commit_caller_line(turn),
            }
        } else {
            self.caller_takes_the_floor(now, out);
        }
        out.event(now, EventKind::SpeechStarted { turn: self.turns + 1 });
    }

    fn turn_ended(&mut self, now: Moment, heard: CallerTurn, out: &mut Outbox) {
        self.turns += 1;
        out.cue(|| Cue::Thinking);
        let mut turn = match self.take_attempt(&heard, out) {
            Some(ahead) => ahead,
            None => self.ask_for_transcript(now, heard, out),
        };
        turn.id = self.turns;
        turn.times.ended = now;
        turn.barged_in = std::mem::take(&mut self.barged_in);
        let line = (!turn.text.is_empty()).then(|| turn.text.clone());
        self.turn = Some(turn);
        if let Some(line) = line {
            self.caller_line_known(now, line, out);
        }
    }

    /// Stops the agent, if it says or prepares anything, because the caller has something to say.
    fn caller_takes_the_floor(&mut self, now: Moment, out: &mut Outbox) {
        if self.speaker.is_busy() || self.turn.is_some() {
            out.speech(SpeechCommand::Cancel);
        }
        if self.speaker.is_audible() {
            self.barged_in = true;
            out.cue(|| Cue::Flush);
            out.event(now, EventKind::BargeIn { heard_ms: self.speaker.heard_ms() });
        }
        // A goodbye that is cut off is no goodbye: the caller still has something to say.
        self.ending = None;
        self.interrupt(now, out);
        self.silence_prompts_used = 0;
    }
}
