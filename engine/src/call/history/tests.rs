//! What is left of a long call's history can still be sent to a model.

use super::*;

fn call(id: usize) -> ToolCall {
    ToolCall { id: id.to_string(), name: "lookup".to_owned(), arguments: "{}".to_owned() }
}

#[test]
fn a_result_never_stands_without_its_call_however_much_is_forgotten() {
    let mut history = History::new("Be brief.");
    for turn in 0..200 {
        history.caller_said("where is it");
        let calls: Vec<ToolCall> = (0..turn % 4).map(|n| call(turn * 10 + n)).collect();
        if !calls.is_empty() {
            history.tools_called(&calls);
            history.tool_answered(&calls[0].id, "here");
        }
        history.agent_was_heard("Here.");
        let lines = history.with_caller_line("and now");
        let mut known: Vec<&str> = Vec::new();
        for line in &lines {
            match line {
                ChatMessage::Assistant { calls, .. } => known.extend(calls.iter().map(|call| call.id.as_str())),
                ChatMessage::Tool { id, .. } => assert!(known.contains(&id.as_str()), "turn {turn}: {lines:?}"),
                ChatMessage::System(_) | ChatMessage::User(_) => {}
            }
        }
        assert!(lines.len() <= MOST_LINES + 4, "{} lines", lines.len());
        let first = calls.first().map(|call| call.id.clone());
        let result = lines.iter().rev().find_map(|line| match line {
            ChatMessage::Tool { id, result } if Some(id) == first.as_ref() => Some(result.as_str()),
            _ => None,
        });
        assert_eq!(result, first.map(|_| "here"));
    }
}

#[test]
fn of_two_calls_with_one_id_the_newest_gets_the_result() {
    let mut history = History::new("Be brief.");
    history.tools_called(&[call(0)]);
    history.tool_answered("0", "old");
    history.tools_called(&[call(0)]);
    history.tool_answered("0", "new");
    let results: Vec<ChatMessage> =
        history.with_results("").into_iter().filter(|line| matches!(line, ChatMessage::Tool { .. })).collect();
    let result = |text: &str| ChatMessage::Tool { id: "0".to_owned(), result: text.to_owned() };
    assert_eq!(results, [result("old"), result("new")]);
}
