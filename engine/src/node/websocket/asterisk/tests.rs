use super::Asterisk;
use crate::node::websocket::golden::{replay, survives_anything};

const JSON: &str = include_str!("conversation.json");
const LINES: &str = include_str!("conversation_in_lines.json");

#[test]
fn a_conversation_as_documented() {
    replay::<Asterisk>(&[], JSON);
}

#[test]
fn a_conversation_of_versions_that_speak_in_lines() {
    replay::<Asterisk>(&[], LINES);
}

#[test]
fn no_message_is_too_odd() {
    survives_anything::<Asterisk>(JSON);
    survives_anything::<Asterisk>(LINES);
}
