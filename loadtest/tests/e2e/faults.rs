//! A provider that is slow, refuses, limits, breaks off or is not there at all: callers hear a sentence, not silence,
//! and the same call goes on once the provider is well. The same for the node's own offline speech.

use std::fs;
use std::time::Duration;

use edge_protocol::{EndCause, EventKind, SpeechStage};
use engine::audio::g711::Law;
use loadtest::caller::media::LegReport;
use loadtest::measure::alignment::compare;
use loadtest::voice::Utterance;
use tokio_util::sync::CancellationToken;

use crate::caller::{Phone, assert_unbroken};
use crate::node::root;
use crate::ports::free_port;
use crate::process::{POLL, send_signal};
use crate::provider::{Provider, at_port};
use crate::stack::Stack;

const QUESTION: &str = "what is your address";
const REPLY: &str = "We are next to the post office.";

/// The sentence of `agents/reception.toml` for when something is broken.
const FALLBACK: &str = "I am sorry, something went wrong on our side. Could you say that again?";
/// The recorded sentence for when not even that can be spoken, and its audio.
const APOLOGY: &str = "Sorry, something went wrong on our side. Please try again.";
const APOLOGY_AUDIO: &str = "engine/assets/apology.ulaw";

/// As `loadtest ai-stub` names them.
const FAULTS: [&str; 4] = ["slow", "500", "429", "cut"];

/// Nobody waits longer for a sentence, from the question's last word on.
const LONGEST_SILENCE: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_caller_hears_a_fallback_when_transcription_fails_and_the_call_goes_on() {
    every_fault_of("stt", SpeechStage::Transcription).await;
}

#[tokio::test]
async fn a_caller_hears_a_fallback_when_chat_fails_and_the_call_goes_on() {
    every_fault_of("chat", SpeechStage::Chat).await;
}

#[tokio::test]
async fn a_caller_hears_the_recorded_apology_when_synthesis_fails_and_the_call_goes_on() {
    every_fault_of("tts", SpeechStage::Synthesis).await;
}

