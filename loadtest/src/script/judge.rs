//! Was it understood? A script's lines against the node's events, line by line.
//! Pure: events in the order they came, with marks where each line began; no network.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use edge_protocol::{CallEvent, EventKind, TurnLatency};
use serde::Serialize;

use super::{Line, Phrase, Script};

/// What is known about one call, in the order it became known.
#[derive(Debug, Clone)]
pub enum Entry {
    /// The caller begins line `n` (from 0).
    Line(usize),
    Event(Box<CallEvent>),
}

/// What became of one line.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Verdict {
    pub line: String,
    pub transcript: String,
    pub reply: String,
    /// As reported by the node, of the line's last turn.
    pub latency: Option<TurnLatency>,
    pub understood: bool,
    /// What was missed, as plain sentences.
    pub missed: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    transcript: Vec<String>,
    reply: Vec<String>,
    latency: Option<TurnLatency>,
    barge_in: bool,
    keys: String,
}

/// One verdict for each line of the script.
pub fn judge(script: &Script, entries: &[Entry]) -> Vec<Verdict> {
    let (_, seen) = collect(script.lines.len(), entries);
    script.lines.iter().zip(seen).map(|(line, seen)| verdict(line, seen)).collect()
}

/// What the greeting lacks of what the script expects.
pub fn judge_greeting(script: &Script, entries: &[Entry]) -> Vec<String> {
    let (greeting, _) = collect(script.lines.len(), entries);
    lacking(&script.expect_greeting, &greeting, "the greeting")
}

/// Sorts events to lines: a turn belongs to the line during which it was first heard of.
fn collect(lines: usize, entries: &[Entry]) -> (String, Vec<Seen>) {
    let mut seen = vec![Seen::default(); lines];
    let mut owner: HashMap<u32, usize> = HashMap::new();
    let mut greeting = Vec::new();
    let mut current = None;
    for entry in entries {
        let event = match entry {
            Entry::Line(line) => {
                current = Some(*line);
                continue;
            }
            Entry::Event(event) => &event.kind,
        };
        if let (Some(turn), Some(line)) = (turn_of(event), current) {
            owner.entry(turn).or_insert(line);
        }
        let line = turn_of(event).and_then(|turn| owner.get(&turn).copied()).or(current);
        let Some(seen) = line.and_then(|line| seen.get_mut(line)) else {
            if let EventKind::PromptStarted { text } = event {
                greeting.push(text.clone());
            }
            continue;
        };
        match event {
            EventKind::TurnTranscribed { text, .. } => seen.transcript.push(text.clone()),
            EventKind::TurnCompleted { agent_text, latency, .. } => {
                seen.reply.push(agent_text.clone());
                seen.latency = Some(*latency);
            }
            EventKind::PromptStarted { text } => seen.reply.push(text.clone()),
            EventKind::BargeIn { .. } => seen.barge_in = true,
            EventKind::Dtmf { digit, .. } => seen.keys.push(*digit),
            _ => {}
        }
    }
    (greeting.join(" "), seen)
}

fn turn_of(event: &EventKind) -> Option<u32> {
    match event {
        EventKind::SpeechStarted { turn }
        | EventKind::TurnTranscribed { turn, .. }
        | EventKind::AnswerStarted { turn }
        | EventKind::TurnCompleted { turn, .. }
        | EventKind::SpeechFailed { turn, .. } => Some(*turn),
        _ => None,
    }
}

fn verdict(line: &Line, seen: Seen) -> Verdict {
    let speaks = line.say.is_some() || line.wav.is_some();
    let (transcript, reply) = (seen.transcript.join(" "), seen.reply.join(" "));
    let mut missed = Vec::new();
    if speaks && seen.transcript.is_empty() {
        missed.push("the node heard no turn".to_owned());
    } else {
        missed.extend(lacking(&line.expect_transcript, &transcript, "the transcript"));
    }
    missed.extend(lacking(&line.expect_reply, &reply, "the reply"));
    if line.barge_in_after_ms.is_some() && !seen.barge_in {
        missed.push("the agent did not notice being interrupted".to_owned());
    }
    if !seen.keys.contains(&line.dtmf) {
        missed.push(format!("key {} was pressed, the node saw {:?}", line.dtmf, seen.keys));
    }
    Verdict { line: line.title(), transcript, reply, latency: seen.latency, understood: missed.is_empty(), missed }
}

fn lacking(phrases: &[Phrase], text: &str, what: &str) -> Vec<String> {
    let missing = phrases.iter().filter(|phrase| !phrase.is_in(text));
    missing.map(|phrase| format!("{what} has no {:?}: {text:?}", phrase.written())).collect()
}
