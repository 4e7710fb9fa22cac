//! The Realtime stub as a client meets it: the documented events in their order, and errors for what cannot be.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::ai_stub::{Fault, Faults, StubCall, serve};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(faults: Option<Faults>) -> Self {
        Self::connect_to(faults, None).await
    }

    async fn connect_to(faults: Option<Faults>, tool: Option<StubCall>) -> Self {
        let stub = Stub {
            transcription_after: Duration::ZERO,
            token_after: Duration::ZERO,
            speech_after: Duration::ZERO,
            transcript: "opening hours".to_owned(),
            reply: Some("From nine to five.".to_owned()),
            tool,
            faults,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1/realtime?model=stub", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, stub, std::future::pending()));
        Self(connect_async(url).await.unwrap().0)
    }

    async fn says(&mut self, event: Value) {
        self.0.send(Message::text(event.to_string())).await.unwrap();
    }

    /// The next event; `None` once the connection is gone.
    async fn hears(&mut self) -> Option<Value> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Some(serde_json::from_str(&text).unwrap()),
            _ => None,
        }
    }

    async fn hears_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.hears().await.unwrap_or_else(|| panic!("the connection is gone before {kind}"));
            if event["type"] == kind {
                return event;
            }
        }
    }

    async fn asks(&mut self) {
        let audio = json!({"output": {"format": {"type": "audio/pcmu"}}});
        self.says(json!({"type": "session.update", "session": {"type": "realtime", "audio": audio}})).await;
        self.says(json!({"type": "input_audio_buffer.append", "audio": "fv8="})).await;
        self.says(json!({"type": "input_audio_buffer.commit"})).await;
        self.says(json!({"type": "response.create"})).await;
    }
}

fn fault(fault: Fault, stage: Stage) -> Option<Faults> {
    Some(Faults::new(fault, stage, 1, Duration::ZERO))
}

#[tokio::test]
async fn a_question_is_taken_written_down_and_answered_in_the_documented_order() {
    let mut client = Client::connect(None).await;
    client.asks().await;
    let mut seen = Vec::new();
    let (mut words, mut bytes) = (String::new(), 0);
    loop {
        let event = client.hears().await.unwrap();
        let kind = event["type"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "response.output_audio_transcript.delta" => words += event["delta"].as_str().unwrap(),
            "response.output_audio.delta" => bytes += BASE64.decode(event["delta"].as_str().unwrap()).unwrap().len(),
            _ => {}
        }
        if seen.last() != Some(&kind) {
            seen.push(kind);
        }
        if event["type"] == "response.done" {
            assert_eq!(event["response"]["status"], "completed");
            break;
        }
    }
    assert_eq!(words, "From nine to five.");
    assert_eq!(bytes, words.len() * 60 * 8, "60 ms a character");
    let at = |kind: &str| seen.iter().position(|one| one == kind).unwrap_or_else(|| panic!("no {kind} in {seen:?}"));
    let order = [
        "session.created",
        "session.updated",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.output_item.done",
        "response.done",
    ];
    assert!(order.is_sorted_by_key(|kind| at(kind)), "{seen:?}");
    at("conversation.item.input_audio_transcription.completed");
}

#[tokio::test]
async fn one_response_at_a_time_is_made_and_it_can_be_cancelled_and_cut() {
    let mut client = Client::connect(None).await;
    client.asks().await;
    client.says(json!({"type": "response.create", "event_id": "mine"})).await;
    let error = client.hears_of("error").await;
    assert_eq!(error["error"]["code"], "conversation_already_has_active_response");
    assert_eq!(error["error"]["event_id"], "mine");
    let spoken = client.hears_of("response.output_audio.delta").await;
    client.says(json!({"type": "response.cancel"})).await;
    assert_eq!(client.hears_of("response.done").await["response"]["status"], "cancelled");
    client.says(json!({"type": "response.cancel"})).await;
    assert_eq!(client.hears_of("error").await["error"]["code"], "response_cancel_not_active");
    let truncate = |ms: u64| {
        json!({"type": "conversation.item.truncate", "item_id": spoken["item_id"],
        "content_index": 0, "audio_end_ms": ms})
    };
    client.says(truncate(90)).await;
    assert_eq!(client.hears_of("conversation.item.truncated").await["audio_end_ms"], 90);
    client.says(truncate(60_000)).await;
    client.hears_of("error").await;
}

