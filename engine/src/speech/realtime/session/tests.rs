//! A session against a server and a call that are played by hand: who is told what, and when.
//! The shapes on the wire are tested with the events, the socket in `engine/tests/realtime`.

mod order;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::call::SoFar;

/// A session with everything that came out of it.
struct Bench {
    session: Session,
    now: Instant,
    sent: Vec<Value>,
    told: Vec<SpeechEvent>,
    stages: Vec<SpeechCommand>,
    connects: usize,
    closes: usize,
}

impl Bench {
    fn new() -> Self {
        let session = Session::new(Arc::new(RealtimeConfig::default()));
        let now = Instant::now();
        Self { session, now, sent: Vec::new(), told: Vec::new(), stages: Vec::new(), connects: 0, closes: 0 }
    }

    /// A session that stands before the call's first turn.
    fn connected() -> Self {
        let mut bench = Self::new();
        bench.command(SpeechCommand::WarmUp { pipeline: crate::call::Pipeline::SpeechToSpeech, provider: None });
        bench.session.connected(bench.now);
        bench.drain();
        bench
    }

    fn command(&mut self, command: SpeechCommand) {
        self.session.command(self.now, command);
        self.drain();
    }

    fn hears(&mut self, hearing: u32, messages: Vec<ChatMessage>) {
        let so_far = Some(SoFar { voice: None, messages, tools: Arc::new([]) });
        let audio = Bytes::from(vec![0x7f; 8000]);
        self.command(SpeechCommand::Transcribe { hearing, law: Law::Mu, audio, so_far });
    }

    fn wants(&mut self, utterance: u32, messages: Vec<ChatMessage>) {
        let tools = Arc::new([]);
        self.command(SpeechCommand::Respond {
            utterance,
            law: Law::Mu,
            voice: None,
            keep: true,
            provider: None,
            messages,
            tools,
        });
    }

    fn server(&mut self, event: Value) {
        self.session.received(self.now, serde_json::from_value(event).unwrap());
        self.drain();
    }

    fn lost(&mut self) {
        let error = RealtimeError::CutOff { base_url: "wss://test".to_owned(), reason: "gone".to_owned() };
        self.session.lost(self.now, error);
        self.drain();
    }

    /// Nothing comes for so long.
    fn silence(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.session.timeout(due);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.pop() {
            match action {
                Action::Connect => self.connects += 1,
                Action::Close => self.closes += 1,
                Action::Send(event) => self.sent.push(serde_json::to_value(event).unwrap()),
                Action::Tell(event) => self.told.push(event),
                Action::Stages(command) => self.stages.push(command),
                Action::StopStages => {}
            }
        }
    }

    /// Types of the events sent since it was asked last.
    fn sent(&mut self) -> Vec<String> {
        self.sent.drain(..).map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    fn told(&mut self) -> Vec<SpeechEvent> {
        std::mem::take(&mut self.told)
    }

    /// The server takes the caller's audio and begins an answer.
    fn answer_begins(&mut self, item: &str, response: &str) {
        self.server(json!({"type": "input_audio_buffer.committed", "item_id": item}));
        self.server(json!({"type": "response.created", "response": {"id": response, "status": "in_progress"}}));
    }

    fn transcribed(&mut self, item: &str, transcript: &str) {
        self.server(json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": item,
            "content_index": 0, "transcript": transcript}));
    }

    /// A second of the answer.
    fn says(&mut self, response: &str, item: &str, text: &str) {
        self.server(json!({"type": "response.output_audio_transcript.delta", "response_id": response, "item_id": item,
            "delta": text}));
        self.server(json!({"type": "response.output_audio.delta", "response_id": response, "item_id": item,
            "delta": BASE64.encode(second())}));
    }

    fn done(&mut self, response: &str, status: &str) {
        self.server(json!({"type": "response.done", "response": {"id": response, "status": status}}));
    }
}

fn second() -> Bytes {
    vec![0x21; 8000].into()
}

fn system() -> ChatMessage {
    ChatMessage::System("Be brief.".to_owned())
}

fn user(text: &str) -> ChatMessage {
    ChatMessage::User(text.to_owned())
}

fn agent(text: &str) -> ChatMessage {
    ChatMessage::assistant(text)
}

/// Tells of a whole answer of a second.
fn spoken(utterance: u32, text: &str) -> Vec<SpeechEvent> {
    vec![
        SpeechEvent::FirstToken { utterance },
        SpeechEvent::Sentence { utterance, text: text.to_owned() },
        SpeechEvent::Voice { utterance, audio: second() },
        SpeechEvent::Said { utterance },
    ]
}

