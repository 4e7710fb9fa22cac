//! A call's margin from its summary.

use super::*;
use crate::calls::state::CallState;

fn margin(charged: Option<i64>, cost: Option<i64>) -> Option<i64> {
    let mut call = CallState::new("c").summary;
    (call.cost_microcredits, call.provider_microcredits) = (charged, cost);
    Margin::from(call).margin_microcredits
}

#[test]
fn the_margin_is_known_once_both_sides_are() {
    assert_eq!(margin(Some(34_000), Some(14_000)), Some(20_000));
    assert_eq!(margin(Some(1_000), Some(14_000)), Some(-13_000), "a loss is one");
    assert_eq!(margin(None, Some(14_000)), None);
    assert_eq!(margin(Some(34_000), None), None);
}
