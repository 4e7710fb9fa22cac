//! Agents that hear and speak by one model, over the Realtime API: their turns are answered by it, a caller can cut in,
//! and where it fails the three stages answer in the same call.

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use edge_protocol::EventKind;
use loadtest::voice::Utterance;
use tokio::net::TcpListener;

use crate::caller::{Call, Phone, assert_unbroken};
use crate::node::{Settings, root};
use crate::provider::Provider;
use crate::stack::Stack;

const QUESTION: &str = "what is your address";
/// What the model says that hears for itself: seven seconds, in the stub's voice.
const BY_EAR: &str = "I heard you with my own ears. This answer goes on for quite a while, so that there is time to \
                      cut in on it.";
const BY_STAGES: &str = "We are next to the post office.";

const SOON: Duration = Duration::from_secs(10);

/// A node whose agent has `pipeline = "realtime"`, one provider for that and another for the stages.
struct Bench {
    _dir: tempfile::TempDir,
    realtime: Provider,
    _stages: Provider,
    _stack: Stack,
    phone: Phone,
    question: Utterance,
}

impl Bench {
    /// `options` are the Realtime provider's.
    async fn start(options: &[&str]) -> Self {
        Self::start_with(options, "").await
    }

    /// `more` goes at the end of the agent's file.
    async fn start_with(options: &[&str], more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let realtime = start(dir.path(), BY_EAR, options).await;
        let stages = start(dir.path(), BY_STAGES, &[]).await;
        let mut settings: Settings = stages.settings();
        let agent = dir.path().join("agent.toml");
        let reception = fs::read_to_string(root().join("agents/reception.toml")).expect("the agent");
        fs::write(&agent, format!("pipeline = \"realtime\"\n{reception}\n{more}")).expect("an agent file");
        settings.push(("TANDEM_AGENT", agent.display().to_string()));
        let [(_, url)] = &realtime.settings()[..] else { panic!("one setting") };
        settings.push(("TANDEM_SPEECH__REALTIME__BASE_URL", url.clone()));
        let stack = Stack::start_with(1, &settings).await.expect("Kamailio and a node");
        let phone = Phone::of(&stack).await.expect("a phone");
        let question = Utterance::spoken(QUESTION, "rms").await.expect("a question");
        Self { _dir: dir, realtime, _stages: stages, _stack: stack, phone, question }
    }

    /// A call of which the greeting was heard.
    async fn greeted(&self) -> Call {
        let mut call = self.phone.dial().await.expect("a call");
        assert!(call.greeting().await.expect("a call that stays up"), "the agent greets");
        call
    }

    async fn ask(&self, call: &mut Call) {
        let heard = call.ask(QUESTION, &self.question).await.expect("a call that stays up");
        println!("answered {:.0?} ms after the question", heard.latency_ms.unwrap_or(f64::NAN));
        assert!(heard.answered, "{:#?}", call.events());
    }
}

async fn start(dir: &Path, reply: &str, more: &[&str]) -> Provider {
    let options = [&["--reply", reply, "--transcript", QUESTION], more].concat();
    Provider::start(dir, &options).await.expect("a provider")
}

/// What was heard of each answer.
fn answers(events: &[EventKind]) -> Vec<&str> {
    let heard = events.iter().filter_map(|event| match event {
        EventKind::TurnCompleted { heard_text, .. } => Some(heard_text.as_str()),
        _ => None,
    });
    heard.collect()
}

fn failures(events: &[EventKind]) -> usize {
    events.iter().filter(|event| matches!(event, EventKind::SpeechFailed { .. })).count()
}

#[tokio::test]
async fn turns_are_answered_by_the_model_that_heard_them() {
    let bench = Bench::start(&[]).await;
    let mut call = bench.greeted().await;
    bench.ask(&mut call).await;
    bench.ask(&mut call).await;
    let over = call.hang_up().await.expect("a recording");
    assert_unbroken(&over.media, "the caller");
    assert_eq!(answers(&over.events), [BY_EAR, BY_EAR], "{:#?}", over.events);
    let said = |event: &EventKind| matches!(event, EventKind::TurnTranscribed { text, .. } if text == QUESTION);
    assert!(over.events.iter().any(said), "what the caller said is written down");
    assert_eq!(failures(&over.events), 0, "{:#?}", over.events);
}

