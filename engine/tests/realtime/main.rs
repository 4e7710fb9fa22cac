//! A Realtime session over a real socket, against a server that is right, refusing, silent, babbling or gone.
//! What a session says and tells in which order is tested in virtual time, beside it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fake;

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use engine::audio::g711::Law;
use engine::call::{ChatMessage, Pipeline, SoFar, SpeechCommand, SpeechEvent};
use engine::speech::openai::Secret;
use engine::speech::realtime::{Caller, Patience, Realtime, RealtimeConfig};
use fake::{Connection, Fake};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// Long enough for loopback, short enough to wait for in a test.
const SHORT: Duration = Duration::from_millis(150);
/// Never reached in a test that passes.
const LONG: Duration = Duration::from_secs(20);
/// `fv8=` in base64.
const AUDIO: [u8; 2] = [0x7e, 0xff];

/// A call's end of a session.
struct Phone {
    commands: mpsc::Sender<SpeechCommand>,
    told: UnboundedReceiver<SpeechEvent>,
    stages: UnboundedReceiver<SpeechCommand>,
}

struct Line {
    told: UnboundedSender<SpeechEvent>,
    stages: UnboundedSender<SpeechCommand>,
}

impl Caller for Line {
    fn tell(&self, event: SpeechEvent) -> BoxFuture<'_, ()> {
        // The test may be over already.
        let _ = self.told.send(event);
        async {}.boxed()
    }

    fn by_stages(&self, command: SpeechCommand) -> BoxFuture<'static, ()> {
        let _ = self.stages.send(command);
        async {}.boxed()
    }
}

// === impl Phone ===

impl Phone {
    fn dial(base_url: &str, patience: Patience) -> Self {
        let realtime = Realtime::new(RealtimeConfig { patience, ..config(base_url) }).expect("a valid configuration");
        let (commands, taken) = mpsc::channel(8);
        let (tell, told) = unbounded_channel();
        let (to_stages, stages) = unbounded_channel();
        tokio::spawn(realtime.serve(Line { told: tell, stages: to_stages }, taken));
        Self { commands, told, stages }
    }

    async fn wants(&self, command: SpeechCommand) {
        self.commands.send(command).await.expect("the session listens");
    }

    async fn says_something(&self, hearing: u32) {
        let so_far = Some(SoFar { voice: Some("cedar".into()), messages: vec![system()], tools: Arc::new([]) });
        let audio = Bytes::from_static(&AUDIO);
        self.wants(SpeechCommand::Transcribe { hearing, law: Law::Mu, audio, so_far }).await;
    }

    async fn wants_answer(&self, utterance: u32, line: &str) {
        let messages = vec![system(), ChatMessage::User(line.to_owned())];
        let tools = Arc::new([]);
        self.wants(SpeechCommand::Respond {
            utterance,
            law: Law::Mu,
            voice: None,
            keep: true,
            provider: None,
            messages,
            tools,
        })
        .await;
    }

    async fn is_told(&mut self) -> SpeechEvent {
        timeout(LONG, self.told.recv()).await.expect("something is told").expect("the session lives")
    }

    async fn goes_to_stages(&mut self) -> SpeechCommand {
        timeout(LONG, self.stages.recv()).await.expect("the stages are asked").expect("the session lives")
    }
}

fn config(base_url: &str) -> RealtimeConfig {
    RealtimeConfig {
        base_url: base_url.to_owned(),
        api_key: Some(Secret::new("sk-test")),
        model: "gpt-realtime".to_owned(),
        ..RealtimeConfig::default()
    }
}

/// Everything may take [`LONG`]; a test shortens what it is about.
fn patient() -> Patience {
    Patience { connect: LONG, settle: LONG, answer: LONG, gap: LONG, transcript: LONG, rest: LONG, idle: LONG }
}

fn system() -> ChatMessage {
    ChatMessage::System("Be brief.".to_owned())
}

