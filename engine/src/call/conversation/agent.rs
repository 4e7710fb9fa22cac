//! What the conversation does with what speech delivers: texts, sentences, audio, failures.
//! Who serves it, and how, is `speech`'s business.

use edge_protocol::{EndCause, EventKind, SpeechStage};

use super::{Conversation, Failing};
use crate::call::history::UNCLEAR;
use crate::call::outbox::{Cue, Outbox};
use crate::call::speech_link::{HearingId, SpeechEvent, UtteranceId};
use crate::call::turn::Turn;
use crate::clock::Moment;

/// Voiced audio below which a turn without words is taken for a noise and not answered.
const SHORTEST_SPEECH_MS: u32 = 300;

/// Fewer failures are no reason to end a call, however long nothing but those happened.
const FEWEST_FAILURES: u32 = 3;

impl Conversation {
    /// Something came back from speech. What belongs to a turn or utterance that is over is ignored.
    pub fn handle_speech(&mut self, now: Moment, event: SpeechEvent, out: &mut Outbox) {
        match event {
            SpeechEvent::Transcribed { hearing, text } => {
                if !self.attempt_transcribed(now, hearing, &text, out) {
                    self.transcribed(now, hearing, text, out);
                }
            }
            SpeechEvent::FirstToken { utterance } => {
                if let Some(turn) = self.turn_answered_by(utterance) {
                    turn.times.first_token.get_or_insert(now);
                }
            }
            SpeechEvent::Sentence { utterance, text } => self.speaker.add_sentence(utterance, text),
            SpeechEvent::Voice { utterance, audio } => {
                if self.speaker.add_voice(utterance, audio)
                    && let Some(turn) = self.turn_answered_by(utterance)
                {
                    turn.times.first_audio.get_or_insert(now);
                }
            }
            SpeechEvent::ToolsCalled { utterance, calls } => self.tools_called(now, utterance, calls, out),
            SpeechEvent::ToolFinished { run, outcome } => self.tool_finished(now, run, outcome, out),
            SpeechEvent::ToolsFound { server, tools } => self.toolbox.add(&server.name, tools),
            SpeechEvent::Used(used) => self.usage.add(used),
            SpeechEvent::Said { utterance } => self.handed_over(now, utterance, out),
            // What fails ahead of the turn's end is tried again after it, and told then.
            SpeechEvent::Failed { hearing, utterance, .. } if self.is_attempt(hearing, utterance) => {
                self.drop_attempt(out);
                self.listener.wait_as_usual();
            }
            SpeechEvent::Failed { hearing, utterance, stage, error } => {
                let current = self.turn.as_ref().is_some_and(|t| t.answer.is_none() && Some(t.hearing) == hearing)
                    || (self.speaker.is_busy() && Some(self.utterances) == utterance);
                if current {
                    self.speech_failed(now, stage, error, out);
                }
            }
        }
    }

    /// The caller's line of the current turn is known: say the answer that was prepared, or ask for one.
    pub(super) fn caller_line_known(&mut self, now: Moment, line: String, out: &mut Outbox) {
        let Some(turn) = self.turn.as_mut() else { return };
        turn.times.transcribed.get_or_insert(now);
        turn.text.clone_from(&line);
        let (id, prepared) = (turn.id, turn.answer);
        out.cue(|| Cue::CallerSaid(line.clone()));
        out.event(now, EventKind::TurnTranscribed { turn: id, text: line.clone() });
        if prepared.is_some() {
            self.speaker.go_on();
            return self.run_held(now, out);
        }
        let utterance = self.ask_for_answer(&line, out);
        if let Some(turn) = self.turn.as_mut() {
            turn.answer = Some(utterance);
        }
    }

    /// Speech failed: the caller hears so, rather than nothing, and the call goes on. It ends politely when speech does
    /// nothing but fail for too long.
    pub(super) fn speech_failed(&mut self, now: Moment, stage: SpeechStage, error: String, out: &mut Outbox) {
        let turn = self.turn.as_ref().map_or(0, |t| t.id);
        out.event(now, EventKind::SpeechFailed { turn, stage, error });
        let was_prompt = self.prompt.is_some();
        let may_be_noise = self.turn.as_ref().is_some_and(|turn| turn.text.is_empty() && !is_speech(turn));
        self.interrupt(now, out);
        // Who makes a noise while nobody can tell what it is need not hear the same again.
        let noise_again = may_be_noise && self.failing.is_some();
        let failing = self.failing.get_or_insert(Failing { since: now, times: 0 });
        failing.times += 1;
        let in_vain = failing.times >= FEWEST_FAILURES && now.since(failing.since) >= self.limits.give_up_after;
        if self.ending.is_some() {
            self.schedule_hang_up(now);
        } else if in_vain {
            self.end_politely(now, EndCause::SpeechFailed, false, out);
        } else if !(was_prompt || noise_again) {
            self.apologise(out);
        }
    }

    fn transcribed(&mut self, now: Moment, hearing: HearingId, text: String, out: &mut Outbox) {
        let asked = self.turn.as_ref().filter(|t| t.hearing == hearing && t.answer.is_none());
        let Some(turn) = asked else { return };
        if !text.is_empty() {
            self.caller_line_known(now, text, out);
        } else if is_speech(turn) {
            self.caller_line_known(now, UNCLEAR.to_owned(), out);
        } else {
            self.turn = None;
            self.quiet_since = now;
            // A noise at pick-up must not cost the caller the greeting.
            if self.history.is_empty() {
                self.begin(out);
            }
        }
    }

    pub(super) fn turn_answered_by(&mut self, utterance: UtteranceId) -> Option<&mut Turn> {
        let ahead = self.attempt.as_mut().map(|attempt| &mut attempt.turn);
        self.turn.as_mut().into_iter().chain(ahead).find(|t| t.answer == Some(utterance))
    }
}

/// It sounds like words, whether they can be made out or not.
fn is_speech(turn: &Turn) -> bool {
    turn.barged_in || turn.heard.as_ref().is_some_and(|heard| heard.voiced_ms >= SHORTEST_SPEECH_MS)
}