/// "When are you open?" – "From nine to five.", which was asked for and told.
fn answered() -> Bench {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_q", "resp_1");
    bench.transcribed("item_q", "When are you open?");
    bench.wants(1, vec![system(), user("When are you open?")]);
    bench.says("resp_1", "item_a", "From nine to five. ");
    bench.done("resp_1", "completed");
    bench.sent();
    bench.told();
    bench
}

fn is_transcribe(command: &SpeechCommand, number: u32) -> bool {
    matches!(command, SpeechCommand::Transcribe { hearing, .. } if *hearing == number)
}

fn is_respond(command: &SpeechCommand, number: u32) -> bool {
    matches!(command, SpeechCommand::Respond { utterance, .. } if *utterance == number)
}

#[test]
fn the_caller_s_voice_is_answered_at_once_and_told_when_the_call_wants_it() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    assert_eq!(bench.sent[0]["session"]["instructions"], "Be brief.");
    let asked = ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "response.create"];
    assert_eq!(bench.sent(), asked);
    bench.answer_begins("item_q", "resp_1");
    bench.says("resp_1", "item_a", "From nine to five. ");
    assert!(bench.told().is_empty(), "nothing is told before it is wanted");
    bench.transcribed("item_q", " When are you open? ");
    assert_eq!(bench.told(), [SpeechEvent::Transcribed { hearing: 1, text: "When are you open?".to_owned() }]);
    bench.wants(1, vec![system(), user("When are you open?")]);
    bench.done("resp_1", "completed");
    assert_eq!(bench.told(), spoken(1, "From nine to five."));
    assert!(bench.sent().is_empty() && bench.stages.is_empty());
}

#[test]
fn an_answer_that_is_complete_before_it_is_wanted_is_told_then() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_q", "resp_1");
    bench.says("resp_1", "item_a", "From nine to five. ");
    bench.done("resp_1", "completed");
    bench.transcribed("item_q", "When?");
    bench.told();
    bench.silence(Duration::from_secs(60));
    bench.wants(1, vec![system(), user("When?")]);
    assert_eq!(bench.told(), spoken(1, "From nine to five."));
}

#[test]
fn a_turn_waits_for_the_connection() {
    let mut bench = Bench::new();
    bench.hears(1, vec![system()]);
    assert_eq!((bench.connects, bench.sent.len()), (1, 0));
    bench.session.connected(bench.now);
    bench.drain();
    assert!(bench.sent().contains(&"response.create".to_owned()));
}

#[test]
fn a_caller_who_goes_on_is_answered_once_with_nothing_left_of_the_first_attempt() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_1", "resp_1");
    bench.says("resp_1", "item_2", "What can I do? ");
    bench.sent();
    bench.command(SpeechCommand::Cancel);
    assert_eq!(bench.sent[0]["response_id"], "resp_1");
    assert_eq!(bench.sent(), ["response.cancel"]);
    bench.hears(2, vec![system()]);
    assert!(bench.sent().is_empty(), "the server can be asked for one response at a time");
    bench.done("resp_1", "cancelled");
    let deleted: Vec<_> = bench.sent.iter().filter_map(|event| event["item_id"].as_str()).collect();
    assert_eq!(deleted, ["item_1", "item_2"]);
    let asked = [
        "conversation.item.delete",
        "conversation.item.delete",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "response.create",
    ];
    assert_eq!(bench.sent(), asked);
    assert!(bench.told().is_empty());
}

#[test]
fn a_response_that_is_not_there_yet_is_cancelled_once_it_is() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.sent();
    bench.command(SpeechCommand::Cancel);
    assert!(bench.sent().is_empty(), "it cannot be named");
    bench.answer_begins("item_1", "resp_1");
    assert_eq!(bench.sent(), ["response.cancel"]);
    bench.says("resp_1", "item_2", "Nobody wants this. ");
    bench.done("resp_1", "cancelled");
    assert!(bench.told().is_empty());
}

#[test]
fn a_barge_in_leaves_the_server_with_what_was_heard() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_q", "resp_1");
    bench.transcribed("item_q", "When?");
    bench.wants(1, vec![system(), user("When?")]);
    bench.says("resp_1", "item_a", "From nine to five. ");
    bench.sent();
    bench.command(SpeechCommand::Cancel);
    bench.command(SpeechCommand::Heard { utterance: 1, ms: 420, text: "From nine".to_owned() });
    assert_eq!(bench.sent[1]["audio_end_ms"], 420);
    assert_eq!(bench.sent[1]["item_id"], "item_a");
    assert_eq!(bench.sent(), ["response.cancel", "conversation.item.truncate"]);
    bench.done("resp_1", "cancelled");
    bench.hears(2, vec![system(), user("When?"), agent("From nine")]);
    let asked = ["input_audio_buffer.append", "input_audio_buffer.commit", "response.create"];
    assert_eq!(bench.sent(), asked, "nothing else needs to be said");
}

