use axum::extract::ws::Message;
use edge_protocol::EndCause;
use proptest::prelude::*;

use super::Tandem;
use crate::node::websocket::dialect::{Dialect, FromClient, Start, ToClient};
use crate::node::websocket::payload;

fn read(text: &str) -> Result<FromClient, String> {
    Tandem.read(&Message::text(text)).map(Option::unwrap).map_err(|e| e.to_string())
}

fn written(what: ToClient<'_>) -> String {
    Tandem.write(what).unwrap().into_text().unwrap().as_str().to_owned()
}

#[test]
fn what_clients_say_is_understood() {
    let start = Start { call_id: None, from: "sip:me@example".to_owned(), to: "+4930".to_owned(), ..Start::default() };
    let said = r#"{"type":"start","v":1,"call_id":null,"from":"sip:me@example","to":"+4930"}"#;
    assert_eq!(read(said), Ok(FromClient::Start(Box::new(start))));
    assert_eq!(read(r#"{"type":"audio","data":"f/8A"}"#), Ok(FromClient::Audio(vec![0x7F, 0xFF, 0])));
    assert_eq!(read(r#"{"type":"audio","data":"fw=="}"#), read(r#"{"type":"audio","data":"fw"}"#));
    assert_eq!(read(r##"{"type":"dtmf","digit":"#"}"##), Ok(FromClient::Key('#')));
    assert_eq!(read(r#"{"type":"hangup"}"#), Ok(FromClient::HangUp));
}

#[test]
fn what_the_node_says_is_spelled_as_agreed() {
    assert_eq!(written(ToClient::Started { call_id: "c" }), r#"{"type":"started","call_id":"c"}"#);
    assert_eq!(written(ToClient::AgentText("Hello.")), r#"{"type":"agent_text","text":"Hello."}"#);
    assert_eq!(written(ToClient::CallerText("Hi")), r#"{"type":"caller_text","text":"Hi"}"#);
    assert_eq!(written(ToClient::Thinking), r#"{"type":"thinking"}"#);
    assert_eq!(written(ToClient::Flush), r#"{"type":"flush"}"#);
    let transfer = ToClient::Transfer { to: "+4930", reason: Some("An order.") };
    assert_eq!(written(transfer), r#"{"type":"transfer","to":"+4930","reason":"An order."}"#);
    assert_eq!(written(ToClient::Ended(EndCause::AgentHungUp)), r#"{"type":"ended","cause":"agent_hung_up"}"#);
    assert_eq!(written(ToClient::Error("no")), r#"{"type":"error","message":"no"}"#);
    let audio = written(ToClient::Audio(&[0xFF; 160]));
    assert!(audio.starts_with(r#"{"type":"audio","data":"/////"#), "{audio}");
}

#[test]
fn what_cannot_be_used_is_named() {
    for (said, named) in [
        ("hello", "expected value"),
        (r#"{"type":"sing"}"#, "sing"),
        (r#"{"type":"start","v":9,"call_id":null,"from":"","to":""}"#, "version 9"),
        (r#"{"type":"audio","data":"?"}"#, "base64"),
        (r#"{"type":"audio","data":""}"#, "0 bytes"),
        (r#"{"type":"dtmf","digit":"x"}"#, "\"x\""),
    ] {
        let error = read(said).unwrap_err();
        assert!(error.contains(named), "{said}: {error}");
    }
    let long = format!(r#"{{"type":"audio","data":"{}"}}"#, "A".repeat(4 * 2667 + 4));
    assert!(read(&long).unwrap_err().contains("8000"));
    assert!(Tandem.read(&Message::binary(vec![0_u8; 3])).is_err());
}

proptest! {
    #[test]
    fn no_message_is_too_odd(text in ".{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn audio_of_any_length_up_to_a_second_comes_as_it_was_sent(audio in prop::collection::vec(any::<u8>(), 1..8000)) {
        let said = format!(r#"{{"type":"audio","data":"{}"}}"#, payload::encode(&audio));
        prop_assert_eq!(read(&said), Ok(FromClient::Audio(audio)));
    }
}
