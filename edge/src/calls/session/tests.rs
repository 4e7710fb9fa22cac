use edge_protocol::EndCause;
use edge_protocol::call_session::{ServerMessage, SessionError, SessionStatus};
use edge_protocol::media::{FromNode, ToNode};

use super::{Closing, Session, Step};

const START: &str =
    r#"{"type":"start_call","callId":"c1","userId":"u1","metadata":{"phoneNumber":"+1","campaignId":"x"}}"#;

fn audio(bytes: usize) -> String {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(vec![0xffu8; bytes]);
    format!(r#"{{"type":"audio","data":"{data}","format":"mulaw","sampleRate":8000}}"#)
}

fn live() -> Session {
    let mut session = Session::new("c1", 300, 0);
    assert!(matches!(session.on_client(Some(START), 0), Some(Step::Start { .. })));
    session.on_node(FromNode::Started { call_id: "c1".into() }, 0);
    session
}

fn error_of(step: Option<Step>) -> Option<SessionError> {
    match step {
        Some(Step::Close(Closing { error, .. })) => error.map(|(code, _)| code),
        Some(Step::Say(ServerMessage::Error { code, .. })) => Some(code),
        _ => None,
    }
}

#[test]
fn a_conversation_in_the_clients_own_words() {
    let mut session = Session::new("c1", 300, 0);
    let step = session.on_client(Some(START), 5);
    assert_eq!(step, Some(Step::Start { user_id: "u1".into(), number: Some("+1".into()) }));
    let ready = session.on_node(FromNode::Started { call_id: "c1".into() }, 10);
    let status = |status, message: &str| Step::Say(ServerMessage::Status { status, message: message.into() });
    assert_eq!(ready, [status(SessionStatus::Ready, "listening")]);
    assert!(session.on_node(FromNode::AgentText { text: "Hello".into() }, 20).is_empty());
    let said = session.on_node(FromNode::Audio { data: "//8=".into() }, 21);
    assert_eq!(said, [Step::Say(ServerMessage::AudioResponse { audio: "//8=".into(), text: "Hello".into() })]);
    let said = session.on_node(FromNode::Audio { data: "//8=".into() }, 41);
    assert_eq!(said, [Step::Say(ServerMessage::AudioResponse { audio: "//8=".into(), text: String::new() })]);
    assert!(matches!(session.on_client(Some(&audio(160)), 50), Some(Step::Node(ToNode::Audio { .. }))));
    assert_eq!(session.on_node(FromNode::Thinking, 60), [status(SessionStatus::Processing, "thinking")]);
    assert_eq!(session.on_node(FromNode::Audio { data: "/w==".into() }, 80).len(), 2);
    let end = session.on_client(Some(r#"{"type":"end_call"}"#), 90);
    assert_eq!(end, Some(Step::Close(Closing::normal("end_call"))));
}

#[test]
fn without_start_call_the_session_times_out() {
    let mut session = Session::new("c1", 300, 0);
    assert_eq!(session.deadline_ms(), 10_000);
    assert_eq!(session.on_time(9_999), None);
    assert_eq!(error_of(session.on_time(10_000)), Some(SessionError::Timeout));
}

#[test]
fn a_node_that_does_not_begin_the_call_is_given_up() {
    let mut session = Session::new("c1", 300, 0);
    session.on_client(Some(START), 5_000);
    assert_eq!(session.on_time(14_999), None);
    assert_eq!(error_of(session.on_time(15_000)), Some(SessionError::InternalError));
}

#[test]
fn a_call_may_last_so_long_and_no_longer() {
    let mut session = live();
    for at in 1..30 {
        session.on_client(Some(r#"{"type":"ping"}"#), at * 10_000);
        session.on_time(at * 10_000);
    }
    session.on_client(Some(r#"{"type":"ping"}"#), 299_999);
    assert_eq!(error_of(session.on_time(299_999)), None);
    assert_eq!(error_of(session.on_time(300_000)), Some(SessionError::Timeout));
}

#[test]
fn a_silent_client_is_gone_after_a_minute_and_hears_a_pong_until_then() {
    let mut session = live();
    assert_eq!(session.deadline_ms(), 20_000);
    assert_eq!(session.on_time(20_000), Some(Step::Say(ServerMessage::Pong)));
    assert_eq!(session.on_time(40_000), Some(Step::Say(ServerMessage::Pong)));
    assert_eq!(error_of(session.on_time(60_000)), Some(SessionError::Timeout));
}

#[test]
fn one_bad_message_is_forgiven_and_five_in_a_row_are_not() {
    let mut session = live();
    for _ in 0..4 {
        assert!(matches!(session.on_client(Some("{"), 0), Some(Step::Say(ServerMessage::Error { .. }))));
    }
    session.on_client(Some(r#"{"type":"ping"}"#), 0);
    for _ in 0..4 {
        assert!(matches!(session.on_client(None, 0), Some(Step::Say(_))));
    }
    assert!(matches!(session.on_client(Some(r#"{"type":"dance"}"#), 0), Some(Step::Close(_))));
}

#[test]
fn another_calls_id_and_a_second_start_are_refused() {
    let mut session = Session::new("c2", 300, 0);
    assert_eq!(error_of(session.on_client(Some(START), 0)), Some(SessionError::InternalError));
    assert_eq!(error_of(live().on_client(Some(START), 0)), Some(SessionError::InternalError));
}

#[test]
fn audio_at_twice_real_time_passes_and_faster_is_dropped_with_one_word_a_second() {
    let mut session = live();
    let second = audio(8_000);
    let mut passed = 0;
    for at in 0..40 {
        passed += usize::from(matches!(session.on_client(Some(&second), at * 500), Some(Step::Node(_))));
    }
    assert_eq!(passed, 40, "2x real time");
    let mut session = live();
    let (mut passed, mut told) = (0, 0);
    for at in 0..100 {
        match session.on_client(Some(&second), at * 100) {
            Some(Step::Node(_)) => passed += 1,
            Some(Step::Say(ServerMessage::Error { code, .. })) => {
                assert_eq!(code, SessionError::RateLimit);
                told += 1;
            }
            other => assert_eq!(other, None),
        }
    }
    assert!((20..=26).contains(&passed), "{passed} of 100 seconds in 10");
    assert!((5..=11).contains(&told), "{told}");
}

#[test]
fn audio_that_is_none_is_refused() {
    let mut session = live();
    let wrong = r#"{"type":"audio","data":"//8=","format":"mulaw","sampleRate":16000}"#;
    assert_eq!(error_of(session.on_client(Some(wrong), 0)), Some(SessionError::InternalError));
    let wrong = r#"{"type":"audio","data":"?","format":"mulaw","sampleRate":8000}"#;
    assert_eq!(error_of(session.on_client(Some(wrong), 0)), Some(SessionError::InternalError));
    assert_eq!(error_of(session.on_client(Some(&audio(8_001)), 0)), Some(SessionError::InternalError));
    assert_eq!(session.on_client(Some(&audio(0)), 0), None);
}

#[test]
fn how_the_call_ended_is_how_the_socket_closes() {
    let close = |cause| live().on_node(FromNode::Ended { cause }, 0).pop();
    assert_eq!(error_of(close(EndCause::MaxDuration)), Some(SessionError::Timeout));
    assert_eq!(error_of(close(EndCause::NodeStopped)), Some(SessionError::InternalError));
    assert_eq!(close(EndCause::AgentHungUp), Some(Step::Close(Closing::normal("agent_hung_up"))));
}
