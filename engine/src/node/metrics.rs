//! The node in numbers, for Prometheus: what events say of calls and turns, and what shards count.
//! Names and labels are listed here and nowhere else; nothing is measured here.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use edge_protocol::{CallEvent, EventKind, ProviderUsage, TurnLatency};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use crate::control::AnsweredBy;
use crate::recorder::RecorderCounters;
use crate::recorder::archive::ArchiveHandle;
use crate::shard::{LATENESS_BOUNDS_US, ShardHandle};

/// Seconds; fine where people notice.
const LATENCY_BUCKETS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0];
const JITTER_BUCKETS: [f64; 8] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.2];
const MOS_BUCKETS: [f64; 8] = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.2, 4.4];

/// Makes the recorder all `metrics` macros write to.
///
/// # Errors
/// [`BuildError`] if the process has one already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("latency_seconds".to_owned()), &LATENCY_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full("tandem_rtp_jitter_seconds".to_owned()), &JITTER_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full("tandem_mos".to_owned()), &MOS_BUCKETS)?
        .install_recorder()?;
    counter!("tandem_turns_total").absolute(0);
    counter!("tandem_calls_started_total").absolute(0);
    Ok(handle)
}

/// Counts what an event says.
pub fn count(event: &CallEvent) {
    match &event.kind {
        EventKind::CallStarted { .. } => counter!("tandem_calls_started_total").increment(1),
        EventKind::BargeIn { .. } => counter!("tandem_barge_ins_total").increment(1),
        EventKind::Dtmf { .. } => counter!("tandem_dtmf_total").increment(1),
        EventKind::MediaProblem { problem, .. } => {
            counter!("tandem_media_problems_total", "problem" => label(problem)).increment(1);
        }
        EventKind::SpeechFailed { stage, .. } => {
            counter!("tandem_speech_failures_total", "stage" => label(stage)).increment(1);
        }
        EventKind::TurnCompleted { latency, .. } => turn(latency),
        EventKind::CallEnded { cause, duration_ms, quality, usage, .. } => {
            usage.iter().for_each(used);
            counter!("tandem_calls_total", "cause" => label(cause)).increment(1);
            counter!("tandem_call_seconds_total").increment(duration_ms / 1000);
            counter!("tandem_rtp_packets_received_total").increment(quality.packets_received);
            counter!("tandem_rtp_lost_packets_total").increment(quality.packets_lost);
            counter!("tandem_rtp_ignored_packets_total").increment(quality.packets_ignored);
            histogram!("tandem_rtp_jitter_seconds").record(f64::from(quality.jitter_ms) / 1000.0);
            histogram!("tandem_mos").record(f64::from(quality.mos));
        }
        _ => {}
    }
}

/// Counts a call that was not taken.
pub fn refused(reason: &'static str) {
    counter!("tandem_calls_refused_total", "reason" => reason).increment(1);
}

/// Counts an admission the edge was asked for: who answered, and how long that took.
pub fn admission(answered_by: AnsweredBy, took: Duration) {
    let answered_by = match answered_by {
        AnsweredBy::Edge => "edge",
        AnsweredBy::Memory => "memory",
        AnsweredBy::Nobody => "nobody",
    };
    counter!("tandem_admissions_total", "answered_by" => answered_by).increment(1);
    histogram!("tandem_admission_latency_seconds").record(took.as_secs_f64());
}

/// The whole page, in Prometheus' text format.
pub fn page(
    handle: &PrometheusHandle,
    shards: &[ShardHandle],
    recorder: &RecorderCounters,
    archive: Option<&ArchiveHandle>,
    active_calls: usize,
    events_waiting: u64,
) -> String {
    gauge!("tandem_events_waiting").set(events_waiting as f64);
    gauge!("tandem_calls_active").set(active_calls as f64);
    let dropped = recorder.dropped_by_shards.load(Relaxed) + recorder.dropped_by_disk.load(Relaxed);
    counter!("tandem_recording_blocks_written_total").absolute(recorder.written.load(Relaxed));
    counter!("tandem_recording_blocks_dropped_total").absolute(dropped);
    if let Some(archive) = archive {
        let counters = archive.counters();
        gauge!("tandem_recordings_waiting").set(archive.waiting() as f64);
        counter!("tandem_recordings_compressed_total").absolute(counters.compressed.load(Relaxed));
        counter!("tandem_recordings_uploaded_total").absolute(counters.uploaded.load(Relaxed));
        counter!("tandem_recordings_failed_total").absolute(counters.failed.load(Relaxed));
    }
    let mut page = handle.render();
    lateness(&mut page, shards);
    let totals = shards.iter().map(|s| s.stats()).fold([0; 4], |[received, sent, refused, strays], s| {
        [
            received + s.datagrams_received.load(Relaxed),
            sent + s.packets_sent.load(Relaxed),
            refused + s.packets_refused.load(Relaxed),
            strays + s.strays.load(Relaxed),
        ]
    });
    let names = ["datagrams_received", "packets_sent", "packets_refused", "strays"];
    for (name, total) in names.into_iter().zip(totals) {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "# TYPE tandem_rtp_{name}_total counter\ntandem_rtp_{name}_total {total}");
    }
    page
}

/// What a call used of one provider at one stage.
fn used(usage: &ProviderUsage) {
    let labels = [("provider", usage.provider.clone()), ("stage", label(&usage.stage))];
    counter!("tandem_speech_requests_total", &labels).increment(usage.requests.into());
    counter!("tandem_speech_kept_total", &labels).increment(usage.kept.into());
    counter!("tandem_speech_cost_microcredits_total", &labels).increment(usage.cost_microcredits.unsigned_abs());
}

fn turn(latency: &TurnLatency) {
    counter!("tandem_turns_total").increment(1);
    let stages = [
        ("endpointing", latency.endpointing_ms),
        ("transcription", latency.transcription_ms),
        ("first_token", latency.first_token_ms),
        ("first_audio", latency.first_audio_ms),
        ("playout", latency.playout_ms),
        ("caller_heard", latency.caller_heard_ms),
    ];
    for (stage, ms) in stages {
        histogram!("tandem_turn_latency_seconds", "stage" => stage).record(f64::from(ms) / 1000.0);
    }
}

/// The shards' own histogram: they count without locks, so it is put together here.
fn lateness(page: &mut String, shards: &[ShardHandle]) {
    let name = "tandem_tick_lateness_seconds";
    let _ = writeln!(page, "# TYPE {name} histogram");
    let mut total = 0;
    for bucket in 0..=LATENESS_BOUNDS_US.len() {
        total += shards.iter().filter_map(|s| s.stats().lateness.get(bucket)).map(|c| c.load(Relaxed)).sum::<u64>();
        let bound = LATENESS_BOUNDS_US.get(bucket).map_or("+Inf".to_owned(), |us| (*us as f64 / 1e6).to_string());
        let _ = writeln!(page, "{name}_bucket{{le=\"{bound}\"}} {total}");
    }
    let sum: u64 = shards.iter().map(|s| s.stats().lateness_sum_us.load(Relaxed)).sum();
    let _ = writeln!(page, "{name}_sum {}\n{name}_count {total}", sum as f64 / 1e6);
}

/// A unit variant's name on the wire, as a label.
fn label(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
