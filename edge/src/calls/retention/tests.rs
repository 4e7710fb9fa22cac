//! Which calls are given up, and when.

use edge_protocol::live::CallStatus;

use super::*;

const NOW_MS: u64 = 1_800_000_000_000;

fn call(account_id: &str, status: CallStatus) -> CallState {
    let mut call = CallState::new("c1");
    account_id.clone_into(&mut call.summary.account_id);
    call.summary.status = status;
    call
}

#[test]
fn a_call_whose_end_never_comes_is_kept_thirty_days_after_its_last_event() {
    let live = call("acc_1", CallStatus::Active);
    assert_eq!(until_ms(&live, None, NOW_MS), Some(NOW_MS + SILENT_MS));
    // What was noted for a session that might never come is no limit for one that came.
    assert_eq!(until_ms(&live, Some(NOW_MS + 3_600_000), NOW_MS), Some(NOW_MS + SILENT_MS));
    assert_eq!(until_ms(&live, Some(NOW_MS + SILENT_MS), NOW_MS + 1000), None);
    let tomorrow_ms = NOW_MS + DAY_MS + 1;
    assert_eq!(until_ms(&live, Some(NOW_MS + SILENT_MS), tomorrow_ms), Some(tomorrow_ms + SILENT_MS));
}

#[test]
fn a_call_without_an_account_is_kept_thirty_days_one_with_an_account_as_that_says() {
    assert_eq!(until_ms(&call("", CallStatus::Ended), None, NOW_MS), Some(NOW_MS + SILENT_MS));
    assert_eq!(until_ms(&call("acc_1", CallStatus::Ended), None, NOW_MS), None);
}