#[test]
fn prompts_and_keys_the_server_has_not_heard_are_told_as_text() {
    let mut bench = answered();
    bench.command(SpeechCommand::Heard { utterance: 1, ms: 1000, text: "From nine to five.".to_owned() });
    let before = vec![system(), user("When are you open?"), agent("From nine to five."), agent("Are you there?")];
    bench.wants(3, [before, vec![user("[pressed 12]")]].concat());
    let texts: Vec<_> = bench.sent.iter().filter_map(|event| event["item"]["content"][0]["text"].as_str()).collect();
    assert_eq!(texts, ["Are you there?", "[pressed 12]"]);
    let asked = ["conversation.item.create", "conversation.item.create", "response.create"];
    assert_eq!(bench.sent(), asked);
    bench.server(json!({"type": "response.created", "response": {"id": "resp_2", "status": "in_progress"}}));
    bench.says("resp_2", "item_b", "Twelve it is then. ");
    bench.done("resp_2", "completed");
    assert_eq!(bench.told(), spoken(3, "Twelve it is then."));
}

#[test]
fn further_instructions_are_heeded_by_an_answer_that_was_begun_without_them() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_q", "resp_1");
    bench.transcribed("item_q", "When?");
    bench.sent();
    bench.wants(1, vec![ChatMessage::System("Be rude.".to_owned()), user("When?")]);
    assert_eq!(bench.sent(), ["response.cancel"]);
    bench.done("resp_1", "cancelled");
    assert_eq!(bench.sent[0]["session"]["instructions"], "Be rude.");
    assert_eq!(bench.sent(), ["session.update", "response.create"], "the caller's voice is kept");
}

#[test]
fn a_function_is_called_and_its_result_is_answered() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_q", "resp_1");
    bench.transcribed("item_q", "When?");
    bench.wants(1, vec![system(), user("When?")]);
    bench.says("resp_1", "item_a", "Let me look that up. ");
    let item =
        json!({"id": "item_f", "type": "function_call", "name": "hours", "call_id": "call_1", "arguments": "{}"});
    bench.server(json!({"type": "response.output_item.done", "response_id": "resp_1", "item": item}));
    bench.done("resp_1", "completed");
    let call = ToolCall { id: "call_1".to_owned(), name: "hours".to_owned(), arguments: "{}".to_owned() };
    let called = SpeechEvent::ToolsCalled { utterance: 1, calls: vec![call.clone()] };
    assert!(bench.told().contains(&called));
    bench.sent();
    let called = |text: &str| ChatMessage::Assistant { text: text.to_owned(), calls: vec![call.clone()] };
    let result = ChatMessage::Tool { id: "call_1".to_owned(), result: "nine to five".to_owned() };
    bench.wants(1, vec![system(), user("When?"), called("Let me look that up."), result.clone()]);
    assert_eq!(bench.sent[0]["item"]["output"], "nine to five");
    assert_eq!(bench.sent(), ["conversation.item.create", "response.create"]);
    bench.server(json!({"type": "response.created", "response": {"id": "resp_2", "status": "in_progress"}}));
    bench.says("resp_2", "item_b", "From nine to five. ");
    bench.done("resp_2", "completed");
    assert_eq!(bench.told(), spoken(1, "From nine to five."));

    let heard = "Let me look that up. From nine";
    bench.command(SpeechCommand::Heard { utterance: 1, ms: 1500, text: heard.to_owned() });
    bench.hears(2, vec![system(), user("When?"), called(""), result, agent(heard)]);
    let deleted: Vec<_> = bench.sent.iter().filter_map(|event| event["item_id"].as_str()).collect();
    assert_eq!(deleted, ["item_a", "item_b"], "what was said in two parts becomes one line");
    let texts: Vec<_> = bench.sent.iter().filter_map(|event| event["item"]["content"][0]["text"].as_str()).collect();
    assert_eq!(texts, [heard]);
}

