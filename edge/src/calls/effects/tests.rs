use super::{Effect, back_off_ms, of_end, of_recording};
use crate::calls::state::CallState;

#[test]
fn a_job_has_the_same_id_whenever_it_is_made() {
    let id = Effect::TellEnded.job_id("c1");
    assert_eq!(id, Effect::TellEnded.job_id("c1"));
    assert_ne!(id, Effect::TellEnded.job_id("c2"));
    assert_ne!(id, Effect::TellRecording.job_id("c1"));
    assert_eq!(id.len(), 24);
}

#[test]
fn tries_become_rarer_up_to_five_minutes() {
    let waits: Vec<u64> = [1, 2, 3, 9, 10, 1_000].map(back_off_ms).to_vec();
    assert_eq!(waits, [1_000, 2_000, 4_000, 256_000, 300_000, 300_000]);
}

#[test]
fn without_an_account_a_call_is_only_counted() {
    let mut call = CallState::new("c");
    assert_eq!(of_end(&call), [Effect::Count]);
    assert!(of_recording(&call).is_empty());
    call.open("acc_1", None, "node-1");
    assert!(of_end(&call).contains(&Effect::Settle));
    assert!(of_recording(&call).contains(&Effect::Transcribe));
}
