//! One call of the set: what is said, when the agent was heard, and what that comes to.
//! What is said is `items`; nothing is asked of the agent's side, so any agent can be called.

use std::time::Duration;

use engine::clock::Moment;
use tokio::time::Instant;

use super::Failed;
use super::items::{Item, Kind};
use crate::caller::media::{Event, LegReport};
use crate::caller::{CallEnded, Caller, Phone, Said, Target};
use crate::voice::Utterance;

/// A greeting is over when there was silence for so long; and so is an answer.
const QUIET: Duration = Duration::from_millis(1000);
const LONGEST_GREETING: Duration = Duration::from_secs(15);
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// An answer that has not begun by then is not coming.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Silence of a voice that was stopped.
const STOPPED: Duration = Duration::from_millis(500);

/// A voice that is held goes on within this.
const GOES_ON_WITHIN: Duration = Duration::from_millis(1000);

/// So much less of an answer is still all of it.
const WHOLE_ANSWER: Duration = Duration::from_millis(600);

/// A frame.
const FRAME: Duration = Duration::from_millis(20);

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// Last frame of speech to first voiced frame of the answer.
    Answered {
        after: Duration,
    },
    /// The answer began before the end of what was said.
    AnsweredInside {
        pause: Duration,
    },
    /// A pause was waited out, and all of it was answered.
    WaitedOut {
        pause: Duration,
        after: Duration,
    },
    Unanswered,
    /// From the first frame of the interruption to silence; `None`: the agent went on.
    CutIn {
        stopped_after: Option<Duration>,
    },
    /// Something that is no interruption.
    InPassing {
        /// The agent did not say its answer to the end, or said another one.
        ended: bool,
        /// It was heard within a second of it.
        went_on: bool,
    },
    /// The agent did not speak any more when it was to be interrupted.
    TooShort,
}

/// A call, and when the agent was heard in it.
pub struct Scene {
    caller: Caller,
    heard: Vec<Stretch>,
}

/// A stretch of the agent's speech.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    began: Moment,
    /// Its last voiced frame; `None` while it goes on.
    last: Option<Moment>,
}

// === impl Scene ===

impl Scene {
    /// Calls, and waits until the agent has greeted, if it does.
    pub async fn begin(phone: &Phone, target: &Target) -> Result<Self, Failed> {
        let caller = phone.dial(target).await?;
        let mut scene = Self { caller, heard: Vec::new() };
        scene.until_quiet(LONGEST_GREETING).await?;
        Ok(scene)
    }

    pub async fn hang_up(self) -> Option<LegReport> {
        self.caller.hang_up().await
    }

    /// Asks, and says how long the answer is; `None` if there is none.
    pub async fn whole_answer(&mut self, question: &Utterance) -> Result<Option<Duration>, CallEnded> {
        let said = self.say(question).await?;
        let Some(began) = self.answer(said.last_frame).await? else { return Ok(None) };
        self.until_quiet(LONGEST_ANSWER).await?;
        Ok(Some(self.spoken_since(began)))
    }

    pub async fn play(&mut self, item: &Item) -> Result<Outcome, CallEnded> {
        let said = self.say(&item.question).await?;
        let Some(then) = &item.then else { return self.how_soon(said).await };
        if item.kind == Kind::Pauses {
            self.listen(item.after).await?;
            if self.heard.last().is_some_and(|stretch| stretch.began > said.first_frame) {
                return Ok(Outcome::AnsweredInside { pause: item.after });
            }
            let rest = self.say(then).await?;
            return Ok(match self.how_soon(rest).await? {
                Outcome::Answered { after } => Outcome::WaitedOut { pause: item.after, after },
                other => other,
            });
        }
        let Some(began) = self.answer(said.last_frame).await? else { return Ok(Outcome::Unanswered) };
        self.listen(item.after).await?;
        if !self.speaks() {
            return Ok(Outcome::TooShort);
        }
        let over = self.say(then).await?;
        if item.kind == Kind::CutIns {
            self.listen(STOPPED).await?;
            return Ok(Outcome::CutIn { stopped_after: self.stopped_after(over.first_frame, over.last_frame) });
        }
        self.listen(GOES_ON_WITHIN).await?;
        let went_on = self.heard.last().is_some_and(|s| s.last.is_none_or(|last| last > over.last_frame));
        self.until_quiet(LONGEST_ANSWER).await?;
        let ended = !is_one_answer(self.spoken_since(began), item.reply, item.after);
        Ok(Outcome::InPassing { ended, went_on })
    }