#[tokio::test]
async fn a_caller_who_cuts_in_is_heard_and_answered_by_the_same_session() {
    let bench = Bench::start(&[]).await;
    let mut call = bench.greeted().await;
    call.caller.say(&bench.question).await.expect("a call that stays up");
    call.caller.voice_starts(SOON).await.expect("a call that stays up").expect("an answer");
    call.caller.listen(Duration::from_millis(1500)).await.expect("a call that stays up");
    bench.ask(&mut call).await;
    let over = call.hang_up().await.expect("a recording");
    let cut = over.events.iter().find_map(|event| match event {
        EventKind::TurnCompleted { heard_ms, heard_text, interrupted: true, .. } => Some((*heard_ms, heard_text)),
        _ => None,
    });
    let (heard_ms, heard) = cut.unwrap_or_else(|| panic!("nobody cut in: {:#?}", over.events));
    assert!((1000..4000).contains(&heard_ms) && BY_EAR.starts_with(heard.as_str()), "{heard_ms} ms: {heard}");
    assert!(!heard.is_empty() && heard.len() < BY_EAR.len(), "{heard}");
    assert_eq!(answers(&over.events).last(), Some(&BY_EAR), "{:#?}", over.events);
    assert_eq!(failures(&over.events), 0, "{:#?}", over.events);
}

#[tokio::test]
async fn a_function_the_model_calls_is_run_and_its_result_is_said() {
    let answer = async || {
        tokio::time::sleep(Duration::from_millis(800)).await;
        "shipped"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/orders", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/orders", post(answer))).await });
    let tool = format!(
        "[[tools]]\nname = \"find_order\"\ndescription = \"Finds an order.\"\nurl = \"{url}\"\nfiller = \"Let me look.\"\n"
    );
    let bench = Bench::start_with(&["--tool", "find_order"], &tool).await;
    let mut call = bench.greeted().await;
    bench.ask(&mut call).await;
    bench.ask(&mut call).await;
    let over = call.hang_up().await.expect("a recording");
    let said = "Let me look. The result is shipped.";
    assert_eq!(answers(&over.events), [said, said], "{:#?}", over.events);
    assert_eq!(failures(&over.events), 0, "{:#?}", over.events);
}

#[tokio::test]
async fn a_provider_that_dies_in_a_call_is_replaced_by_the_stages() {
    let mut bench = Bench::start(&[]).await;
    let mut call = bench.greeted().await;
    bench.ask(&mut call).await;
    bench.realtime.kill().expect("kill");
    bench.ask(&mut call).await;
    let over = call.hang_up().await.expect("a recording");
    assert_eq!(answers(&over.events), [BY_EAR, BY_STAGES], "{:#?}", over.events);
    assert_eq!(failures(&over.events), 0, "{:#?}", over.events);
}

#[tokio::test]
async fn whatever_the_provider_does_the_stages_answer_the_turn() {
    let faults = ["slow", "500", "429"];
    let each = faults.map(async |fault| {
        let bench = Bench::start(&["--stage", "chat", "--fault", fault]).await;
        let mut call = bench.greeted().await;
        bench.ask(&mut call).await;
        let over = call.hang_up().await.expect("a recording");
        assert_eq!(answers(&over.events), [BY_STAGES], "{fault}: {:#?}", over.events);
        assert_eq!(failures(&over.events), 0, "{fault}: {:#?}", over.events);
    });
    futures::future::join_all(each).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_and_the_call_goes_on() {
    // Late enough that it is heard, and not only prepared, when it breaks.
    let bench = Bench::start(&["--tts-ms", "1200", "--stage", "tts", "--fault", "cut"]).await;
    let mut call = bench.greeted().await;
    bench.ask(&mut call).await;
    bench.ask(&mut call).await;
    let over = call.hang_up().await.expect("a recording");
    assert_eq!(failures(&over.events), 1, "{:#?}", over.events);
    assert_eq!(answers(&over.events).last(), Some(&BY_STAGES), "{:#?}", over.events);
}
