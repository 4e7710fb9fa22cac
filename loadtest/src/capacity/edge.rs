//! What the edge is asked for by so many calls, and what Cloudflare charges for it: admission, events, recordings, jobs.
//! Audio does not pass there; what it would cost if it did is worked out for comparison only.

use serde::Serialize;

use super::assumptions::{Assumptions, SECONDS_PER_MONTH};
use super::prices::{
    D1_ROWS_WRITTEN, KV_READS, LOGS, MESSAGES_PER_REQUEST, Meter, OBJECT_DURATION, OBJECT_GB, OBJECT_REQUESTS,
    OBJECT_ROWS_READ, OBJECT_ROWS_WRITTEN, OBJECT_STORAGE, OPERATIONS_PER_MESSAGE, PLAN, QUEUE_OPERATIONS, R2_CLASS_A,
    R2_STORAGE, Storage, WORKER_CPU, WORKER_REQUESTS,
};

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EdgeLine {
    pub what: &'static str,
    /// A month.
    pub used: f64,
    pub unit: &'static str,
    pub dollars: f64,
}

/// Batches of events a node has under way (`engine/src/control/edge/delivery/window.rs`).
const LANES: f64 = 4.0;
/// Requests of a recording that fits in one part: begin, part, complete, and what R2 is asked for them.
const REQUESTS_PER_RECORDING: f64 = 3.0;
/// Objects asked for a call beside its events: the account at both ends, the node registry, the recording's arrival, and
/// the call's own alarms.
const OBJECT_REQUESTS_PER_CALL: f64 = 8.0;
/// An event is applied by its call's object, which tells the account's live feed.
const OBJECT_REQUESTS_PER_APPLY: f64 = 2.0;
/// An event's own row; with each apply the call's state.
const ROWS_PER_EVENT: f64 = 1.0;
const ROWS_PER_APPLY: f64 = 1.0;
/// What is noted for a call beside its events: effects planned and done, alarms, the account's hold, ledger and sums, the
/// node's counts; and what the database keeps, written twice, with its indexes.
const ROWS_PER_CALL: f64 = 24.0;
const D1_ROWS_PER_CALL: f64 = 6.0;
/// Read for each row that is written.
const ROWS_READ_PER_WRITTEN: f64 = 3.0;
/// kB of an event as it is stored, and of a log line.
const EVENT_KB: f64 = 0.4;
const LOG_KB: f64 = 1.0;
/// Heartbeats of a node, s.
const HEARTBEAT_S: f64 = 5.0;
/// Audio messages of a call a second that come in: the callers and the nodes.
const AUDIO_MESSAGES: f64 = 100.0;

/// The bill of the edge for `nodes` nodes.
pub fn lines(a: &Assumptions, nodes: f64) -> Vec<EdgeLine> {
    let calls = a.calls_per_month();
    let events = calls * a.events_of_a_call();
    let applies = events / a.events_together;
    let seconds = SECONDS_PER_MONTH * a.load_factor;
    // While batches are under way the next events wait, so that a busy node's batches are no more than this.
    let batches = events.min(nodes * LANES * 1000.0 / a.batch_ms * seconds);
    let recordings = calls * a.recorded;
    let requests = calls + batches + recordings * REQUESTS_PER_RECORDING;
    let heartbeats = nodes * SECONDS_PER_MONTH / HEARTBEAT_S / MESSAGES_PER_REQUEST;
    // Every signed request is looked for in a replay guard.
    let object_requests =
        applies * OBJECT_REQUESTS_PER_APPLY + calls * OBJECT_REQUESTS_PER_CALL + requests + heartbeats;
    let rows = events * ROWS_PER_EVENT + applies * ROWS_PER_APPLY + calls * ROWS_PER_CALL;
    let kept_share = a.retention_days / 30.0;
    let recorded_gb = recordings * a.call_s * a.recording_kbit_s / 8.0 / 1e6 * kept_share;
    let events_gb = events * EVENT_KB / 1e6 * kept_share;
    vec![
        EdgeLine { what: "Workers Paid plan", used: 1.0, unit: "plan", dollars: PLAN },
        metered(&WORKER_REQUESTS, requests),
        metered(&WORKER_CPU, requests * a.worker_ms + events * a.event_ms),
        metered(&OBJECT_REQUESTS, object_requests),
        metered(&OBJECT_DURATION, object_requests * a.object_ms / 1000.0 * OBJECT_GB),
        metered(&OBJECT_ROWS_WRITTEN, rows),
        metered(&OBJECT_ROWS_READ, rows * ROWS_READ_PER_WRITTEN),
        stored(&OBJECT_STORAGE, events_gb),
        metered(&D1_ROWS_WRITTEN, calls * D1_ROWS_PER_CALL),
        metered(&KV_READS, calls),
        metered(&QUEUE_OPERATIONS, calls * a.jobs * OPERATIONS_PER_MESSAGE),
        metered(&R2_CLASS_A, recordings * REQUESTS_PER_RECORDING),
        stored(&R2_STORAGE, recorded_gb),
        metered(&LOGS, (requests + object_requests) * a.logged * LOG_KB),
    ]
}

/// $ a month if every call's audio went through an object of its own, in messages of 20 ms.
pub fn audio_dollars(a: &Assumptions) -> f64 {
    let call_seconds = a.calls * SECONDS_PER_MONTH * a.load_factor;
    OBJECT_REQUESTS.dollars(call_seconds * AUDIO_MESSAGES / MESSAGES_PER_REQUEST)
        + OBJECT_DURATION.dollars(call_seconds * OBJECT_GB)
}

fn metered(meter: &Meter, used: f64) -> EdgeLine {
    EdgeLine { what: meter.what, used, unit: meter.unit, dollars: meter.dollars(used) }
}

fn stored(storage: &Storage, gb: f64) -> EdgeLine {
    EdgeLine { what: storage.what, used: gb, unit: "GB", dollars: storage.dollars(gb) }
}