/// The server takes the caller's audio and begins to answer.
async fn answer_begins(server: &mut Connection) {
    server.hears("response.create").await;
    server.says(json!({"type": "input_audio_buffer.committed", "item_id": "item_q"})).await;
    server.says(json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}})).await;
    let heard = json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": "item_q",
        "content_index": 0, "transcript": "When?"});
    server.says(heard).await;
}

async fn says_nine(server: &mut Connection) {
    let transcript = json!({"type": "response.output_audio_transcript.delta", "response_id": "resp_1",
        "item_id": "item_a", "delta": "At nine o'clock. "});
    server.says(transcript).await;
    let audio = json!({"type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "item_a",
        "delta": "fv8="});
    server.says(audio).await;
}

async fn done(server: &mut Connection) {
    server.says(json!({"type": "response.done", "response": {"id": "resp_1", "status": "completed"}})).await;
}

#[tokio::test]
async fn a_turn_is_asked_with_key_model_and_voice_and_answered() {
    let mut fake = Fake::start().await;
    let mut phone = Phone::dial(&fake.base_url, patient());
    phone.wants(SpeechCommand::WarmUp { pipeline: Pipeline::SpeechToSpeech, provider: None }).await;
    let mut server = fake.connection().await;
    assert_eq!(server.path_and_query, "/v1/realtime?model=gpt-realtime");
    assert_eq!(server.headers["authorization"], "Bearer sk-test");

    phone.says_something(1).await;
    let session = server.hears("session.update").await;
    assert_eq!(session["session"]["audio"]["output"]["voice"], "cedar");
    assert_eq!(server.hears("input_audio_buffer.append").await["audio"], "fv8=");
    answer_begins(&mut server).await;
    assert_eq!(phone.is_told().await, SpeechEvent::Transcribed { hearing: 1, text: "When?".to_owned() });
    phone.wants_answer(1, "When?").await;
    says_nine(&mut server).await;
    done(&mut server).await;
    assert_eq!(phone.is_told().await, SpeechEvent::FirstToken { utterance: 1 });
    let sentence = SpeechEvent::Sentence { utterance: 1, text: "At nine o'clock.".to_owned() };
    assert_eq!(phone.is_told().await, sentence);
    assert_eq!(phone.is_told().await, SpeechEvent::Voice { utterance: 1, audio: Bytes::from_static(&AUDIO) });
    assert_eq!(phone.is_told().await, SpeechEvent::Said { utterance: 1 });

    phone.wants(SpeechCommand::Over).await;
    server.is_closed().await;
}

#[tokio::test]
async fn a_call_that_is_gone_closes_its_session() {
    let mut fake = Fake::start().await;
    let phone = Phone::dial(&fake.base_url, patient());
    phone.wants(SpeechCommand::WarmUp { pipeline: Pipeline::SpeechToSpeech, provider: None }).await;
    let mut server = fake.connection().await;
    drop(phone.commands);
    server.is_closed().await;
}

#[tokio::test]
async fn a_session_nobody_needs_is_closed_and_made_again_when_it_is_needed() {
    let mut fake = Fake::start().await;
    let phone = Phone::dial(&fake.base_url, Patience { idle: SHORT, ..patient() });
    phone.wants(SpeechCommand::WarmUp { pipeline: Pipeline::SpeechToSpeech, provider: None }).await;
    fake.connection().await.is_closed().await;
    phone.says_something(1).await;
    fake.connection().await.hears("response.create").await;
}

#[tokio::test]
async fn a_socket_that_dies_before_the_answer_is_replaced_and_the_turn_asked_again() {
    let mut fake = Fake::start().await;
    let mut phone = Phone::dial(&fake.base_url, patient());
    phone.says_something(1).await;
    let mut server = fake.connection().await;
    answer_begins(&mut server).await;
    assert!(matches!(phone.is_told().await, SpeechEvent::Transcribed { .. }));
    phone.wants_answer(1, "When?").await;
    drop(server);
    let mut server = fake.connection().await;
    server.hears("input_audio_buffer.append").await;
    answer_begins(&mut server).await;
    says_nine(&mut server).await;
    assert_eq!(phone.is_told().await, SpeechEvent::FirstToken { utterance: 1 });
}

