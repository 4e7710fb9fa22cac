//! A call as its events tell it: the summary that lists and dashboards show, and who said what.
//! In which order events come is `sequence`'s.

use edge_protocol::live::{CallStatus, CallSummary};
use edge_protocol::{CallEvent, Direction, EndCause, EventKind, TurnLatency};
use serde::{Deserialize, Serialize};

/// Most characters of [`CallSummary::last_text`].
const LAST_TEXT: usize = 200;

/// A call after some of its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallState {
    pub summary: CallSummary,
    /// `None` until admission or the call's first event tells it.
    pub profile_id: Option<String>,
    /// Of the turns completed, in order.
    pub latencies: Vec<TurnLatency>,
    /// Speech providers that failed a turn.
    pub speech_failures: u32,
}

/// A line of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptLine {
    /// Milliseconds since the call was accepted.
    pub at_ms: u64,
    pub speaker: Speaker,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Caller,
    Agent,
}

// === impl CallState ===

impl CallState {
    pub fn new(call_id: &str) -> Self {
        let summary = CallSummary {
            call_id: call_id.to_owned(),
            account_id: String::new(),
            status: CallStatus::Active,
            direction: Direction::Inbound,
            from: String::new(),
            to: String::new(),
            agent: String::new(),
            node: String::new(),
            codec: String::new(),
            started_at_ms: 0,
            duration_ms: 0,
            turns: 0,
            last_text: String::new(),
            latency: None,
            cause: None,
            quality: None,
            cost_microcredits: None,
            provider_microcredits: None,
            recorded: false,
        };
        Self { summary, profile_id: None, latencies: Vec::new(), speech_failures: 0 }
    }

    /// Whose call it is. Who was told first stays the owner.
    pub fn open(&mut self, account_id: &str, profile_id: Option<&str>, node: &str) {
        if self.summary.account_id.is_empty() {
            account_id.clone_into(&mut self.summary.account_id);
            self.profile_id = profile_id.map(str::to_owned);
        }
        if self.summary.node.is_empty() {
            node.clone_into(&mut self.summary.node);
        }
    }

    /// Takes in the next event.
    pub fn apply(&mut self, event: &CallEvent) {
        let summary = &mut self.summary;
        summary.started_at_ms = event.call_started_at_ms;
        if summary.status == CallStatus::Active {
            summary.duration_ms = summary.duration_ms.max(event.at_ms);
        }
        match &event.kind {
            EventKind::CallStarted { direction, from, to, codec, agent, node, account_id, profile_id, .. } => {
                summary.direction = *direction;
                from.clone_into(&mut summary.from);
                to.clone_into(&mut summary.to);
                codec.clone_into(&mut summary.codec);
                agent.clone_into(&mut summary.agent);
                node.clone_into(&mut summary.node);
                if let Some(account_id) = account_id {
                    self.open(account_id, profile_id.as_deref(), node);
                }
            }
            EventKind::PromptStarted { text } | EventKind::TurnTranscribed { text, .. } => self.heard(text),
            EventKind::TurnCompleted { heard_text, latency, .. } => {
                summary.turns += 1;
                self.latencies.push(*latency);
                summary.latency = median(&self.latencies);
                self.heard(heard_text);
            }
            EventKind::SpeechFailed { .. } => self.speech_failures += 1,
            EventKind::MediaChanged { codec, .. } => codec.clone_into(&mut summary.codec),
            EventKind::CallEnded { cause, duration_ms, turns, quality, usage, .. } => {
                summary.status = CallStatus::Ended;
                summary.cause = Some(*cause);
                summary.duration_ms = *duration_ms;
                summary.turns = *turns;
                summary.quality = Some(*quality);
                let costs = usage.iter().map(|used| used.cost_microcredits);
                summary.provider_microcredits = Some(costs.fold(0, i64::saturating_add));
            }
            EventKind::SpeechStarted { .. }
            | EventKind::AnswerStarted { .. }
            | EventKind::BargeIn { .. }
            | EventKind::Dtmf { .. }
            | EventKind::SsrcChanged { .. }
            | EventKind::MediaProblem { .. }
            | EventKind::Ringing { .. }
            | EventKind::Answered
            | EventKind::Bridged { .. }
            | EventKind::Unbridged { .. }
            | EventKind::TransferStarted { .. }
            | EventKind::TransferFailed { .. }
            | EventKind::InstructionsAdded { .. }
            | EventKind::ToolCalled { .. }
            | EventKind::ToolFinished { .. }
            | EventKind::RecordingReady { .. } => {}
        }
    }

    pub fn ended(&self) -> bool {
        self.summary.status == CallStatus::Ended
    }

    /// The account, if it is known.
    pub fn account_id(&self) -> Option<&str> {
        Some(self.summary.account_id.as_str()).filter(|account_id| !account_id.is_empty())
    }

    fn heard(&mut self, text: &str) {
        if !text.is_empty() {
            self.summary.last_text = text.chars().take(LAST_TEXT).collect();
        }
    }
}

/// Whether a call that ended so failed the caller.
pub fn is_failure(cause: EndCause) -> bool {
    match cause {
        EndCause::SpeechFailed | EndCause::SignallingFailed | EndCause::NodeCrashed | EndCause::NodeStopped => true,
        EndCause::CallerHungUp
        | EndCause::AgentHungUp
        | EndCause::CallerSilent
        | EndCause::MaxDuration
        | EndCause::RtpTimeout
        | EndCause::NoRtp
        | EndCause::HoldTimeout
        | EndCause::DtlsFailed
        | EndCause::EndedByEdge
        | EndCause::EndedByApi
        | EndCause::PeerHungUp
        | EndCause::Transferred
        | EndCause::Busy
        | EndCause::NoAnswer
        | EndCause::Rejected
        | EndCause::Unreachable
        | EndCause::Cancelled => false,
    }
}

/// Who said what, from a call's events in order.
pub fn transcript(events: &[CallEvent]) -> Vec<TranscriptLine> {
    let line = |event: &CallEvent| {
        let (speaker, text) = match &event.kind {
            EventKind::PromptStarted { text } => (Speaker::Agent, text),
            EventKind::TurnTranscribed { text, .. } => (Speaker::Caller, text),
            EventKind::TurnCompleted { heard_text, .. } => (Speaker::Agent, heard_text),
            _ => return None,
        };
        Some(TranscriptLine { at_ms: event.at_ms, speaker, text: text.clone() }).filter(|line| !line.text.is_empty())
    };
    events.iter().filter_map(line).collect()
}

/// Stage by stage; of an even number the lower of the two in the middle.
fn median(latencies: &[TurnLatency]) -> Option<TurnLatency> {
    let of = |stage: fn(&TurnLatency) -> u32| {
        let mut values: Vec<u32> = latencies.iter().map(stage).collect();
        values.sort_unstable();
        values.get(values.len().saturating_sub(1) / 2).copied()
    };
    Some(TurnLatency {
        endpointing_ms: of(|latency| latency.endpointing_ms)?,
        transcription_ms: of(|latency| latency.transcription_ms)?,
        first_token_ms: of(|latency| latency.first_token_ms)?,
        first_audio_ms: of(|latency| latency.first_audio_ms)?,
        playout_ms: of(|latency| latency.playout_ms)?,
        caller_heard_ms: of(|latency| latency.caller_heard_ms)?,
    })
}

#[cfg(test)]
mod tests;
