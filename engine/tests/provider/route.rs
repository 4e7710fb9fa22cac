//! Two providers in order, the first of which fails in every way: the second serves, and nobody is asked twice.
//! Orders, hedges and pauses in virtual time are tested beside the route.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edge_protocol::SpeechStage;
use engine::speech::openai::{OpenAiClient, OpenAiConfig, Timeouts};
use engine::speech::{
    BreakerSettings, ChatDelta, ChatMessage, Responder, Route, RouteSettings, SpeechError, Synthesizer, Transcriber,
};
use futures::StreamExt;
use serde_json::json;

use crate::fake::{End, Fake, Reply, events, json_reply};
use crate::{LONG, patient};

/// Long enough for what is well on loopback; what stalls gets two thirds of it.
const LIMIT: Duration = Duration::from_secs(3);

fn client(fake: &Fake) -> Arc<OpenAiClient> {
    let timeouts = Timeouts { transcription: LONG, ..patient() };
    let longest_retry_after = Duration::from_millis(100);
    let config =
        OpenAiConfig { base_url: fake.base_url.clone(), timeouts, longest_retry_after, ..OpenAiConfig::default() };
    Arc::new(OpenAiClient::new(config).expect("a valid configuration"))
}

fn settings() -> RouteSettings {
    RouteSettings { limit: LIMIT, hedge_after: None, breaker: BreakerSettings::default() }
}

fn refusal(status: u16, retry_after: Option<&'static str>) -> Reply {
    let body = json!({ "error": { "message": "no" } });
    Reply::Whole(status, retry_after, "application/json", body.to_string())
}

/// What every stage can meet before its answer begins. A 5xx is tried once more where it came from.
fn faults(content_type: &'static str) -> Vec<Vec<Reply>> {
    vec![
        vec![Reply::Silence],
        vec![Reply::Stream(content_type, Vec::new(), End::Silence)],
        vec![Reply::Stream(content_type, Vec::new(), End::CutOff)],
        vec![refusal(429, Some("1"))],
        vec![refusal(500, None), refusal(500, None)],
        vec![Reply::Whole(200, None, "application/json", "{not json".to_owned())],
    ]
}

/// Starts both providers; the first one is to be asked as often as it has replies, the second one once.
async fn pair(fault: Vec<Reply>, well: Reply) -> ([Fake; 2], usize) {
    let times = fault.len();
    ([Fake::start(fault).await, Fake::start([well]).await], times)
}

fn assert_asked([first, second]: &[Fake; 2], times: usize) {
    assert_eq!((first.seen().len(), second.seen().len()), (times, 1));
}

#[tokio::test]
async fn a_transcript_comes_from_the_second() {
    for fault in faults("application/json") {
        let (fakes, times) = pair(fault, json_reply(json!({ "text": "yes" }))).await;
        let named = fakes.each_ref().map(|fake| (fake.base_url.clone(), client(fake) as Arc<dyn Transcriber>));
        let served = Route::new(SpeechStage::Transcription, settings(), named).transcribe(vec![0; 800]).await;
        assert_eq!(served.map(|served| (served.by, served.what)), Ok((1, "yes".to_owned())));
        assert_asked(&fakes, times);
    }
}

#[tokio::test]
async fn an_answer_comes_from_the_second() {
    for fault in faults("text/event-stream") {
        let (fakes, times) = pair(fault, yes()).await;
        let named = fakes.each_ref().map(|fake| (fake.base_url.clone(), client(fake) as Arc<dyn Responder>));
        let route = Route::new(SpeechStage::Chat, settings(), named);
        let served =
            route.respond(0, vec![ChatMessage::User("Open?".to_owned())], Arc::from([])).await.expect("an answer");
        let deltas: Vec<_> = served.what.collect().await;
        assert_eq!((served.by, deltas), (1, vec![Ok(ChatDelta::Text("Yes.".to_owned()))]));
        assert_asked(&fakes, times);
    }
}

#[tokio::test]
async fn whom_an_agent_names_is_asked_before_the_others() {
    let (fakes, times) = pair(vec![refusal(500, None), refusal(500, None)], yes()).await;
    let [failing, well] = &fakes;
    let named = [well, failing].map(|fake| (fake.base_url.clone(), client(fake) as Arc<dyn Responder>));
    let route = Route::new(SpeechStage::Chat, settings(), named);
    let place = route.place(Some(&failing.base_url));
    assert_eq!([place, route.place(None), route.place(Some("nobody"))], [1, 0, 0]);
    let served = route.respond(place, vec![ChatMessage::User("Open?".to_owned())], Arc::from([])).await;
    assert_eq!(served.expect("an answer").by, 0);
    assert_asked(&fakes, times);
}

/// An answer of one word.
fn yes() -> Reply {
    let done = json!({ "choices": [{ "delta": { "content": "Yes." }, "finish_reason": "stop" }] });
    Reply::Stream("text/event-stream", events(&[done]), End::Proper)
}

#[tokio::test]
async fn a_voice_comes_from_the_second() {
    for fault in faults("audio/pcm") {
        let audio = Bytes::from_static(&[1, 0]);
        let (fakes, times) = pair(fault, Reply::Stream("audio/pcm", vec![audio.clone()], End::Proper)).await;
        let named = fakes.each_ref().map(|fake| (fake.base_url.clone(), client(fake) as Arc<dyn Synthesizer>));
        let route = Route::new(SpeechStage::Synthesis, settings(), named);
        let served = route.speak(None, "Yes.".to_owned()).await.expect("a voice");
        let chunks: Vec<Result<Bytes, SpeechError>> = served.what.pcm.collect().await;
        assert_eq!((served.by, chunks), (1, vec![Ok(audio)]));
        assert_asked(&fakes, times);
    }
}
