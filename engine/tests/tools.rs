//! Tools in a conversation, in virtual time: when they run, who waits for them, what the model and the caller get of them.
//! How a webhook or an MCP server is asked is in `tool_services`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{EndCause, EventKind, SpeechStage};
use engine::call::{
    AgentSettings, ChatMessage, Reach, SpeechCommand, SpeechEvent, Tool, ToolCall, ToolDefinition, ToolService,
    TransferTarget, TransferWish,
};
use serde_json::json;
use virtual_call::{Reaction, SPEECH, VirtualCall, agent, patient_agent, spoken};

const FILLER: &str = "One moment, please.";

/// What the model answers, one after the other; then it says "Anything else?".
#[derive(Clone, Copy)]
enum Answer {
    Says(&'static str),
    Calls(&'static str, &'static str),
    SaysAndCalls(&'static str, &'static str, &'static str),
}

use Answer::{Calls, Says, SaysAndCalls};

fn lookup() -> Arc<Tool> {
    let parameters = json!({ "type": "object", "properties": { "order": { "type": "integer" } } });
    Arc::new(Tool {
        definition: ToolDefinition { name: "lookup".to_owned(), description: "Finds an order.".to_owned(), parameters },
        filler: FILLER.to_owned(),
        timeout: Duration::from_secs(20),
        service: ToolService::Webhook { url: "https://shop.example/".to_owned(), secret: None, reach: Reach::Anywhere },
    })
}

fn with_tools(agent: AgentSettings) -> AgentSettings {
    let sales = TransferTarget { name: "sales".to_owned(), to: "+4930123".to_owned() };
    AgentSettings { tools: vec![lookup()], transfer_to: vec![sales], ..agent }
}

fn calls(utterance: u32, n: usize, name: &str, arguments: &str) -> SpeechEvent {
    let call = ToolCall { id: format!("call_{n}"), name: name.to_owned(), arguments: arguments.to_owned() };
    SpeechEvent::ToolsCalled { utterance, calls: vec![call] }
}

/// A call whose model gives `answers`, and whose tools take `tool_ms` for `result`; `None`: they never report.
fn call(
    agent: AgentSettings,
    answers: &'static [Answer],
    tool_ms: u64,
    result: Option<Result<&'static str, &'static str>>,
) -> VirtualCall {
    // What is asked again, because the caller went on, is answered alike.
    let mut asked: Vec<Vec<ChatMessage>> = Vec::new();
    let brain = move |command: &SpeechCommand| -> Reaction {
        match command {
            SpeechCommand::Transcribe { hearing, .. } => {
                vec![(100, SpeechEvent::Transcribed { hearing: *hearing, text: "where is my order".to_owned() })]
            }
            SpeechCommand::Respond { utterance, messages, .. } => {
                let utterance = *utterance;
                let at = asked.iter().position(|before| before == messages).unwrap_or(asked.len());
                asked.resize(asked.len().max(at + 1), messages.clone());
                let given = at + 1;
                match answers.get(at).copied().unwrap_or(Says("Anything else?")) {
                    Says(text) => spoken(100, utterance, text, 1000, false),
                    Calls(name, arguments) => vec![
                        (100, SpeechEvent::FirstToken { utterance }),
                        (100, calls(utterance, given, name, arguments)),
                        (100, SpeechEvent::Said { utterance }),
                    ],
                    SaysAndCalls(text, name, arguments) => {
                        let mut said = spoken(100, utterance, text, 1000, false);
                        said.insert(1, (100, calls(utterance, given, name, arguments)));
                        said
                    }
                }
            }
            SpeechCommand::Say { utterance, text, .. } => spoken(20, *utterance, text, 800, false),
            SpeechCommand::RunTool { run, .. } => match result {
                Some(result) => {
                    let outcome = result.map(str::to_owned).map_err(str::to_owned);
                    vec![(tool_ms, SpeechEvent::ToolFinished { run: *run, outcome })]
                }
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    };
    VirtualCall::new(with_tools(agent), brain)
}

fn completed(call: &VirtualCall) -> Vec<(String, bool)> {
    let completed = call.events.iter().filter_map(|event| match &event.kind {
        EventKind::TurnCompleted { heard_text, interrupted, .. } => Some((heard_text.clone(), *interrupted)),
        _ => None,
    });
    completed.collect()
}

fn requests(call: &VirtualCall) -> Vec<&[ChatMessage]> {
    let requests = call.commands.iter().filter_map(|command| match command {
        SpeechCommand::Respond { messages, .. } => Some(messages.as_slice()),
        _ => None,
    });
    requests.collect()
}

fn runs(call: &VirtualCall) -> usize {
    call.commands.iter().filter(|command| matches!(command, SpeechCommand::RunTool { .. })).count()
}

fn fillers(call: &VirtualCall) -> usize {
    let fills = |command: &&SpeechCommand| matches!(command, SpeechCommand::Say { text, .. } if text == FILLER);
    call.commands.iter().filter(fills).count()
}

fn result_of<'a>(messages: &'a [ChatMessage], call: &str) -> Option<&'a str> {
    messages.iter().find_map(|message| match message {
        ChatMessage::Tool { id, result } if id == call => Some(result.as_str()),
        _ => None,
    })
}

fn ask(call: &mut VirtualCall) {
    let before = completed(call).len();
    call.caller_says(SPEECH);
    call.run_until("answer", |call| completed(call).len() > before);
}

const ORDER: Answer = Calls("lookup", r#"{"order":42}"#);

#[test]
fn the_model_answers_with_a_tools_result_and_the_record_knows_both() {
    let mut call = call(patient_agent(), &[ORDER, Says("It is ready.")], 100, Some(Ok("ready")));
    ask(&mut call);
    assert_eq!(completed(&call), [("It is ready.".to_owned(), false)]);
    let asked = requests(&call);
    let made = ToolCall { id: "call_1".to_owned(), name: "lookup".to_owned(), arguments: r#"{"order":42}"#.to_owned() };
    let expected = [
        ChatMessage::User("where is my order".to_owned()),
        ChatMessage::Assistant { text: String::new(), calls: vec![made] },
        ChatMessage::Tool { id: "call_1".to_owned(), result: "ready".to_owned() },
    ];
    assert_eq!(asked[1][1..], expected);
    assert_eq!(fillers(&call), 0, "a quick result needs none");
    let ran = SpeechCommand::RunTool {
        run: 1,
        call_id: call.call.id().to_owned(),
        tool: lookup(),
        arguments: r#"{"order":42}"#.to_owned(),
    };
    assert!(call.commands.contains(&ran));
    assert!(call.has(|kind| matches!(kind, EventKind::ToolCalled { turn: 1, run: 1, tool, .. } if tool == "lookup")));
    assert!(call.has(|kind| matches!(
        kind,
        EventKind::ToolFinished { run: 1, result, failed: false, took_ms: 100, .. } if result == "ready"
    )));
    // The next turn's request has the whole story, in order.
    ask(&mut call);
    let next = requests(&call)[2];
    assert_eq!(next[1..4], expected);
    assert_eq!(next[4], ChatMessage::assistant("It is ready."));
}

#[test]
fn who_waits_long_hears_the_filler_once_and_then_the_answer() {
    let mut call = call(patient_agent(), &[ORDER, Says("It is ready.")], 3000, Some(Ok("ready")));
    ask(&mut call);
    assert_eq!(fillers(&call), 1);
    assert_eq!(completed(&call), [(format!("{FILLER} It is ready."), false)]);
    assert!(
        matches!(&requests(&call)[1][2], ChatMessage::Assistant { text, .. } if text == FILLER),
        "the model knows what was said for it"
    );
}

#[test]
fn a_model_that_said_something_itself_needs_no_filler() {
    let answers = &[SaysAndCalls("I will look.", "lookup", "{}"), Says("It is ready.")];
    let mut call = call(patient_agent(), answers, 3000, Some(Ok("ready")));
    ask(&mut call);
    assert_eq!(fillers(&call), 0);
    assert_eq!(completed(&call), [("I will look. It is ready.".to_owned(), false)]);
}

#[test]
fn nothing_is_run_before_the_turn_is_over() {
    let mut call = call(agent(), &[ORDER, Says("It is ready.")], 100, Some(Ok("ready")));
    call.caller_says(SPEECH);
    call.run_until("request", |call| !requests(call).is_empty());
    call.run_for(200);
    assert!(!call.has(|kind| matches!(kind, EventKind::TurnTranscribed { .. })), "the turn may still go on");
    assert_eq!(runs(&call), 0);
    call.run_until("answer", |call| !completed(call).is_empty());
    assert_eq!((runs(&call), completed(&call)), (1, vec![("It is ready.".to_owned(), false)]));
    let at = |wanted: fn(&EventKind) -> bool| call.kinds().into_iter().position(wanted);
    let known = at(|kind| matches!(kind, EventKind::TurnTranscribed { .. }));
    assert!(known.is_some() && known < at(|kind| matches!(kind, EventKind::ToolCalled { .. })));
}

#[test]
fn what_was_called_ahead_of_a_turn_that_went_on_is_never_run() {
    let mut call = call(agent(), &[ORDER, Says("It is ready.")], 100, Some(Ok("ready")));
    call.caller_says(SPEECH);
    call.run_until("request", |call| !requests(call).is_empty());
    call.run_for(200);
    call.caller_says(SPEECH);
    call.run_until("answer", |call| !completed(call).is_empty());
    assert_eq!(completed(&call), [("It is ready.".to_owned(), false)]);
    assert!(requests(&call).len() > 2, "it was called ahead, and again");
    assert_eq!(runs(&call), 1, "for the turn that was over in the end");
}

#[test]
fn a_result_that_comes_after_the_caller_moved_on_is_known_to_the_next_answer_and_not_spoken() {
    let mut call = call(patient_agent(), &[ORDER, Says("Two people.")], 12_000, Some(Ok("ready")));
    call.caller_says(SPEECH);
    call.run_until("tool", |call| runs(call) == 1);
    // Before the filler: the caller has something else to ask.
    call.run_for(100);
    call.caller_says(SPEECH);
    call.run_until("both turns", |call| completed(call).len() == 2);
    assert_eq!(completed(&call), [(String::new(), true), ("Two people.".to_owned(), false)]);
    let second = requests(&call)[1];
    assert_eq!(result_of(second, "call_1"), Some("There is no result yet."));
    assert_eq!(second.iter().filter(|line| matches!(line, ChatMessage::User(_))).count(), 2);
    call.run_until("result", |call| call.has(|kind| matches!(kind, EventKind::ToolFinished { .. })));
    call.run_for(1000);
    assert_eq!(requests(&call).len(), 2, "nothing is said about it now");
    ask(&mut call);
    assert_eq!(result_of(requests(&call)[2], "call_1"), Some("ready"));
}

#[test]
fn the_caller_may_cut_in_while_a_tool_runs() {
    let mut call = call(patient_agent(), &[ORDER, Says("Two people.")], 12_000, Some(Ok("ready")));
    call.caller_says(SPEECH);
    call.run_until("filler", |call| call.voice_bytes() > 0);
    call.run_for(1000);
    call.caller_says(SPEECH);
    call.run_until("both turns", |call| completed(call).len() == 2);
    assert_eq!(completed(&call)[0], (FILLER.to_owned(), true));
    assert_eq!(completed(&call)[1], ("Two people.".to_owned(), false));
}

#[test]
fn a_failure_is_told_to_the_model() {
    let mut call =
        call(patient_agent(), &[ORDER, Says("I cannot see it.")], 100, Some(Err("the service answered 500")));
    ask(&mut call);
    assert_eq!(result_of(requests(&call)[1], "call_1"), Some("The tool failed: the service answered 500"));
    assert_eq!(completed(&call), [("I cannot see it.".to_owned(), false)]);
    assert!(call.has(|kind| matches!(kind, EventKind::ToolFinished { failed: true, .. })));
}

#[test]
fn a_tool_that_never_reports_is_given_up_in_its_time() {
    let mut call = call(patient_agent(), &[ORDER, Says("I cannot see it.")], 0, None);
    ask(&mut call);
    assert_eq!(completed(&call), [(format!("{FILLER} I cannot see it."), false)]);
    assert!(call.has(|kind| matches!(kind, EventKind::ToolFinished { failed: true, took_ms: 21_000, .. })));
}

#[test]
fn a_tool_there_is_not_and_arguments_that_make_no_sense_are_told_to_the_model() {
    let answers = &[Calls("pizza", "{}"), Calls("lookup", "{\"order\":"), Says("Sorry.")];
    let mut call = call(patient_agent(), answers, 100, Some(Ok("ready")));
    ask(&mut call);
    assert_eq!(runs(&call), 0);
    let last = requests(&call)[2];
    assert!(result_of(last, "call_1").unwrap().contains("there is no tool \"pizza\""));
    assert!(result_of(last, "call_2").unwrap().contains("no JSON object"));
    assert_eq!(completed(&call), [("Sorry.".to_owned(), false)]);
}

#[test]
fn a_model_that_only_calls_tools_is_stopped_and_the_caller_hears_something() {
    let mut call = call(patient_agent(), &[ORDER; 20], 10, Some(Ok("ready")));
    call.caller_says(SPEECH);
    call.run_until("failure", |call| {
        call.has(|kind| matches!(kind, EventKind::SpeechFailed { stage: SpeechStage::Chat, .. }))
    });
    assert_eq!((runs(&call), requests(&call).len()), (5, 6));
    call.run_until("fallback", |call| call.has(|kind| matches!(kind, EventKind::PromptStarted { .. })));
}

#[test]
fn a_transfer_begins_when_what_the_agent_says_about_it_was_heard() {
    let answers = &[SaysAndCalls("I put you through.", "transfer", r#"{"to":"sales","reason":"A new order."}"#)];
    let mut call = call(patient_agent(), answers, 0, None);
    call.caller_says(SPEECH);
    call.run_until("voice", |call| call.voice_bytes() > 0);
    assert!(call.transfers.is_empty());
    call.run_until("transfer", |call| !call.transfers.is_empty());
    assert_eq!(completed(&call), [("I put you through.".to_owned(), false)]);
    let wish = TransferWish { to: "+4930123".to_owned(), reason: Some("A new order.".to_owned()) };
    assert_eq!(call.transfers, [wish]);
    assert_eq!(requests(&call).len(), 1);
}

#[test]
fn a_transfer_or_hang_up_the_caller_talks_into_is_not_done_and_the_model_knows() {
    for (name, arguments) in [("transfer", r#"{"to":"sales"}"#), ("hang_up", "{}")] {
        let answers: &'static [Answer] = match name {
            "transfer" => &[SaysAndCalls("I put you through.", "transfer", r#"{"to":"sales"}"#)],
            _ => &[SaysAndCalls("Goodbye then.", "hang_up", "{}")],
        };
        let mut call = call(patient_agent(), answers, 0, None);
        call.caller_says(SPEECH);
        call.run_until("voice", |call| call.voice_bytes() > 0);
        call.caller_says(SPEECH);
        call.run_until("both turns", |call| completed(call).len() == 2);
        assert!(completed(&call)[0].1, "{name} {arguments}");
        assert!(call.transfers.is_empty() && call.hang_up.is_none());
        let known = result_of(requests(&call)[1], "call_1");
        assert_eq!(known, Some("Not done: the caller went on speaking."));
    }
}

#[test]
fn a_model_that_hangs_up_without_a_word_says_goodbye() {
    let mut call = call(patient_agent(), &[Calls("hang_up", "")], 0, None);
    call.caller_says(SPEECH);
    call.run_until("hang-up", |call| call.hang_up.is_some());
    assert_eq!(call.hang_up, Some(EndCause::AgentHungUp));
    assert!(call.has(|kind| matches!(kind, EventKind::PromptStarted { text } if text == "Goodbye.")));
}

#[test]
fn keys_are_pressed_and_nothing_needs_to_be_said() {
    let mut call = call(patient_agent(), &[Calls("send_dtmf", r#"{"keys":"4"}"#)], 0, None);
    call.caller_says(SPEECH);
    call.run_until("turn", |call| !completed(call).is_empty());
    call.run_for(500);
    let events = call.packets.iter().filter(|packet| packet[1] & 0x7F == 101 && packet[12] == 4).count();
    assert!(events > 3, "{events} packets of key 4");
    assert_eq!((requests(&call).len(), call.has(|kind| matches!(kind, EventKind::SpeechFailed { .. }))), (1, false));
}

#[test]
fn tools_a_server_has_are_offered_from_the_next_answer_on() {
    let mut call =
        call(patient_agent(), &[Says("Hello."), Calls("crm_lookup", "{}"), Says("Found.")], 10, Some(Ok("x")));
    let server = Arc::new(engine::call::McpServer {
        name: "crm".to_owned(),
        url: "https://crm.example/mcp".to_owned(),
        token: None,
        timeout: Duration::from_secs(5),
        filler: String::new(),
    });
    ask(&mut call);
    call.call.handle_speech(call.now, SpeechEvent::ToolsFound { server, tools: vec![lookup()] });
    ask(&mut call);
    assert_eq!(completed(&call)[1].0, "Found.");
    assert_eq!(runs(&call), 1);
    let offered = call.commands.iter().rev().find_map(|command| match command {
        SpeechCommand::Respond { tools, .. } => Some(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(offered.unwrap(), ["hang_up", "send_dtmf", "transfer", "lookup", "crm_lookup"]);
}