#[tokio::test]
async fn a_tool_that_is_offered_is_called_and_its_result_is_told() {
    let tool = StubCall { name: "lookup".to_owned(), arguments: r#"{"order":42}"#.to_owned() };
    let mut client = Client::connect_to(None, Some(tool)).await;
    client.asks().await;
    client.hears_of("response.output_audio.delta").await;
    client.hears_of("response.done").await;
    let session = json!({"type": "realtime", "tools": [{"type": "function", "name": "lookup"}]});
    client.says(json!({"type": "session.update", "session": session})).await;
    client.asks().await;
    let done = client.hears_of("response.function_call_arguments.done").await;
    assert_eq!(done["arguments"], r#"{"order":42}"#);
    let done = client.hears_of("response.done").await;
    let call = &done["response"]["output"][0];
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("lookup")));
    let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "shipped"});
    client.says(json!({"type": "conversation.item.create", "item": output})).await;
    client.says(json!({"type": "response.create"})).await;
    let told = client.hears_of("response.output_audio_transcript.done").await;
    assert_eq!(told["transcript"], "The result is shipped.");
}

#[tokio::test]
async fn items_are_made_where_they_are_wanted_and_deleted() {
    let mut client = Client::connect(None).await;
    let make = |id: &str, before: &str, kind: &str| {
        json!({"type": "conversation.item.create",
        "previous_item_id": before, "item": {"id": id, "type": "message", "role": "user",
        "content": [{"type": kind, "text": id}]}})
    };
    client.says(make("b", "root", "input_text")).await;
    assert_eq!(client.hears_of("conversation.item.added").await["previous_item_id"], Value::Null);
    client.says(make("c", "b", "input_text")).await;
    assert_eq!(client.hears_of("conversation.item.added").await["previous_item_id"], "b");
    for wrong in [make("c", "b", "input_text"), make("d", "nobody", "input_text"), make("d", "b", "output_text")] {
        client.says(wrong).await;
        client.hears_of("error").await;
    }
    client.says(json!({"type": "conversation.item.delete", "item_id": "b"})).await;
    client.hears_of("conversation.item.deleted").await;
    client.says(json!({"type": "conversation.item.delete", "item_id": "b"})).await;
    assert_eq!(client.hears_of("error").await["error"]["code"], "item_not_found");
}

#[tokio::test]
async fn what_is_no_event_and_an_empty_buffer_are_errors() {
    let mut client = Client::connect(None).await;
    client.says(json!({"type": "response.of.tomorrow"})).await;
    assert_eq!(client.hears_of("error").await["error"]["code"], "invalid_event");
    client.says(json!({"type": "input_audio_buffer.commit"})).await;
    assert_eq!(client.hears_of("error").await["error"]["code"], "input_audio_buffer_commit_empty");
}

#[tokio::test]
async fn faults_hit_their_stage_only() {
    let mut client = Client::connect(fault(Fault::ServerError, Stage::Stt)).await;
    client.asks().await;
    client.hears_of("conversation.item.input_audio_transcription.failed").await;
    assert_eq!(client.hears_of("response.done").await["response"]["status"], "completed");
    let mut client = Client::connect(fault(Fault::RateLimit, Stage::Chat)).await;
    client.asks().await;
    let done = client.hears_of("response.done").await;
    assert_eq!(done["response"]["status_details"]["error"]["code"], "429");
    let mut client = Client::connect(fault(Fault::Cut, Stage::Tts)).await;
    client.asks().await;
    let mut any = false;
    while let Some(event) = client.hears().await {
        any |= event["type"] == "response.output_audio.delta";
        assert_ne!(event["type"], "response.done");
    }
    assert!(any, "it breaks off in the middle");
}
