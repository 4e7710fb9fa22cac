use super::Twilio;
use crate::node::websocket::golden::{replay, survives_anything};

const CONVERSATION: &str = include_str!("conversation.json");

#[test]
fn a_conversation_as_documented() {
    replay::<Twilio>(&[], CONVERSATION);
}

#[test]
fn no_message_is_too_odd() {
    survives_anything::<Twilio>(CONVERSATION);
}
