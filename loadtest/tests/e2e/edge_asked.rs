//! A node with an edge: calls are admitted there, facts arrive there, commands come from there; and neither's absence
//! loses a call of a known line or a fact.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use edge_protocol::accounts::AgentSpec;
use edge_protocol::admission::Acceptance;
use edge_protocol::link::{Command, EdgeCommand, NodeMessage, NodeStatus};
use edge_protocol::{CallEvent, EndCause, EventKind};
use loadtest::caller::{DialError, Phone, Target};
use tempfile::TempDir;

use crate::fake_edge::FakeEdge;
use crate::node::Node;
use crate::provider::Provider;
use crate::sip::{call_without_media, until_options_say};

const SOON: Duration = Duration::from_secs(15);

struct World {
    edge: FakeEdge,
    node: Node,
    phone: Phone,
    _provider: Provider,
    _dir: TempDir,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("tandem-edge").tempdir().expect("a directory");
        let edge = FakeEdge::start(acceptance()).await.expect("an edge");
        let provider = Provider::start(dir.path(), &[]).await.expect("a provider");
        let settings = [edge.settings(), provider.settings()].concat();
        let node = Node::start("node-1", dir.path(), settings).await.expect("a node");
        let phone = Phone::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 1).await.expect("a phone");
        Self { edge, node, phone, _provider: provider, _dir: dir }
    }

    fn target(&self, number: &str) -> Target {
        Target { patience: SOON, ..Target::to(format!("sip:{number}@127.0.0.1:{}", self.node.sip)) }
    }

    async fn health(&self) -> serde_json::Value {
        let url = format!("http://127.0.0.1:{}/health", self.node.http);
        reqwest::Client::builder()
            .timeout(SOON)
            .build()
            .expect("a client")
            .get(url)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    }
}

fn acceptance() -> Acceptance {
    Acceptance {
        account_id: "acc_1".to_owned(),
        profile_id: "prf_1".to_owned(),
        agent: AgentSpec {
            name: "sales".to_owned(),
            instructions: "You sell pianos.".to_owned(),
            greeting: "Pianos of all kinds, good morning.".to_owned(),
            voice: None,
            silence_prompts: Vec::new(),
            goodbye: "Goodbye.".to_owned(),
            fallback: "Sorry.".to_owned(),
            endpointing_ms: 600,
            silence_after_ms: 60_000,
            rtp_timeout_s: 60,
            tools: Vec::new(),
            pipeline: None,
            replies: Vec::new(),
            keep_voice: None,
            chat_provider: None,
        },
        max_call_s: 120,
        record: false,
    }
}

fn command(id: &str, command: Command) -> EdgeCommand {
    EdgeCommand { command_id: id.to_owned(), command }
}

fn greeted(events: &[CallEvent]) -> bool {
    events.iter().any(|event| matches!(event.kind, EventKind::PromptStarted { .. }))
}

fn cause(events: &[CallEvent]) -> Option<EndCause> {
    events.iter().find_map(|event| match event.kind {
        EventKind::CallEnded { cause, .. } => Some(cause),
        _ => None,
    })
}

