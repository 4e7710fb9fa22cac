//! Each event as it is documented, written and read.
//! What is done about them is tested with the session.

use serde_json::{Value, json};

use super::*;

fn written(event: &ClientEvent) -> Value {
    serde_json::to_value(event).unwrap()
}

fn read(event: Value) -> ServerEvent {
    serde_json::from_value(event).unwrap()
}

fn id(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_session_is_described_with_turn_detection_off_and_the_line_s_own_audio() {
    let audio = AudioSettings {
        input: AudioInput {
            format: Law::Mu.into(),
            transcription: InputTranscription { model: id("gpt-4o-mini-transcribe") },
            turn_detection: None,
        },
        output: AudioOutput { format: Law::A.into(), voice: id("marin") },
    };
    let tool = FunctionTool { name: id("hang_up"), description: id("Ends."), parameters: json!({"type": "object"}) };
    let session = SessionSettings {
        kind: SessionKind::Realtime,
        instructions: id("Be brief."),
        tools: vec![tool],
        output_modalities: Some(["audio"]),
        audio: Some(audio),
    };
    let event = ClientEvent::SessionUpdate { event_id: id("e1"), session };
    let expected = json!({
        "type": "session.update",
        "event_id": "e1",
        "session": {
            "type": "realtime",
            "instructions": "Be brief.",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": null,
                },
                "output": {"format": {"type": "audio/pcma"}, "voice": "marin"},
            },
            "tools": [{
                "type": "function", "name": "hang_up", "description": "Ends.", "parameters": {"type": "object"},
            }],
        },
    });
    assert_eq!(written(&event), expected);
}

#[test]
fn later_changes_of_a_session_leave_audio_alone() {
    let session = SessionSettings {
        kind: SessionKind::Realtime,
        instructions: id("Be kind."),
        tools: Vec::new(),
        output_modalities: None,
        audio: None,
    };
    let event = written(&ClientEvent::SessionUpdate { event_id: id("e1"), session });
    assert_eq!(event["session"], json!({"type": "realtime", "instructions": "Be kind.", "tools": []}));
}

