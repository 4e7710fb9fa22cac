//! One call from dialling to the finished recording: the script is said, the node's events are followed.
//! The caller is `caller`, the verdicts are `script::judge`; this ties them together for `demo` and `ask`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge_protocol::{CallEvent, EventKind};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::caller::{CallEnded, Caller, Conversation, DialError, LineHeard, Manners, Phone, Prepared, Target};
use crate::node_events::{NodeEvents, OneCall};
use crate::report::TalkReport;
use crate::script::Script;
use crate::script::judge::{self, Entry};

/// After the call the node writes the recording; this is how long it may take.
const RECORDING_WITHIN: Duration = Duration::from_secs(15);

/// A talk to be held.
pub struct Plan {
    pub script: Script,
    /// The script's lines with their voice, in the same order.
    pub lines: Vec<Prepared>,
    pub target: Target,
    pub manners: Manners,
    /// Wait for the agent's greeting before the first line.
    pub greeting: bool,
}

#[derive(Debug, Error)]
pub enum TalkError {
    #[error("the call was not set up")]
    Dial(#[from] DialError),
    #[error("the media thread ended before the call")]
    NoMedia,
}

/// What is known of the call so far; written by the talk and by the follower of events.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Entry>>>);

/// Holds the talk. `on_event` is called for every event of this call, as it comes. Cancelling
/// `stop` hangs up at once; the report then tells of what was said until then.
pub async fn hold(
    phone: &Phone,
    plan: Plan,
    events: Option<NodeEvents>,
    on_event: impl FnMut(&CallEvent) + Send + 'static,
    stop: CancellationToken,
) -> Result<TalkReport, TalkError> {
    let mut caller = phone.dial(&plan.target).await?;
    let setup = caller.setup();
    let log = Log::default();
    let call = OneCall::new(caller.sip_call_id());
    let follower = events.map(|events| tokio::spawn(follow(events, call, log.clone(), on_event)));

    let mut heard = Vec::with_capacity(plan.lines.len());
    let ended = tokio::select! {
        ended = converse(&mut caller, &plan, &log, &mut heard) => ended.err(),
        () = stop.cancelled() => None,
    };
    let media = caller.hang_up().await.ok_or(TalkError::NoMedia)?;
    let watched = follower.is_some();
    if let Some(follower) = follower {
        // Without the last events the verdicts are made from what did come.
        let _ = tokio::time::timeout(RECORDING_WITHIN, follower).await;
    }
    let entries = log.take();
    Ok(TalkReport {
        verdicts: if watched { judge::judge(&plan.script, &entries) } else { Vec::new() },
        greeting_missed: if watched { judge::judge_greeting(&plan.script, &entries) } else { Vec::new() },
        recording: entries.iter().rev().find_map(recording),
        lines: plan.lines.iter().map(|line| line.line.title()).collect(),
        setup_ms: setup.as_secs_f64() * 1000.0,
        heard,
        ended: ended.map(|ended| ended.to_string()),
        media,
    })
}

async fn converse(caller: &mut Caller, plan: &Plan, log: &Log, heard: &mut Vec<LineHeard>) -> Result<(), CallEnded> {
    let mut conversation = Conversation::new(caller, plan.manners);
    if plan.greeting {
        conversation.greeting().await?;
    }
    for (number, line) in plan.lines.iter().enumerate() {
        log.push(Entry::Line(number));
        let cut_in = plan.lines.get(number + 1).and_then(|next| next.line.barge_in_after());
        let mut line_heard = LineHeard::default();
        let outcome = conversation.line(line, cut_in, &mut line_heard).await;
        // An agent may hang up where the script says so, and after the last answer.
        let last = number + 1 == plan.lines.len() && line_heard.answered;
        heard.push(line_heard);
        match outcome {
            Err(CallEnded::HungUp) if line.line.agent_hangs_up || last => return Ok(()),
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Keeps and shows the events of one call until its recording is there.
async fn follow(mut events: NodeEvents, mut call: OneCall, log: Log, mut on_event: impl FnMut(&CallEvent)) {
    while let Some(event) = events.next().await {
        if !call.owns(&event) {
            continue;
        }
        on_event(&event);
        let last = matches!(event.kind, EventKind::RecordingReady { .. });
        log.push(Entry::Event(Box::new(event)));
        if last {
            return;
        }
    }
}

fn recording(entry: &Entry) -> Option<String> {
    let Entry::Event(event) = entry else { return None };
    match &event.kind {
        EventKind::RecordingReady { path, .. } => Some(path.clone()),
        _ => None,
    }
}

// === impl Log ===

impl Log {
    fn push(&self, entry: Entry) {
        // A reader that panicked leaves the entries whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
