//! Streamed function calls in the shapes that OpenAI and those who are like it send.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ToolCall, ToolCalls};

fn together(deltas: impl IntoIterator<Item = Value>) -> Vec<ToolCall> {
    let mut calls = ToolCalls::default();
    for delta in deltas {
        calls.push(serde_json::from_value(delta).unwrap());
    }
    calls.take().collect()
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
}

#[test]
fn two_calls_whose_arguments_come_in_pieces_are_kept_apart_by_their_index() {
    let calls = together([
        json!({ "index": 0, "id": "call_a", "type": "function", "function": { "name": "lookup", "arguments": "" } }),
        json!({ "index": 1, "id": "call_b", "type": "function", "function": { "name": "hang_up", "arguments": "" } }),
        json!({ "index": 0, "function": { "arguments": "{\"order\"" } }),
        json!({ "index": 1, "function": { "arguments": "{}" } }),
        json!({ "index": 0, "function": { "arguments": ":42}" } }),
    ]);
    assert_eq!(calls, [call("call_a", "lookup", "{\"order\":42}"), call("call_b", "hang_up", "{}")]);
}

#[test]
fn calls_that_all_have_index_0_are_kept_apart_by_their_ids() {
    let calls = together([
        json!({ "index": 0, "id": "a", "function": { "name": "lookup", "arguments": "{}" } }),
        json!({ "index": 0, "id": "b", "function": { "name": "lookup", "arguments": "{\"n\":1}" } }),
    ]);
    assert_eq!(calls, [call("a", "lookup", "{}"), call("b", "lookup", "{\"n\":1}")]);
}

#[test]
fn pieces_without_an_index_belong_to_the_newest_call_and_repeated_names_are_told_once() {
    let calls = together([
        json!({ "id": "a", "function": { "name": "lookup", "arguments": "{\"n\"" } }),
        json!({ "id": "a", "function": { "name": "lookup", "arguments": ":1}" } }),
        json!({ "id": null, "function": { "name": null, "arguments": null } }),
    ]);
    assert_eq!(calls, [call("a", "lookup", "{\"n\":1}")]);
}

#[test]
fn a_call_without_an_id_gets_one_and_one_without_a_name_is_none() {
    let calls = together([
        json!({ "index": 0, "function": { "name": "lookup", "arguments": "{}" } }),
        json!({ "index": 1, "id": "x" }),
    ]);
    assert_eq!(calls.len(), 1);
    assert!(calls[0].id.starts_with("call_") && calls[0].id.len() <= 40, "{calls:?}");
}

proptest! {
    /// However the arguments are cut, and whichever call's piece comes next, each call gets its own.
    #[test]
    fn arguments_cut_anywhere_and_mixed_are_put_together(
        whole in prop::collection::vec(prop::collection::vec("[ -~ä]{0,6}", 1..6), 1..4),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut calls = ToolCalls::default();
        let mut left: Vec<_> = whole.iter().map(|pieces| pieces.iter()).collect();
        for (index, _) in whole.iter().enumerate() {
            let begin = json!({ "index": index, "id": format!("id{index}"), "function": { "name": "f" } });
            calls.push(serde_json::from_value(begin).unwrap());
        }
        let mixed = order.iter().map(|at| at.index(whole.len()));
        for index in mixed.chain((0..whole.len()).flat_map(|index| [index; 6])) {
            if let Some(piece) = left[index].next() {
                let piece = json!({ "index": index, "function": { "arguments": piece } });
                calls.push(serde_json::from_value(piece).unwrap());
            }
        }
        let expected: Vec<_> =
            whole.iter().enumerate().map(|(n, pieces)| call(&format!("id{n}"), "f", &pieces.concat())).collect();
        prop_assert_eq!(calls.take().collect::<Vec<_>>(), expected);
    }
}
