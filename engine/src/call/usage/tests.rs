//! A call's use of providers is one sum for each provider and stage.
//! Nothing here runs outside tests.

use edge_protocol::UsageStage;

use super::*;

fn used(provider: &str, stage: UsageStage, characters: u64) -> ProviderUsage {
    let cost_microcredits = characters as i64 * 15;
    ProviderUsage { requests: 1, kept: 1, characters, cost_microcredits, ..ProviderUsage::none(provider, stage) }
}

#[test]
fn what_one_provider_did_at_one_stage_is_one_sum() {
    let mut usage = Usage::default();
    usage.add(used("main", UsageStage::Synthesis, 10));
    usage.add(used("other", UsageStage::Synthesis, 5));
    usage.add(used("main", UsageStage::Chat, 0));
    usage.add(used("main", UsageStage::Synthesis, 20));
    let sums: Vec<_> = usage.take().into_iter().map(|sum| (sum.requests, sum.kept, sum.cost_microcredits)).collect();
    assert_eq!(sums, [(2, 2, 450), (1, 1, 75), (1, 1, 0)]);
    assert!(usage.take().is_empty());
}

#[test]
fn a_line_costs_each_part_of_a_minute_and_nothing_where_it_has_no_price() {
    let cost = |answered_ms| of_line(answered_ms, 6000).map(|line| (line.audio_ms, line.cost_microcredits));
    assert_eq!(cost(60_000), Some((60_000, 6000)));
    assert_eq!(cost(1), Some((1, 1)));
    assert_eq!(of_line(60_000, 0), None);
}