#[test]
fn every_other_event_is_written_as_documented() {
    let message = NewContent::Message { role: "user", content: [TextPart::InputText { text: id("Hello.") }] };
    let said = NewContent::Message { role: "assistant", content: [TextPart::OutputText { text: id("Hi.") }] };
    let call = NewContent::FunctionCall { call_id: id("c1"), name: id("f"), arguments: id("{}") };
    let output = NewContent::FunctionCallOutput { call_id: id("c1"), output: id("done") };
    let create = |content| ClientEvent::ItemCreate {
        event_id: id("e1"),
        previous_item_id: id("root"),
        item: NewItem { id: id("i1"), content },
    };
    let cases = [
        (
            ClientEvent::AudioAppend { event_id: id("e1"), audio: id("fv8=") },
            json!({"type": "input_audio_buffer.append", "event_id": "e1", "audio": "fv8="}),
        ),
        (
            ClientEvent::AudioCommit { event_id: id("e1") },
            json!({"type": "input_audio_buffer.commit", "event_id": "e1"}),
        ),
        (
            create(message),
            json!({"type": "conversation.item.create", "event_id": "e1", "previous_item_id": "root", "item": {
                "id": "i1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}}),
        ),
        (
            create(said),
            json!({"type": "conversation.item.create", "event_id": "e1", "previous_item_id": "root", "item": {
                "id": "i1", "type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": "Hi."}]}}),
        ),
        (
            create(call),
            json!({"type": "conversation.item.create", "event_id": "e1", "previous_item_id": "root", "item": {
                "id": "i1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}}),
        ),
        (
            create(output),
            json!({"type": "conversation.item.create", "event_id": "e1", "previous_item_id": "root", "item": {
                "id": "i1", "type": "function_call_output", "call_id": "c1", "output": "done"}}),
        ),
        (
            ClientEvent::ItemTruncate { event_id: id("e1"), item_id: id("i1"), content_index: 0, audio_end_ms: 1500 },
            json!({"type": "conversation.item.truncate", "event_id": "e1", "item_id": "i1", "content_index": 0,
                "audio_end_ms": 1500}),
        ),
        (
            ClientEvent::ItemDelete { event_id: id("e1"), item_id: id("i1") },
            json!({"type": "conversation.item.delete", "event_id": "e1", "item_id": "i1"}),
        ),
        (ClientEvent::ResponseCreate { event_id: id("e1") }, json!({"type": "response.create", "event_id": "e1"})),
        (
            ClientEvent::ResponseCancel { event_id: id("e1"), response_id: id("r1") },
            json!({"type": "response.cancel", "event_id": "e1", "response_id": "r1"}),
        ),
    ];
    for (event, expected) in cases {
        assert_eq!(written(&event), expected);
    }
}

#[test]
fn what_the_server_says_of_the_caller_is_read() {
    let committed = json!({"type": "input_audio_buffer.committed", "event_id": "event_1", "previous_item_id": "item_1",
        "item_id": "item_2"});
    assert_eq!(read(committed), ServerEvent::AudioCommitted { item_id: id("item_2") });
    let heard = json!({"type": "conversation.item.input_audio_transcription.completed", "event_id": "event_2",
        "item_id": "item_2", "content_index": 0, "transcript": "Hello.", "logprobs": null,
        "usage": {"type": "tokens", "total_tokens": 26, "input_tokens": 17, "output_tokens": 9}});
    assert_eq!(read(heard), ServerEvent::Transcribed { item_id: id("item_2"), transcript: id("Hello.") });
    let failed = json!({"type": "conversation.item.input_audio_transcription.failed", "event_id": "event_3",
        "item_id": "item_2", "content_index": 0,
        "error": {"type": "transcription_error", "code": "audio_unintelligible", "message": "No.", "param": null}});
    let error = ApiError { code: Some(id("audio_unintelligible")), message: Some(id("No.")), event_id: None };
    assert_eq!(read(failed), ServerEvent::NotTranscribed { item_id: id("item_2"), error });
}

#[test]
fn an_answer_is_read_by_its_present_and_its_older_names() {
    for name in ["response.output_audio.delta", "response.audio.delta"] {
        let delta = json!({"type": name, "event_id": "event_1", "response_id": "resp_1", "item_id": "item_1",
            "output_index": 0, "content_index": 0, "delta": "fv8="});
        let (response_id, item_id) = (id("resp_1"), id("item_1"));
        assert_eq!(read(delta), ServerEvent::AudioDelta { response_id, item_id, delta: id("fv8=") });
    }
    for name in ["response.output_audio_transcript.delta", "response.audio_transcript.delta"] {
        let delta = json!({"type": name, "event_id": "event_1", "response_id": "resp_1", "item_id": "item_1",
            "output_index": 0, "content_index": 0, "delta": "Hel"});
        assert_eq!(read(delta), ServerEvent::TranscriptDelta { response_id: id("resp_1"), delta: id("Hel") });
    }
    for name in ["response.output_audio_transcript.done", "response.audio_transcript.done"] {
        let done = json!({"type": name, "event_id": "event_1", "response_id": "resp_1", "item_id": "item_1",
            "output_index": 0, "content_index": 0, "transcript": "Hello."});
        assert_eq!(read(done), ServerEvent::TranscriptDone { response_id: id("resp_1"), transcript: id("Hello.") });
    }
}

#[test]
fn a_function_that_is_called_is_read_from_each_event_that_tells_of_it() {
    let added = json!({"type": "response.output_item.added", "event_id": "event_1", "response_id": "resp_1",
        "output_index": 0, "item": {"id": "item_1", "object": "realtime.item", "type": "function_call",
        "status": "in_progress", "name": "hang_up", "call_id": "call_1", "arguments": ""}});
    let item = OutputItem {
        id: id("item_1"),
        kind: OutputKind::FunctionCall,
        call_id: Some(id("call_1")),
        name: Some(id("hang_up")),
        arguments: Some(String::new()),
    };
    assert_eq!(read(added), ServerEvent::OutputItemAdded { response_id: id("resp_1"), item });
    let done = json!({"type": "response.function_call_arguments.done", "event_id": "event_2", "response_id": "resp_1",
        "item_id": "item_1", "output_index": 0, "call_id": "call_1", "arguments": "{}"});
    let expected = ServerEvent::ArgumentsDone {
        response_id: id("resp_1"),
        item_id: id("item_1"),
        call_id: id("call_1"),
        name: None,
        arguments: id("{}"),
    };
    assert_eq!(read(done), expected);
}

#[test]
fn the_end_of_a_response_is_read_with_its_reason_and_usage() {
    let done = json!({"type": "response.done", "event_id": "event_1", "response": {
        "object": "realtime.response", "id": "resp_1", "status": "failed",
        "status_details": {"type": "failed", "error": {"type": "server_error", "code": "overloaded", "message": "Later."}},
        "output": [], "conversation_id": "conv_1", "output_modalities": ["audio"], "max_output_tokens": "inf",
        "usage": {"total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
            "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64,
                "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4, "image_tokens": 0}},
            "output_token_details": {"text_tokens": 30, "audio_tokens": 91}},
        "metadata": null}});
    let ServerEvent::ResponseDone { response } = read(done) else { panic!("another event") };
    assert_eq!((response.id.as_str(), response.status), ("resp_1", ResponseStatus::Failed));
    let tokens =
        SpokenTokens { input: 132, text_input: 119, cached: 64, cached_text: 60, output: 121, text_output: 30 };
    assert_eq!(response.usage.map(SpokenTokens::from), Some(tokens));
    assert_eq!(response.status_details.unwrap().error.unwrap().words(), "Later. (overloaded)");
    let created = json!({"type": "response.created", "event_id": "event_1", "response": {
        "id": "resp_1", "status": "in_progress", "status_details": null, "output": [], "usage": null}});
    assert!(matches!(read(created), ServerEvent::ResponseCreated { response } if response.id == "resp_1"));
}

#[test]
fn an_error_names_the_event_of_ours_it_is_about() {
    let error = json!({"type": "error", "event_id": "event_1", "error": {"type": "invalid_request_error",
        "code": "invalid_event", "message": "No such thing.", "param": null, "event_id": "turn_1_commit"}});
    let ServerEvent::Error { error } = read(error) else { panic!("another event") };
    assert_eq!(error.event_id.as_deref(), Some("turn_1_commit"));
    assert_eq!(error.words(), "No such thing. (invalid_event)");
}

#[test]
fn a_session_tells_its_output_format_if_it_has_one() {
    let updated = |session: Value| match read(json!({"type": "session.updated", "event_id": "e", "session": session})) {
        ServerEvent::SessionUpdated { session } => session.output_format().map(str::to_owned),
        other => panic!("{other:?}"),
    };
    let session = json!({"type": "realtime", "id": "sess_1", "audio": {
        "input": {"turn_detection": null}, "output": {"format": {"type": "audio/pcmu"}, "voice": "marin", "speed": 1.0}}});
    assert_eq!(updated(session).as_deref(), Some("audio/pcmu"));
    assert_eq!(updated(json!({"id": "sess_1", "audio": null})), None);
}

#[test]
fn events_nobody_needs_and_events_nobody_knows_are_passed_over() {
    let quota =
        json!({"type": "rate_limits.updated", "event_id": "e", "rate_limits": [{"name": "tokens", "limit": 1}]});
    assert_eq!(read(quota), ServerEvent::Other);
    for name in ["session.created", "conversation.item.added", "conversation.item.done", "response.of.tomorrow"] {
        assert_eq!(read(json!({"type": name, "event_id": "e", "item": {"id": "item_1"}})), ServerEvent::Other);
    }
    assert!(serde_json::from_value::<ServerEvent>(json!({"type": "response.done"})).is_err());
    assert!(serde_json::from_value::<ServerEvent>(json!({"no": "type"})).is_err());
}
