//! The server's conversation after it was brought to agree with the call's history, whatever had happened to it.
//! A model of the server applies what is sent.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Item ids in order, as a server keeps them.
#[derive(Default)]
struct Server(Vec<String>);

impl Server {
    fn take(&mut self, events: Vec<ClientEvent>) -> Vec<Value> {
        for event in &events {
            match event {
                ClientEvent::ItemCreate { previous_item_id, item, .. } => {
                    let at = match previous_item_id.as_str() {
                        ROOT => 0,
                        before => self.0.iter().position(|id| id == before).expect("the item before is there") + 1,
                    };
                    self.0.insert(at, item.id.clone());
                }
                ClientEvent::ItemDelete { item_id, .. } => {
                    let at = self.0.iter().position(|id| id == item_id).expect("the item is there");
                    self.0.remove(at);
                }
                ClientEvent::ItemTruncate { item_id, .. } => assert!(self.0.contains(item_id)),
                other => panic!("{other:?}"),
            }
        }
        events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
    }
}

fn user(text: &str) -> ChatMessage {
    ChatMessage::User(text.to_owned())
}

fn agent(text: &str) -> ChatMessage {
    ChatMessage::assistant(text)
}

/// A question that was heard as audio and its answer, of two seconds.
fn spoken_turn(conversation: &mut Conversation, server: &mut Server) {
    conversation.caller_speaks(None);
    conversation.committed("item_q".to_owned());
    conversation.caller_said("item_q", "When?");
    conversation.agent_speaks(1, "item_a", 0);
    conversation.agent_speaks(1, "item_a", 16_000);
    server.0.extend(["item_q".to_owned(), "item_a".to_owned()]);
}

#[test]
fn what_was_heard_out_stays_as_it_is() {
    let (mut conversation, mut server) = Default::default();
    spoken_turn(&mut conversation, &mut server);
    assert!(server.take(conversation.agent_was_heard(1, 1990, "At nine.")).is_empty());
    assert!(server.take(conversation.agree(&[user("When?"), agent("At nine.")])).is_empty());
}

#[test]
fn an_answer_that_was_cut_off_is_cut_to_the_millisecond() {
    let (mut conversation, mut server) = Default::default();
    spoken_turn(&mut conversation, &mut server);
    let cut = server.take(conversation.agent_was_heard(1, 1234, "At"));
    let expected = json!([{"type": "conversation.item.truncate", "event_id": "item_1", "item_id": "item_a",
        "content_index": 0, "audio_end_ms": 1234}]);
    assert_eq!(json!(cut), expected);
    assert!(server.take(conversation.agree(&[user("When?"), agent("At")])).is_empty());
}

#[test]
fn an_answer_nobody_heard_is_deleted() {
    let (mut conversation, mut server) = Default::default();
    spoken_turn(&mut conversation, &mut server);
    server.take(conversation.agent_was_heard(1, 0, ""));
    server.take(conversation.agree(&[user("When?")]));
    assert_eq!(server.0, ["item_q"]);
}

#[test]
fn a_question_that_was_not_the_caller_s_whole_turn_is_deleted_with_its_answer() {
    let (mut conversation, mut server) = Default::default();
    spoken_turn(&mut conversation, &mut server);
    server.take(conversation.agree(&[agent("Hello.")]));
    assert_eq!(server.0, ["tandem_1"]);
}

#[test]
fn lines_the_server_has_not_heard_become_text_in_their_place() {
    let (mut conversation, mut server) = Default::default();
    spoken_turn(&mut conversation, &mut server);
    server.take(conversation.agent_was_heard(1, 2000, "At nine."));
    let lines = [agent("Hello."), user("[pressed 1]"), user("When?"), agent("At nine."), user("[pressed 2]")];
    server.take(conversation.agree(&lines));
    assert_eq!(server.0, ["tandem_1", "tandem_2", "item_q", "item_a", "tandem_3"]);
}

#[test]
fn a_line_said_in_two_items_is_replaced_by_its_text() {
    let (mut conversation, mut server) = Default::default();
    spoken_turn(&mut conversation, &mut server);
    conversation.agent_speaks(1, "item_b", 8000);
    server.0.push("item_b".to_owned());
    server.take(conversation.agent_was_heard(1, 2500, "At nine. Or"));
    server.take(conversation.agree(&[user("When?"), agent("At nine. Or")]));
    assert_eq!(server.0, ["item_q", "tandem_1"]);
}

#[test]
fn a_call_of_a_function_stays_and_its_result_is_added_behind_it() {
    let (mut conversation, mut server) = Default::default();
    spoken_turn(&mut conversation, &mut server);
    let call = ToolCall { id: "call_1".to_owned(), name: "look_up".to_owned(), arguments: "{}".to_owned() };
    conversation.agent_calls("item_f", &call);
    server.0.push("item_f".to_owned());
    server.take(conversation.agent_was_heard(1, 2000, "One moment."));
    let made = ChatMessage::Assistant { text: "One moment.".to_owned(), calls: vec![call] };
    let result = ChatMessage::Tool { id: "call_1".to_owned(), result: "nine".to_owned() };
    let sent = server.take(conversation.agree(&[user("When?"), made, result]));
    let item = json!({"id": "tandem_1", "type": "function_call_output", "call_id": "call_1", "output": "nine"});
    assert_eq!((sent.len(), &sent[0]["item"]), (1, &item));
    assert_eq!(server.0, ["item_q", "item_a", "item_f", "tandem_1"]);
}

proptest! {
    /// Whatever lines are wanted one after the other, the server has as many items, and asking again changes nothing.
    #[test]
    fn the_conversation_always_agrees(wanted in prop::collection::vec(prop::collection::vec(0_u8..6, 0..8), 1..6)) {
        let (mut conversation, mut server): (Conversation, Server) = Default::default();
        spoken_turn(&mut conversation, &mut server);
        server.take(conversation.agent_was_heard(1, 2000, "0"));
        for lines in wanted {
            let lines: Vec<_> = lines
                .into_iter()
                .map(|line| if line % 2 == 0 { agent(&line.to_string()) } else { user(&line.to_string()) })
                .collect();
            server.take(conversation.agree(&lines));
            prop_assert_eq!(server.0.len(), lines.len());
            prop_assert!(conversation.agree(&lines).is_empty());
        }
    }
}