#[test]
fn an_answer_that_only_calls_a_function_is_an_answer() {
    let mut bench = Bench::connected();
    bench.wants(1, vec![system(), user("Bye.")]);
    bench.server(json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}));
    let item =
        json!({"id": "item_f", "type": "function_call", "name": "hang_up", "call_id": "call_1", "arguments": "{}"});
    bench.server(json!({"type": "response.output_item.done", "response_id": "resp_1", "item": item}));
    bench.done("resp_1", "completed");
    let call = ToolCall { id: "call_1".to_owned(), name: "hang_up".to_owned(), arguments: "{}".to_owned() };
    let called = SpeechEvent::ToolsCalled { utterance: 1, calls: vec![call] };
    assert_eq!(bench.told(), [called, SpeechEvent::Said { utterance: 1 }]);
}

#[test]
fn words_that_cannot_be_written_down_do_not_stop_the_answer() {
    let failed = json!({"type": "conversation.item.input_audio_transcription.failed", "item_id": "item_q",
        "error": {"message": "no"}});
    for late in [false, true] {
        let mut bench = Bench::connected();
        bench.hears(1, vec![system()]);
        bench.answer_begins("item_q", "resp_1");
        bench.says("resp_1", "item_a", "From nine to five. ");
        bench.done("resp_1", "completed");
        if late {
            bench.silence(Duration::from_secs(4));
        } else {
            bench.server(failed.clone());
        }
        assert_eq!(bench.told(), [SpeechEvent::Transcribed { hearing: 1, text: UNCLEAR.to_owned() }]);
        bench.transcribed("item_q", "Too late.");
        bench.wants(1, vec![system(), user(UNCLEAR)]);
        assert_eq!(bench.told(), spoken(1, "From nine to five."));
    }
}

#[test]
fn a_session_that_dies_before_anything_was_told_is_made_again_with_its_history() {
    let mut bench = answered();
    bench.command(SpeechCommand::Heard { utterance: 1, ms: 1000, text: "From nine to five.".to_owned() });
    bench.hears(2, vec![system(), user("When are you open?"), agent("From nine to five.")]);
    bench.answer_begins("item_r", "resp_2");
    bench.transcribed("item_r", "And on Sunday?");
    bench.told();
    bench.sent();
    let connects = bench.connects;
    bench.lost();
    assert_eq!(bench.connects, connects + 1);
    bench.session.connected(bench.now);
    bench.drain();
    let texts: Vec<_> = bench.sent.iter().filter_map(|event| event["item"]["content"][0]["text"].as_str()).collect();
    assert_eq!(texts, ["When are you open?", "From nine to five."]);
    assert!(bench.sent().ends_with(&["input_audio_buffer.commit".to_owned(), "response.create".to_owned()]));
    bench.answer_begins("item_s", "resp_3");
    bench.transcribed("item_s", "And Sunday?");
    assert!(bench.told().is_empty(), "what the caller said is told once");
    let before = vec![system(), user("When are you open?"), agent("From nine to five.")];
    bench.wants(2, [before, vec![user("And on Sunday?")]].concat());
    bench.says("resp_3", "item_b", "On Sunday we are closed. ");
    bench.done("resp_3", "completed");
    assert_eq!(bench.told(), spoken(2, "On Sunday we are closed."));
    assert!(bench.stages.is_empty());
}

#[test]
fn a_session_that_dies_in_mid_answer_is_a_failure_the_call_is_told() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_q", "resp_1");
    bench.transcribed("item_q", "When?");
    bench.wants(1, vec![system(), user("When?")]);
    bench.says("resp_1", "item_a", "From nine to five. ");
    bench.told();
    bench.lost();
    let told = bench.told();
    assert!(
        matches!(&told[..], [SpeechEvent::Failed { utterance: Some(1), error, .. }] if error.contains("gone")),
        "{told:?}"
    );
    assert!(bench.stages.is_empty());
}

#[test]
fn when_the_session_cannot_be_had_the_stages_serve_the_turn_and_those_after_it() {
    let mut bench = Bench::new();
    bench.hears(1, vec![system()]);
    bench.lost();
    assert!(is_transcribe(&bench.stages[0], 1));
    bench.wants(1, vec![system(), user("When?")]);
    assert!(is_respond(&bench.stages[1], 1));
    bench.hears(2, vec![system(), user("When?"), agent("At nine.")]);
    assert!(is_transcribe(&bench.stages[2], 2), "the provider is left alone for a while");
    assert_eq!(bench.connects, 1);
    bench.now += RealtimeConfig::default().patience.rest;
    bench.hears(3, vec![system()]);
    assert_eq!((bench.stages.len(), bench.connects), (3, 2), "and then asked again");
}

