//! A conversation on the screen as it happens: who said what, and where the time of each answer went.
//! One line an event; coloured on a terminal only.

use std::io::{IsTerminal, Write};

use edge_protocol::{CallEvent, EventKind, TurnLatency};

/// Prints events of one call to standard output.
pub struct Live {
    colour: bool,
}

const CALLER: &str = "36";
const AGENT: &str = "32";
const NOTE: &str = "2";
const ALERT: &str = "33";

// === impl Live ===

impl Live {
    pub fn new() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    pub fn event(&self, event: &CallEvent) {
        let at = event.at_ms;
        match &event.kind {
            EventKind::CallStarted { agent, node, codec, .. } => {
                self.line(at, NOTE, "call", &format!("{} answered by {agent} on {node}, {codec}", event.call_id));
            }
            EventKind::PromptStarted { text } => self.line(at, AGENT, "agent", text),
            EventKind::TurnTranscribed { text, .. } if text.is_empty() => self.line(at, CALLER, "caller", "[unclear]"),
            EventKind::TurnTranscribed { text, .. } => self.line(at, CALLER, "caller", text),
            EventKind::TurnCompleted { agent_text, heard_text, interrupted, latency, .. } => {
                self.line(at, AGENT, "agent", agent_text);
                if *interrupted {
                    self.line(at, ALERT, "cut off", &format!("heard was: {heard_text}"));
                }
                self.line(at, NOTE, "", &split(latency));
            }
            EventKind::BargeIn { heard_ms } => {
                self.line(at, ALERT, "barge-in", &format!("the caller cut in {heard_ms} ms into the answer"));
            }
            EventKind::Dtmf { digit, duration_ms } => {
                self.line(at, CALLER, "key", &format!("{digit} ({duration_ms} ms)"));
            }
            EventKind::SpeechFailed { stage, error, .. } => {
                self.line(at, ALERT, "failed", &format!("{stage:?}: {error}"))
            }
            EventKind::MediaChanged { codec, on_hold } => {
                self.line(at, NOTE, "media", &format!("{codec}{}", if *on_hold { ", on hold" } else { "" }));
            }
            EventKind::MediaProblem { detail, .. } => self.line(at, ALERT, "media", detail),
            EventKind::SsrcChanged { ssrc } => self.line(at, NOTE, "media", &format!("new source {ssrc:08x}")),
            EventKind::CallEnded { cause, turns, quality, .. } => {
                self.line(at, NOTE, "call", &format!("ended: {cause:?} after {turns} turns, MOS {:.1}", quality.mos));
            }
            EventKind::RecordingReady { path, .. } => self.line(at, NOTE, "saved", path),
            EventKind::Ringing { code } => self.line(at, NOTE, "call", &format!("ringing ({code})")),
            EventKind::Answered => self.line(at, NOTE, "call", "answered"),
            EventKind::Bridged { with } => self.line(at, NOTE, "bridge", &format!("with call {with}")),
            EventKind::Unbridged { with } => self.line(at, NOTE, "bridge", &format!("with call {with} is over")),
            EventKind::TransferStarted { to, mode } => self.line(at, NOTE, "transfer", &format!("to {to} ({mode:?})")),
            EventKind::TransferFailed { to, sip, .. } => {
                self.line(at, ALERT, "transfer", &format!("to {to} failed: {} {}", sip.code, sip.reason));
            }
            EventKind::ToolCalled { tool, arguments, .. } => {
                self.line(at, NOTE, "tool", &format!("{tool} {arguments}"))
            }
            EventKind::ToolFinished { tool, result, failed, took_ms, .. } => {
                let colour = if *failed { ALERT } else { NOTE };
                self.line(at, colour, "tool", &format!("{tool}, {took_ms} ms: {result}"));
            }
            EventKind::InstructionsAdded { text } => self.line(at, NOTE, "told", text),
            EventKind::SpeechStarted { .. } | EventKind::AnswerStarted { .. } => {}
        }
    }

    fn line(&self, at_ms: u64, colour: &str, who: &str, text: &str) {
        let time = format!("{:>3}:{:04.1}", at_ms / 60_000, (at_ms % 60_000) as f64 / 1000.0);
        let mut out = std::io::stdout().lock();
        // A closed pipe is no reason to end a call.
        let _ = if self.colour {
            writeln!(out, "\x1b[2m{time}\x1b[0m  \x1b[{colour}m{who:<8}  {text}\x1b[0m")
        } else {
            writeln!(out, "{time}  {who:<8}  {text}")
        };
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the time went, in the order it was spent.
fn split(latency: &TurnLatency) -> String {
    let TurnLatency { endpointing_ms, transcription_ms, first_token_ms, first_audio_ms, playout_ms, caller_heard_ms } =
        latency;
    format!(
        "heard after {caller_heard_ms} ms: end of turn {endpointing_ms} + transcript {transcription_ms} + first token {first_token_ms} + first audio {first_audio_ms} + playout {playout_ms}"
    )
}