    /// How soon what was said was answered.
    async fn how_soon(&mut self, said: Said) -> Result<Outcome, CallEnded> {
        let inside = |s: &&Stretch| s.began > said.first_frame && s.began <= said.last_frame;
        if self.heard.iter().find(inside).is_some() {
            return Ok(Outcome::AnsweredInside { pause: Duration::ZERO });
        }
        let answer = self.answer(said.last_frame).await?;
        Ok(answer.map_or(Outcome::Unanswered, |began| Outcome::Answered { after: began.since(said.last_frame) }))
    }

    /// When the agent began to speak after this.
    async fn answer(&mut self, after: Moment) -> Result<Option<Moment>, CallEnded> {
        let until = Instant::now() + ANSWER_WITHIN;
        loop {
            if let Some(stretch) = self.heard.last().filter(|stretch| stretch.began > after) {
                return Ok(Some(stretch.began));
            }
            if self.next(until).await?.is_none() {
                return Ok(None);
            }
        }
    }

    async fn say(&mut self, utterance: &Utterance) -> Result<Said, CallEnded> {
        let heard = &mut self.heard;
        self.caller.say_noticing(utterance, |event| note(heard, event)).await
    }

    async fn listen(&mut self, time: Duration) -> Result<(), CallEnded> {
        let until = Instant::now() + time;
        while self.next(until).await?.is_some() {}
        Ok(())
    }

    /// Listens until the agent is silent.
    async fn until_quiet(&mut self, within: Duration) -> Result<(), CallEnded> {
        let latest = Instant::now() + within;
        while Instant::now() < latest {
            let until = if self.speaks() { latest } else { Instant::now() + QUIET };
            if self.next(until).await?.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn next(&mut self, until: Instant) -> Result<Option<Event>, CallEnded> {
        let event = self.caller.next(until).await?;
        if let Some(event) = event {
            note(&mut self.heard, event);
        }
        Ok(event)
    }

    fn speaks(&self) -> bool {
        self.heard.last().is_some_and(|stretch| stretch.last.is_none())
    }

    /// How much was said from `began` on.
    fn spoken_since(&self, began: Moment) -> Duration {
        let stretches = self.heard.iter().filter(|stretch| stretch.began >= began);
        stretches.filter_map(|stretch| Some(stretch.last?.since(stretch.began) + FRAME)).sum()
    }

    /// From `onset` to the last voiced frame before [`STOPPED`] of silence; `None` if there is no such silence until shortly
    /// after `over`.
    fn stopped_after(&self, onset: Moment, over: Moment) -> Option<Duration> {
        stopped_after(&self.heard, onset, over)
    }
}

/// Whether so much speech is the answer of `reply`, into which something was said after `before`, and not a part of it, nor a
/// part of it and then another answer. A voice that was held, perhaps several times, says some of it again.
fn is_one_answer(spoken: Duration, reply: Duration, before: Duration) -> bool {
    spoken + WHOLE_ANSWER >= reply && spoken < reply + before * 4 / 5
}

/// When the agent is heard is what counts of all that happens.
fn note(heard: &mut Vec<Stretch>, event: Event) {
    match event {
        Event::VoiceStarted { at } => heard.push(Stretch { began: at, last: None }),
        Event::VoiceEnded { last } => {
            if let Some(stretch) = heard.last_mut() {
                stretch.last = Some(last);
            }
        }
        _ => {}
    }
}

fn stopped_after(heard: &[Stretch], onset: Moment, over: Moment) -> Option<Duration> {
    let mut silent_since = onset;
    for stretch in heard.iter().filter(|stretch| stretch.last.is_none_or(|last| last > onset)) {
        if stretch.began.since(silent_since) >= STOPPED {
            break;
        }
        silent_since = stretch.last?;
    }
    let after = silent_since.since(onset) + FRAME;
    (silent_since < over + STOPPED).then_some(after)
}

#[cfg(test)]
mod tests;
