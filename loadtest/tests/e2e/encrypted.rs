//! Phones whose audio is encrypted, against a node that takes no other: baresip with SDES and with DTLS, and our own.
//! What each suite does to a packet is tested in the engine.

use std::time::Duration;

use edge_protocol::{EndCause, EventKind};
use loadtest::caller::DialError;
use loadtest::script::{Line, Phrase};

use crate::baresip::{self, say};
use crate::caller::Phone;
use crate::node::Settings;
use crate::stack::Stack;

/// Silence before the question, long enough for any greeting, in seconds.
const GREETING_S: u32 = 8;

/// A node that refuses audio in the clear.
fn required() -> Settings {
    vec![("TANDEM_SRTP", "required".to_owned()), ("TANDEM_SRTP_OFFER", "sdes".to_owned())]
}

/// baresip calls, is understood, and hears the answer.
async fn a_real_phone_is_understood(mediaenc: &str) {
    let stack = Stack::start_with(1, &required()).await.expect("Kamailio and a node");
    let mut events = stack.nodes[0].events().await.expect("the node's events");
    let question = say(stack.dir.path(), "what are your opening hours", GREETING_S, 20).expect("a question");
    let agent = format!("sip:agent@127.0.0.1:{}", stack.port);
    let mut phone = baresip::Phone::dial_encrypted(stack.dir.path(), &agent, &question, mediaenc).expect("a phone");

    let understood =
        |event: &EventKind| matches!(event, EventKind::TurnTranscribed { text, .. } if text.contains("hours"));
    let heard = events.until("question", Duration::from_secs(30), understood).await;
    heard.unwrap_or_else(|error| panic!("the question is understood: {error}\n{}", phone.console()));
    let answered =
        |event: &EventKind| matches!(event, EventKind::TurnCompleted { heard_text, .. } if !heard_text.is_empty());
    events.until("answer", Duration::from_secs(20), answered).await.expect("the question is answered");
    phone.hang_up().await.expect("the phone hangs up");
    let ended = |event: &EventKind| matches!(event, EventKind::CallEnded { .. });
    let ended = events.until("end of the call", Duration::from_secs(10), ended).await.expect("the call ends");
    let EventKind::CallEnded { cause, quality, .. } = ended.kind else { unreachable!() };
    assert_eq!(cause, EndCause::CallerHungUp);
    // A report that crosses the beginning or the end of the encryption is no wrong key.
    assert!(quality.packets_received > 500 && quality.packets_unauthentic <= 2, "{quality:?}");

    let heard = phone.heard().expect("the phone's recording");
    let asked = Duration::from_secs(u64::from(GREETING_S));
    let greeting = heard.speech_between(Duration::ZERO, asked);
    assert!(greeting > Duration::from_millis(700), "the phone heard {greeting:?} of greeting");
    let answer = heard.speech_between(asked + Duration::from_secs(1), heard.duration());
    assert!(answer > Duration::from_millis(700), "the phone heard {answer:?} of answer");
}

#[tokio::test]
async fn a_real_phone_with_keys_in_its_sdp_is_understood() {
    a_real_phone_is_understood("srtp-mand").await;
}

#[tokio::test]
async fn a_real_phone_with_keys_beside_plain_rtp_is_understood() {
    a_real_phone_is_understood("srtp").await;
}

#[tokio::test]
async fn a_real_phone_with_a_dtls_handshake_is_understood() {
    a_real_phone_is_understood("dtls_srtp").await;
}

#[tokio::test]
async fn our_own_phone_is_understood_encrypted_and_refused_in_the_clear() {
    let stack = Stack::start_with(1, &required()).await.expect("Kamailio and a node");
    let plain = Phone::of(&stack).await.expect("a phone");
    let Err(error) = plain.dial().await else { panic!("a call in the clear was answered") };
    assert!(matches!(error.downcast_ref(), Some(DialError::Refused { code: 488, .. })), "{error}");

    let phone = Phone::of(&stack).await.expect("a phone").encrypted();
    let question = "what are your opening hours";
    let line = Line { expect_transcript: vec![Phrase::from(question.to_owned())], ..Line::saying(question) };
    let report = phone.talk("kal16", vec![line]).await.expect("a conversation");
    assert!(report.problems().is_empty(), "{:?}", report.problems());
}
