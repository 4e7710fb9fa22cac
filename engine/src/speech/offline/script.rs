//! The scripted agent: a conversation so far to its next line. Keeps nothing between requests.
//! What it can say is the agent file's; understanding a line is `meaning`.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::agent_file::{AgentFile, AgentFileError, DAY, Intent, Then};
use super::meaning::{Slots, understand};
use super::opening_hours::{Day, say_date, say_time, weekday_name};

/// What time it is; the real clock, or a test's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Answers a conversation from an agent file.
#[derive(Clone)]
pub struct ScriptedAgent {
    agent: Arc<AgentFile>,
    clock: Clock,
}

/// A line of the conversation, as far as a script cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Caller(String),
    Agent(String),
}

/// The agent's next line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub text: String,
    /// End the call once this was said.
    pub hang_up: bool,
}

/// What became of one of the caller's lines.
enum Turn<'a> {
    Asked { intent: &'a Intent, slots: Slots, times_before: usize },
    Message { times_before: usize },
    Unclear { in_a_row: usize, times_before: usize },
}

impl ScriptedAgent {
    pub fn new(agent: AgentFile) -> Self {
        Self { agent: Arc::new(agent), clock: Arc::new(Timestamp::now) }
    }

    pub fn load(path: &Path) -> Result<Self, AgentFileError> {
        AgentFile::load(path).map(Self::new)
    }

    /// The same agent, living by another clock.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub fn file(&self) -> &AgentFile {
        &self.agent
    }

    /// The next line after `lines`: the greeting if the caller has not said anything yet.
    pub fn reply(&self, lines: &[Line]) -> Reply {
        let now = (self.clock)().to_zoned(self.agent.zone.clone()).datetime();
        let turns = self.replay(lines);
        match turns.last() {
            None => Reply { text: self.agent.greeting.clone(), hang_up: false },
            Some(turn) => Reply { text: self.say(turn, &turns, lines, now), hang_up: turn.hangs_up() },
        }
    }

    /// What became of each of the caller's lines. The agent's own lines do not count: they may have been cut short.
    fn replay(&self, lines: &[Line]) -> Vec<Turn<'_>> {
        let mut turns = Vec::new();
        let mut asked = vec![0; self.agent.intents.len()];
        let (mut messages, mut unclear, mut in_a_row, mut taking_message) = (0, 0, 0, false);
        for line in lines {
            let Line::Caller(text) = line else { continue };
            if std::mem::take(&mut taking_message) {
                turns.push(Turn::Message { times_before: messages });
                messages += 1;
                in_a_row = 0;
                continue;
            }
            match understand(&self.agent, text) {
                Some((number, intent, slots)) => {
                    let times = asked.get_mut(number).map_or(0, |times| std::mem::replace(times, *times + 1));
                    turns.push(Turn::Asked { intent, slots, times_before: times });
                    taking_message = intent.then == Then::TakeMessage;
                    in_a_row = 0;
                }
                None => {
                    in_a_row += 1;
                    turns.push(Turn::Unclear { in_a_row, times_before: unclear });
                    unclear += 1;
                }
            }
        }
        turns
    }

    fn say(&self, turn: &Turn<'_>, turns: &[Turn<'_>], lines: &[Line], now: DateTime) -> String {
        let agent = &self.agent;
        match turn {
            Turn::Message { times_before } => in_turns(&agent.message_taken, *times_before),
            Turn::Unclear { in_a_row: 1, times_before } => in_turns(&agent.unclear, *times_before),
            Turn::Unclear { in_a_row, .. } => in_turns(&agent.still_unclear, in_a_row.saturating_sub(2)),
            Turn::Asked { intent, slots, times_before } => {
                let number = times_before % intent.replies.len().max(1);
                let Some(template) = intent.replies.get(number) else { return String::new() };
                template.render(|variable| match variable {
                    "last_reply" => self.last_reply(turns, lines, now),
                    variable => self.value(variable, slots, now),
                })
            }
        }
    }

    /// The last thing worth repeating: no question back, and no repetition.
    fn last_reply(&self, turns: &[Turn<'_>], lines: &[Line], now: DateTime) -> String {
        let worth_it = turns.iter().rev().find(|turn| !turn.repeats() && !matches!(turn, Turn::Unclear { .. }));
        let first_line = lines.iter().find_map(|line| match line {
            Line::Agent(text) => Some(text.clone()),
            Line::Caller(_) => None,
        });
        match worth_it {
            Some(turn) => self.say(turn, turns, lines, now),
            None => first_line.unwrap_or_else(|| self.agent.greeting.clone()),
        }
    }

    fn value(&self, variable: &str, slots: &Slots, now: DateTime) -> String {
        let hours = &self.agent.opening_hours;
        match variable {
            "time" => say_time(now.time()),
            "date" => say_date(now),
            "weekday" => weekday_name(now.weekday()),
            "year" => now.year().to_string(),
            "opening_hours" => {
                let day = slots.get(DAY).and_then(|words| Day::from_words(words)).unwrap_or(Day::Today);
                hours.sentence(day, now)
            }
            "opening_hours_today" => hours.sentence(Day::Today, now),
            "opening_hours_week" => hours.week(),
            "open_now" => hours.now(now),
            "name" => self.agent.name.clone(),
            other => slots.get(other).or_else(|| self.agent.facts.get(other)).cloned().unwrap_or_default(),
        }
    }
}

impl Turn<'_> {
    fn hangs_up(&self) -> bool {
        matches!(self, Self::Asked { intent, .. } if intent.then == Then::HangUp)
    }

    fn repeats(&self) -> bool {
        matches!(self, Self::Asked { intent, .. } if intent.replies.iter().any(|reply| reply.uses("last_reply")))
    }
}

fn in_turns(sentences: &[String], number: usize) -> String {
    let at = number % sentences.len().max(1);
    sentences.get(at).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