#[tokio::test]
async fn the_edge_admits_a_call_follows_it_and_ends_it() {
    let world = World::start().await;
    let beat = world.edge.message(SOON, |message| matches!(message, NodeMessage::Heartbeat(_))).await;
    let NodeMessage::Heartbeat(beat) = beat.expect("a heartbeat") else { unreachable!() };
    assert_eq!((beat.node.as_str(), beat.status), ("node-1", NodeStatus::Ok));
    assert_eq!(beat.http_url, format!("http://127.0.0.1:{}", world.node.http));
    assert_eq!(world.health().await["edge"], "linked");

    let caller = world.phone.dial(&world.target("100")).await.expect("the call is admitted");
    let calls = world.edge.calls(SOON, |calls| calls.first().is_some_and(|call| greeted(call))).await.expect("events");
    let EventKind::CallStarted { account_id, profile_id, agent, .. } = &calls[0][0].kind else {
        panic!("{:?}", calls[0][0]);
    };
    assert_eq!((account_id.as_deref(), profile_id.as_deref(), agent.as_str()), (Some("acc_1"), Some("prf_1"), "sales"));
    assert!(calls[0].iter().any(|event| {
        matches!(&event.kind, EventKind::PromptStarted { text } if *text == acceptance().agent.greeting)
    }));

    let call_id = calls[0][0].call_id.clone();
    world.edge.command(&command("cmd_1", Command::HangUp { call_id })).expect("a link");
    let done = NodeMessage::CommandResult { command_id: "cmd_1".to_owned(), error: None };
    world.edge.message(SOON, |message| *message == done).await.expect("the command's result");
    let calls = world.edge.calls(SOON, |calls| cause(&calls[0]).is_some()).await.expect("the end of the call");
    assert_eq!(cause(&calls[0]), Some(EndCause::EndedByEdge));
    assert!(world.node.recordings().is_empty(), "the edge wants no recording");
    caller.hang_up().await;
}

#[tokio::test]
async fn the_edge_drains_a_node_and_opens_it_again() {
    let world = World::start().await;
    world.edge.message(SOON, |message| matches!(message, NodeMessage::Heartbeat(_))).await.expect("a heartbeat");
    world.edge.command(&command("cmd_1", Command::Drain)).expect("a link");
    until_options_say(world.node.sip, 503, SOON).await.expect("a draining node says so");
    assert_eq!(world.health().await["status"], "draining");
    world.edge.command(&command("cmd_2", Command::Undrain)).expect("a link");
    until_options_say(world.node.sip, 200, SOON).await.expect("the node takes calls again");
}

#[tokio::test]
async fn while_the_edge_is_away_a_known_line_is_answered_even_after_a_crash_and_no_fact_is_lost() {
    let mut world = World::start().await;
    let first = world.phone.dial(&world.target("100")).await.expect("the call is admitted");
    first.hang_up().await;
    world
        .edge
        .calls(SOON, |calls| calls.first().is_some_and(|call| cause(call).is_some()))
        .await
        .expect("the first call");
    world.node.until_known_lines_are_saved(SOON).await.expect("the line is remembered on disk");

    world.edge.set_away(true);
    world.node.process.kill().expect("the node is killed");
    world.node.restart().await.expect("the node starts again");
    assert_eq!(world.health().await["edge"], "away");
    let second = world.phone.dial(&world.target("100")).await.expect("the line is known");
    let unknown = world.phone.dial(&world.target("101")).await;
    assert!(matches!(unknown, Err(DialError::Refused { code: 503, .. })), "{:?}", unknown.err());
    second.hang_up().await;
    world.node.until_idle(SOON).await.expect("the call ends");
    assert_ne!(world.health().await["eventsWaiting"], 0);

    world.edge.set_away(false);
    let both_ended = |calls: &[Vec<CallEvent>]| calls.len() == 2 && calls.iter().all(|call| cause(call).is_some());
    let calls = world.edge.calls(Duration::from_secs(60), both_ended).await.expect("all events arrive");
    for call in calls {
        assert_eq!(cause(&call), Some(EndCause::CallerHungUp));
        assert!(matches!(&call[0].kind, EventKind::CallStarted { account_id: Some(_), .. }));
    }
}

#[tokio::test]
async fn an_admitted_call_that_never_starts_begins_and_ends_for_the_edge() {
    let world = World::start().await;
    call_without_media(world.node.sip).await.expect("a call that is answered");
    let calls = world.edge.calls(SOON, |calls| calls.iter().any(|call| call.len() == 2)).await.expect("its events");
    let [EventKind::CallStarted { account_id, .. }, EventKind::CallEnded { cause, duration_ms, .. }] =
        [&calls[0][0].kind, &calls[0][1].kind]
    else {
        panic!("{calls:#?}")
    };
    assert_eq!(account_id.as_deref(), Some("acc_1"));
    assert_eq!((*cause, *duration_ms), (EndCause::SignallingFailed, 0));
}
