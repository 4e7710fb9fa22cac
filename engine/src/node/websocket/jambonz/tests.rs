#![allow(clippy::unwrap_used, reason = "a test may panic")]

use axum::extract::ws::Message;

use super::Jambonz;
use crate::node::websocket::dialect::{Dialect, FromClient};
use crate::node::websocket::golden::{replay, survives_anything};

const CONVERSATION: &str = include_str!("conversation.json");

#[test]
fn a_conversation_as_documented() {
    replay::<Jambonz>(&[], CONVERSATION);
}

#[test]
fn no_message_is_too_odd() {
    survives_anything::<Jambonz>(CONVERSATION);
}

#[test]
fn who_acts_on_transfers_says_so_in_the_url() {
    for (query, transfers) in [(vec![], false), (vec![("transfers".to_owned(), "true".to_owned())], true)] {
        let read = Jambonz::new(&query).read(&Message::text("{}")).unwrap();
        let Some(FromClient::Start(start)) = read else { panic!("{read:?} starts no call") };
        assert_eq!(start.transfers, transfers);
    }
}
