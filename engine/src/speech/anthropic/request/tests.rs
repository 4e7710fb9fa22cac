//! Conversations as the Messages API takes them.
//! Nothing here runs outside tests.

use super::*;

fn of(messages: &[ChatMessage]) -> Value {
    body("m", 100, messages, &[])["messages"].clone()
}

fn user(text: &str) -> ChatMessage {
    ChatMessage::User(text.to_owned())
}

fn agent(text: &str, calls: Vec<ToolCall>) -> ChatMessage {
    ChatMessage::Assistant { text: text.to_owned(), calls }
}

#[test]
fn a_greeting_is_behind_a_line_of_the_caller_and_roles_alternate() {
    let messages = of(&[agent("Hello.", Vec::new()), user("Open?"), user("Now?")]);
    let expected = json!([
        { "role": "user", "content": [{ "type": "text", "text": CALL_BEGINS }] },
        { "role": "assistant", "content": [{ "type": "text", "text": "Hello." }] },
        { "role": "user", "content": [{ "type": "text", "text": "Open?" }, { "type": "text", "text": "Now?" }] },
    ]);
    assert_eq!(messages, expected);
}

#[test]
fn calls_and_their_results_are_blocks_and_results_stand_together() {
    let call = |id: &str, arguments: &str| {
        let (id, name, arguments) = (id.to_owned(), "book".to_owned(), arguments.to_owned());
        ToolCall { id, name, arguments }
    };
    let result = |id: &str| ChatMessage::Tool { id: id.to_owned(), result: "done".to_owned() };
    let calls = vec![call("a", "{\"day\":1}"), call("b", "no JSON")];
    let messages = of(&[user("Book."), agent("", calls), result("a"), result("b"), user("Well?")]);
    let expected = json!([
        { "role": "user", "content": [{ "type": "text", "text": "Book." }] },
        { "role": "assistant", "content": [
            { "type": "tool_use", "id": "a", "name": "book", "input": { "day": 1 } },
            { "type": "tool_use", "id": "b", "name": "book", "input": {} },
        ] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "a", "content": "done" },
            { "type": "tool_result", "tool_use_id": "b", "content": "done" },
            { "type": "text", "text": "Well?" },
        ] },
    ]);
    assert_eq!(messages, expected);
}

#[test]
fn system_prompt_and_tools_are_apart_and_marked_to_be_cached() {
    let tool = |name: &str| ToolDefinition {
        name: name.to_owned(),
        description: "d".to_owned(),
        parameters: json!({ "type": "object" }),
    };
    let body = body("m", 100, &[ChatMessage::System("Be brief.".to_owned()), user("Hi.")], &[tool("a"), tool("b")]);
    let marked = json!({ "type": "ephemeral" });
    assert_eq!(body["system"], json!([{ "type": "text", "text": "Be brief.", "cache_control": marked }]));
    assert_eq!(body["tools"][0], json!({ "name": "a", "description": "d", "input_schema": { "type": "object" } }));
    assert_eq!(body["tools"][1]["cache_control"], marked);
    assert_eq!((&body["max_tokens"], &body["stream"]), (&json!(100), &json!(true)));
}
