use proptest::prelude::*;

use super::{EndedCall, VersionStats};

fn call(failed: bool, mos: f32, caller_heard_ms: Vec<u32>) -> EndedCall {
    EndedCall {
        call_id: "c".into(),
        node: "n".into(),
        started_at_ms: 0,
        duration_ms: 10_000,
        failed,
        mos,
        caller_heard_ms,
    }
}

#[test]
fn calls_add_up() {
    let mut stats = VersionStats::default();
    stats.add(&call(false, 4.0, vec![500, 700]));
    stats.add(&call(true, 0.0, vec![]));
    assert_eq!((stats.calls, stats.errors, stats.turns), (2, 1, 2));
    assert_eq!((stats.error_rate(), stats.mean_duration_ms(), stats.mean_latency_ms()), (0.5, 10_000.0, 600.0));
    assert_eq!(stats.mos(), Some(4.0));
}

#[test]
fn nothing_counted_is_nothing_known() {
    let stats = VersionStats::default();
    assert_eq!((stats.error_rate(), stats.mos(), stats.latency_percentile_ms(0.5)), (0.0, None, None));
}

proptest! {
    #[test]
    fn percentiles_are_right_to_three_percent(
        mut latencies in prop::collection::vec(20u32..60_000, 1..200),
        share in 0.01f64..=1.0,
    ) {
        let mut stats = VersionStats::default();
        stats.add(&call(false, 0.0, latencies.clone()));
        latencies.sort_unstable();
        let rank = ((latencies.len() as f64 * share).ceil() as usize).max(1) - 1;
        let exact = f64::from(latencies[rank]);
        let told = f64::from(stats.latency_percentile_ms(share).unwrap_or(0));
        prop_assert!((told - exact).abs() <= exact * 0.03 + 1.0, "{} for {}", told, exact);
    }
}
