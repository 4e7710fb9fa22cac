//! What is known of a node's calls between its reports.

use super::*;

#[test]
fn calls_since_the_report_count_on_top() {
    let mut nodes = NodeCalls::default();
    nodes.admitted("a", 900);
    assert_eq!(nodes.of("a", 950), None, "a node that never reported is not known");
    nodes.report("a", 5, 1_000);
    assert_eq!(nodes.of("a", 1_001), Some(5));
    nodes.admitted("a", 1_500);
    nodes.admitted("a", 1_600);
    assert_eq!(nodes.of("a", 2_000), Some(7));
    nodes.report("a", 6, 3_000);
    assert_eq!(nodes.of("a", 3_001), Some(6));
    assert_eq!(nodes.of("b", 3_001), None);
}

#[test]
fn an_old_report_is_not_believed() {
    let mut nodes = NodeCalls::default();
    nodes.report("a", 10_000, 0);
    assert_eq!(nodes.of("a", BELIEVED_MS - 1), Some(10_000));
    assert_eq!(nodes.of("a", BELIEVED_MS), None);
}

#[test]
fn what_was_let_in_is_forgotten_when_no_report_can_be_older() {
    let mut nodes = NodeCalls::default();
    for now_ms in 0..100_000 {
        nodes.admitted("a", now_ms);
    }
    assert!(nodes.nodes["a"].admitted_ms.len() <= BELIEVED_MS as usize);
}