#[test]
fn a_provider_that_could_not_be_reached_before_the_first_turn_costs_it_no_time() {
    let mut bench = Bench::new();
    bench.command(SpeechCommand::WarmUp { pipeline: crate::call::Pipeline::SpeechToSpeech, provider: None });
    bench.lost();
    bench.hears(1, vec![system()]);
    assert!(is_transcribe(&bench.stages[0], 1));
    assert_eq!(bench.connects, 1);
}

#[test]
fn a_server_that_never_answers_is_given_up_and_the_stages_take_over() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.silence(Duration::from_millis(1900));
    assert!(bench.stages.is_empty());
    bench.silence(Duration::from_millis(200));
    assert!(is_transcribe(&bench.stages[0], 1));
    assert_eq!(bench.closes, 1);
}

#[test]
fn an_answer_that_stops_in_the_middle_is_a_failure() {
    let mut bench = Bench::connected();
    bench.wants(1, vec![system(), user("[pressed 1]")]);
    bench.server(json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}));
    bench.says("resp_1", "item_a", "From nine to five. ");
    bench.told();
    bench.silence(Duration::from_secs(3));
    let told = bench.told();
    assert!(matches!(&told[..], [SpeechEvent::Failed { utterance: Some(1), .. }]), "{told:?}");
}

#[test]
fn a_cancelled_response_that_will_not_end_does_not_hold_up_the_next_turn() {
    let mut bench = Bench::connected();
    bench.hears(1, vec![system()]);
    bench.answer_begins("item_1", "resp_1");
    bench.command(SpeechCommand::Cancel);
    bench.hears(2, vec![system()]);
    bench.silence(Duration::from_millis(1100));
    assert!(is_transcribe(&bench.stages[0], 2));
}

#[test]
fn an_error_about_the_turn_hands_it_to_the_stages() {
    let events = [
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no", "event_id": "turn_1_response"}}),
        json!({"type": "error", "error": {"type": "server_error", "message": "no"}}),
        json!({"type": "response.done", "response": {"id": "resp_1", "status": "failed", "status_details": {
            "error": {"code": "rate_limit_exceeded", "message": "slow down"}}}}),
        json!({"type": "response.done", "response": {"id": "resp_1", "status": "completed"}}),
        json!({"type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "i", "delta": "no base64!"}),
        json!({"type": "session.updated", "session": {"audio": {"output": {"format": {"type": "audio/pcm"}}}}}),
    ];
    for event in events {
        let mut bench = Bench::connected();
        bench.hears(1, vec![system()]);
        bench.answer_begins("item_q", "resp_1");
        bench.transcribed("item_q", "When?");
        bench.server(event.clone());
        bench.wants(1, vec![system(), user("When?")]);
        assert!(bench.stages.iter().any(|command| is_respond(command, 1)), "{event}");
        assert!(!bench.told().iter().any(|told| matches!(told, SpeechEvent::Failed { .. })), "{event}");
    }
}

#[test]
fn an_error_about_something_else_changes_nothing() {
    let errors = [
        json!({"message": "no such item", "event_id": "item_1"}),
        json!({"message": "nothing to cancel", "code": "response_cancel_not_active", "event_id": "turn_1_cancel"}),
        json!({"message": "nothing to cancel", "code": "response_cancel_not_active"}),
        json!({"message": "too late", "event_id": "turn_9_commit"}),
    ];
    for error in errors {
        let mut bench = Bench::connected();
        bench.hears(1, vec![system()]);
        bench.answer_begins("item_q", "resp_1");
        bench.server(json!({"type": "error", "error": error}));
        bench.says("resp_1", "item_a", "From nine to five. ");
        bench.done("resp_1", "completed");
        bench.transcribed("item_q", "When?");
        bench.told();
        bench.wants(1, vec![system(), user("When?")]);
        assert_eq!(bench.told(), spoken(1, "From nine to five."), "{error}");
    }
}

#[test]
fn a_fixed_text_is_the_synthesiser_s() {
    let mut bench = Bench::connected();
    let say = SpeechCommand::Say { utterance: 1, law: Law::Mu, voice: None, text: "Hello.".to_owned(), urgent: false };
    bench.command(say.clone());
    assert_eq!(bench.stages, [say]);
    assert!(bench.sent().is_empty());
}

#[test]
fn the_end_of_the_call_closes_the_session() {
    let mut bench = answered();
    bench.command(SpeechCommand::Over);
    assert_eq!(bench.closes, 1);
    bench.lost();
    assert_eq!(bench.connects, 1, "and it is not opened again");
}