#[tokio::test]
async fn a_socket_that_dies_in_mid_answer_fails_the_turn_and_serves_the_next() {
    let mut fake = Fake::start().await;
    let mut phone = Phone::dial(&fake.base_url, Patience { rest: Duration::ZERO, ..patient() });
    phone.says_something(1).await;
    let mut server = fake.connection().await;
    answer_begins(&mut server).await;
    assert!(matches!(phone.is_told().await, SpeechEvent::Transcribed { .. }));
    phone.wants_answer(1, "When?").await;
    says_nine(&mut server).await;
    for _ in 0..3 {
        phone.is_told().await;
    }
    drop(server);
    assert!(matches!(phone.is_told().await, SpeechEvent::Failed { utterance: Some(1), .. }));
    phone.says_something(2).await;
    fake.connection().await.hears("response.create").await;
}

#[tokio::test]
async fn a_server_that_refuses_leaves_the_turn_to_the_stages() {
    for status in [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS, StatusCode::OK] {
        let fake = Fake::refusing(status).await;
        let mut phone = Phone::dial(&fake.base_url, patient());
        phone.says_something(1).await;
        assert!(matches!(phone.goes_to_stages().await, SpeechCommand::Transcribe { hearing: 1, .. }), "{status}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_leaves_the_turn_to_the_stages() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("ws://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let mut phone = Phone::dial(&base_url, patient());
    phone.says_something(1).await;
    assert!(matches!(phone.goes_to_stages().await, SpeechCommand::Transcribe { hearing: 1, .. }));
}

#[tokio::test]
async fn a_server_that_never_takes_the_connection_up_leaves_the_turn_to_the_stages() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("ws://{}/v1", listener.local_addr().unwrap());
    let mut phone = Phone::dial(&base_url, Patience { connect: SHORT, ..patient() });
    phone.says_something(1).await;
    assert!(matches!(phone.goes_to_stages().await, SpeechCommand::Transcribe { hearing: 1, .. }));
}

#[tokio::test]
async fn a_server_that_never_answers_leaves_the_turn_to_the_stages() {
    let mut fake = Fake::start().await;
    let mut phone = Phone::dial(&fake.base_url, Patience { answer: SHORT, ..patient() });
    phone.says_something(1).await;
    let mut server = fake.connection().await;
    server.hears("response.create").await;
    assert!(matches!(phone.goes_to_stages().await, SpeechCommand::Transcribe { hearing: 1, .. }));
    server.is_closed().await;
}

#[tokio::test]
async fn what_is_no_event_ends_the_session_and_leaves_the_turn_to_the_stages() {
    for text in ["{not json", "[]", "{\"type\": \"response.done\"}"] {
        let mut fake = Fake::start().await;
        let mut phone = Phone::dial(&fake.base_url, patient());
        phone.says_something(1).await;
        let mut server = fake.connection().await;
        answer_begins(&mut server).await;
        assert!(matches!(phone.is_told().await, SpeechEvent::Transcribed { .. }));
        server.says_text(text).await;
        server.is_closed().await;
        phone.wants_answer(1, "When?").await;
        assert!(matches!(phone.goes_to_stages().await, SpeechCommand::Respond { utterance: 1, .. }), "{text}");
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused_with_its_value() {
    for base_url in ["", "no url", "ftp://example.com/v1", "ws://"] {
        let error = Realtime::new(config(base_url)).err().expect("no provider");
        assert!(error.to_string().contains(&format!("{base_url:?}")), "{error}");
    }
    let key = RealtimeConfig { api_key: Some(Secret::new("line\nbreak")), ..config("wss://example.com/v1") };
    assert!(Realtime::new(key).is_err());
}