#[tokio::test]
async fn with_no_provider_at_all_the_greeting_is_the_recorded_apology() {
    let nobody = free_port().expect("a port nobody listens on");
    let stack = Stack::start_with(1, &at_port(nobody)).await.expect("Kamailio and a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let mut call = phone.dial().await.expect("the call is answered all the same");
    assert!(call.greeting().await.expect("a call that stays up"), "something is said");
    let over = call.hang_up().await.expect("a recording");
    assert_unbroken(&over.media, "the caller without a provider");
    assert_apology(&over.media);
    let said = first_prompt(&over.events);
    assert_eq!(said.as_deref(), Some(APOLOGY), "the events tell what was said");
}

#[tokio::test]
async fn a_provider_that_is_down_is_apologised_for_at_every_question_and_the_call_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let well = ["--reply", REPLY, "--transcript", QUESTION];
    let mut provider = Provider::start(dir.path(), &well).await.expect("a provider");
    let stack = Stack::start_with(1, &provider.settings()).await.expect("Kamailio and a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let question = question().await;
    let mut call = phone.dial().await.expect("a call");
    assert!(call.greeting().await.expect("a call that stays up"));
    provider.kill().expect("kill");
    for n in 1..=4 {
        let heard = call.ask(QUESTION, &question).await.expect("a call that stays up");
        let soon = heard.latency_ms.is_some_and(|ms| ms <= LONGEST_SILENCE.as_secs_f64() * 1000.0);
        assert!(soon, "question {n}: {heard:?}");
    }
    let events = call.events();
    let apologies =
        events.iter().filter(|event| matches!(event, EventKind::PromptStarted { text } if text == FALLBACK));
    assert_eq!(apologies.count(), 4, "in the agent's own voice, which was kept: {events:#?}");
    provider.replace(dir.path(), &well).await.expect("a provider that is well");
    assert!(call.ask(QUESTION, &question).await.expect("a call that stays up").answered);
    let over = call.hang_up().await.expect("a recording");
    let replied =
        |event: &EventKind| matches!(event, EventKind::TurnCompleted { heard_text, .. } if heard_text == REPLY);
    assert!(over.events.iter().any(replied), "{:#?}", over.events);
    assert_unbroken(&over.media, "the caller whose provider was down");
}

#[tokio::test]
async fn offline_speech_that_dies_in_a_call_is_started_again_and_the_call_goes_on() {
    let speech = free_port().expect("a port for the node's speech");
    let settings = vec![("TANDEM_SPEECH__OFFLINE", format!("127.0.0.1:{speech}"))];
    let stack = Stack::start_with(1, &settings).await.expect("Kamailio and a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let question = question().await;
    let mut call = phone.dial().await.expect("a call");
    call.greeting().await.expect("a call that stays up");
    assert!(call.ask(QUESTION, &question).await.expect("a call that stays up").answered);

    let dead = offline_speech(&stack).expect("the node's offline speech");
    // At the question's last word: half a second later it is to be transcribed, and nobody is there.
    let said = call.caller.say(&question).await.expect("a call that stays up");
    send_signal("KILL", &[dead]).expect("kill");
    let began = call.caller.voice_starts(LONGEST_SILENCE).await.expect("a call that stays up");
    let began = began.expect("the caller hears a sentence, not silence");
    println!("offline speech killed: a sentence {} ms after the question", began.since(said.last_frame).as_millis());
    let failed = |event: &EventKind| matches!(event, EventKind::SpeechFailed { .. });
    call.until("failure of the speech", SOON, failed).await.expect("the failure is told");

    let client = reqwest::Client::builder().no_proxy().timeout(SOON).build().expect("a client");
    let started_again = async {
        while !is_well(&client, speech).await {
            call.caller.listen(POLL).await.expect("a call that stays up");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), started_again).await.expect("offline speech is started again");
    call.caller.finishes(Duration::from_secs(1), SOON).await.expect("a call that stays up");
    let turns = completed(&call.events());
    assert!(call.ask(QUESTION, &question).await.expect("a call that stays up").answered);
    let over = call.hang_up().await.expect("a recording");
    assert_unbroken(&over.media, "the caller whose speech was killed");
    assert!(completed(&over.events) > turns, "the same call is answered again: {:#?}", over.events);
}

/// All faults of a stage, each on a stack of its own, side by side.
async fn every_fault_of(stage: &'static str, named: SpeechStage) {
    futures::future::join_all(FAULTS.map(|fault| one_fault_of(stage, fault, named))).await;
}

/// The provider fails at this stage until it is replaced by one that is well.
async fn one_fault_of(stage: &str, fault: &str, named: SpeechStage) {
    let dir = tempfile::tempdir().expect("a directory");
    let faulty = ["--reply", REPLY, "--transcript", QUESTION, "--stage", stage, "--fault", fault];
    let well = ["--reply", REPLY, "--transcript", QUESTION];
    let mut provider = Provider::start(dir.path(), &faulty).await.expect("a provider");
    let stack = Stack::start_with(1, &provider.settings()).await.expect("Kamailio and a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let question = question().await;

    let mut bystander = phone.dial().await.expect("another call");
    let over = CancellationToken::new();
    let listened = async {
        while !over.is_cancelled() {
            bystander.caller.listen(POLL * 10).await.expect("the other call stays up");
        }
        bystander.hang_up().await.expect("a recording")
    };

    let called = async {
        let mut call = phone.dial().await.expect("a call");
        assert!(call.greeting().await.expect("a call that stays up"), "{stage} {fault}: the agent greets");
        let heard = call.ask(QUESTION, &question).await.expect("a call that stays up");
        println!("{stage} {fault}: a sentence {:.0?} ms after the question", heard.latency_ms.unwrap_or(f64::NAN));
        let events = call.events();
        assert!(heard.answered, "{stage} {fault}: the caller hears a sentence, not silence: {events:#?}");
        let late = heard.latency_ms.is_some_and(|ms| ms > LONGEST_SILENCE.as_secs_f64() * 1000.0);
        assert!(!late, "{stage} {fault}: {heard:?}");
        assert_failure_told(&events, named, fault);

        provider.replace(dir.path(), &well).await.expect("a provider that is well");
        let answered = call.ask(QUESTION, &question).await.expect("a call that stays up");
        assert!(answered.answered, "{stage} {fault}: the same call is answered: {:#?}", call.events());
        let over = call.hang_up().await.expect("a recording");
        let replied =
            |event: &EventKind| matches!(event, EventKind::TurnCompleted { heard_text, .. } if heard_text == REPLY);
        assert!(over.events.iter().any(replied), "{stage} {fault}: {:#?}", over.events);
        let hung_up = |event: &EventKind| matches!(event, EventKind::CallEnded { cause: EndCause::CallerHungUp, .. });
        assert!(over.events.iter().any(hung_up), "{stage} {fault}: {:#?}", over.events);
        assert_unbroken(&over.media, &format!("{stage} {fault}, the caller"));
        if named == SpeechStage::Synthesis {
            assert_apology(&over.media);
        }
    };
    let ((), other) = tokio::join!(
        async {
            called.await;
            over.cancel();
        },
        listened
    );
    assert_unbroken(&other.media, &format!("{stage} {fault}, another call"));
}

/// The failure is an event, and what the caller heard instead is the next prompt.
fn assert_failure_told(events: &[EventKind], named: SpeechStage, fault: &str) {
    let failed =
        events.iter().position(|event| matches!(event, EventKind::SpeechFailed { stage, .. } if *stage == named));
    let failed = failed.unwrap_or_else(|| panic!("{named:?} {fault}: no failure told: {events:#?}"));
    let said = first_prompt(&events[failed..]);
    let expected = if named == SpeechStage::Synthesis { APOLOGY } else { FALLBACK };
    assert_eq!(said.as_deref(), Some(expected), "{named:?} {fault}: {events:#?}");
}

fn assert_apology(media: &LegReport) {
    let audio = fs::read(root().join(APOLOGY_AUDIO)).expect("the recorded apology");
    let apology: Vec<i16> = audio.into_iter().map(|byte| Law::Mu.decode(byte)).collect();
    let found = compare(&media.heard, &apology).expect("audio on both sides");
    println!(
        "the recorded apology: correlation {:.4}, after {:.0} ms",
        found.correlation,
        found.offset_samples as f64 / 8.0
    );
    assert!(found.correlation >= 0.99, "the caller hears the recorded apology: {found:?}");
}

fn first_prompt(events: &[EventKind]) -> Option<String> {
    events.iter().find_map(|event| match event {
        EventKind::PromptStarted { text } => Some(text.clone()),
        _ => None,
    })
}

/// Turns that were answered.
fn completed(events: &[EventKind]) -> usize {
    let answered = |event: &&EventKind| matches!(event, EventKind::TurnCompleted { heard_text, .. } if heard_text.contains("Mill Street"));
    events.iter().filter(answered).count()
}

async fn question() -> Utterance {
    Utterance::spoken(QUESTION, "rms").await.expect("a question")
}

/// The process of the node's offline speech.
fn offline_speech(stack: &Stack) -> Option<u32> {
    let is_speech = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"offline-speech")
    };
    stack.nodes.iter().flat_map(|node| node.process.children()).find(is_speech)
}

async fn is_well(client: &reqwest::Client, port: u16) -> bool {
    let answer = client.get(format!("http://127.0.0.1:{port}/health")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
