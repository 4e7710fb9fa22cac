use super::AudioSocket;
use crate::node::websocket::golden::{replay, survives_anything};

const CONVERSATION: &str = include_str!("conversation.json");

#[test]
fn a_conversation_as_documented() {
    replay::<AudioSocket>(&[], CONVERSATION);
}

#[test]
fn no_message_is_too_odd() {
    // Text never comes on it; one keeps the tests of all dialects the same.
    let with_text = CONVERSATION.replacen('[', r#"[{"client": "text", "means": null},"#, 1);
    survives_anything::<AudioSocket>(&with_text);
}
