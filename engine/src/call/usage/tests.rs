//! A call's use of providers is one sum for each provider and stage.
//! Nothing here runs outside tests.

use edge_protocol::SpeechStage;

use super::*;

fn used(provider: &str, stage: SpeechStage, characters: u64) -> ProviderUsage {
    ProviderUsage {
        provider: provider.to_owned(),
        stage,
        requests: 1,
        kept: 1,
        audio_ms: 0,
        input_tokens: 0,
        cached_tokens: 0,
        output_tokens: 0,
        characters,
        cost_microcredits: characters as i64 * 15,
    }
}

#[test]
fn what_one_provider_did_at_one_stage_is_one_sum() {
    let mut usage = Usage::default();
    usage.add(used("main", SpeechStage::Synthesis, 10));
    usage.add(used("other", SpeechStage::Synthesis, 5));
    usage.add(used("main", SpeechStage::Chat, 0));
    usage.add(used("main", SpeechStage::Synthesis, 20));
    let sums: Vec<_> = usage.take().into_iter().map(|sum| (sum.requests, sum.kept, sum.cost_microcredits)).collect();
    assert_eq!(sums, [(2, 2, 450), (1, 1, 75), (1, 1, 0)]);
    assert!(usage.take().is_empty());
}
