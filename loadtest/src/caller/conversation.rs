//! Follows a script in a call: wait for the agent to finish, say the next line, measure what comes back.
//! Judging what was understood is `script::judge`; this only listens to the line.

use std::time::Duration;

use serde::Serialize;

use super::call::{CallEnded, Caller, Said};
use crate::script::Line;
use crate::voice::Utterance;

/// How a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// An answer that has not begun by then is not coming.
    pub answer_within: Duration,
    /// An answer is not listened to for longer than this.
    pub answer_longest: Duration,
    /// Silence after which the agent has finished: longer than its pauses between sentences.
    pub quiet: Duration,
    /// Whether a key is answered by voice is up to the agent; this is how long it may think about it.
    pub key_answer_within: Duration,
    /// An interrupted agent that still speaks after this has not noticed.
    pub stop_within: Duration,
}

/// A script's line ready to be sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub line: Line,
    /// `None` for a line that only presses keys.
    pub utterance: Option<Utterance>,
}

/// What a line led to, as measured on the caller's side of the wire. All in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LineHeard {
    /// Last speech frame sent → first voiced frame back. `None` if nothing came, or the agent spoke already.
    pub latency_ms: Option<f64>,
    /// First frame of an interruption sent → last voiced frame of the interrupted answer.
    pub stopped_after_ms: Option<f64>,
    /// The agent said something after this line.
    pub answered: bool,
    /// The agent should have ended the call after this line and did not.
    pub stayed: bool,
}

pub struct Conversation<'a> {
    caller: &'a mut Caller,
    manners: Manners,
}

// === impl Manners ===

impl Default for Manners {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_secs(10),
            answer_longest: Duration::from_secs(60),
            quiet: Duration::from_millis(800),
            key_answer_within: Duration::from_secs(5),
            stop_within: Duration::from_secs(3),
        }
    }
}

// === impl Conversation ===

impl<'a> Conversation<'a> {
    pub fn new(caller: &'a mut Caller, manners: Manners) -> Self {
        Self { caller, manners }
    }

    /// Listens to the greeting to its end; `false` if there was none.
    pub async fn greeting(&mut self) -> Result<bool, CallEnded> {
        let began = self.caller.voice_starts(self.manners.answer_within).await?;
        self.caller.finishes(self.manners.quiet, self.manners.answer_longest).await?;
        Ok(began.is_some())
    }

    /// Says a line and listens to the answer: to its end, or until `cut_in` after it began, when the
    /// next line interrupts it.
    /// `heard` is filled in as it happens, so that it holds whatever was heard when the call is over or
    /// this is cancelled.
    pub async fn line(
        &mut self,
        line: &Prepared,
        cut_in: Option<Duration>,
        heard: &mut LineHeard,
    ) -> Result<(), CallEnded> {
        self.converse(line, cut_in, heard).await?;
        heard.stayed = line.line.agent_hangs_up;
        Ok(())
    }

    async fn converse(
        &mut self,
        line: &Prepared,
        cut_in: Option<Duration>,
        heard: &mut LineHeard,
    ) -> Result<(), CallEnded> {
        let mut patience = self.manners.answer_within;
        if let Some(utterance) = &line.utterance {
            let interrupting = self.caller.voice().speaking;
            let said = self.caller.say(utterance).await?;
            self.note_stop(interrupting, said, heard).await?;
            if let Some(began) = self.caller.voice_starts(patience).await? {
                heard.answered = true;
                if began > said.last_frame {
                    heard.latency_ms = Some(ms(began.since(said.last_frame)));
                }
            }
        }
        for digit in line.line.dtmf.chars() {
            self.caller.press(digit).await?;
            patience = self.manners.key_answer_within;
        }
        if line.utterance.is_none() {
            heard.answered = self.caller.voice_starts(patience).await?.is_some();
        }
        match cut_in {
            Some(after) if heard.answered => self.caller.listen(after).await?,
            _ => {
                self.caller.finishes(self.manners.quiet, self.manners.answer_longest).await?;
                if line.line.agent_hangs_up {
                    self.caller.listen(self.manners.answer_within).await?;
                }
            }
        }
        Ok(())
    }

    /// Measures how soon an interrupted agent fell silent, waiting for it if it has not yet.
    async fn note_stop(&mut self, interrupting: bool, said: Said, heard: &mut LineHeard) -> Result<(), CallEnded> {
        if !interrupting {
            return Ok(());
        }
        let voice = self.caller.voice();
        let goes_on = voice.speaking && voice.started.is_some_and(|started| started < said.first_frame);
        let stopped = if goes_on { self.caller.voice_stops(self.manners.stop_within).await? } else { voice.ended };
        heard.stopped_after_ms = stopped.map(|stopped| ms(stopped.since(said.first_frame)));
        Ok(())
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
