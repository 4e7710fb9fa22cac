//! A node without a front, with its events and its API; a phone that calls it, and one that waits to be called.
//! What the calls are about is up to the tests.

use edge_protocol::EventKind;
use loadtest::caller::{Caller, Phone, Target};
use serde_json::Value;
use tempfile::TempDir;

use crate::api::{Api, SOON, straight_to, waiting_phone};
use crate::events::Events;
use crate::node::{Node, Settings};

pub struct Bench {
    _dir: TempDir,
    pub node: Node,
    pub events: Events,
    pub api: Api,
    /// Who waits to be called.
    pub other: Phone,
    pub other_uri: String,
    pub caller: Phone,
}

// === impl Bench ===

impl Bench {
    /// `settings` may name whoever waits to be called.
    pub async fn start(settings: impl FnOnce(&Phone) -> Settings) -> Self {
        let (other, other_uri) = waiting_phone().await.expect("a phone");
        let (caller, _) = waiting_phone().await.expect("a phone");
        let dir = TempDir::new().expect("a directory");
        let node = Node::start("node-1", dir.path(), settings(&other)).await.expect("a node");
        let events = node.events().await.expect("its events");
        let api = Api::of(&node).expect("its API");
        Self { _dir: dir, node, events, api, other, other_uri, caller }
    }

    /// Dials the node and waits until the agent has begun to speak; the call's id at the node.
    pub async fn dial(&mut self) -> (Caller, String) {
        self.dial_as(&straight_to(&self.node, "agent")).await
    }

    /// The same as somebody else, or in another way.
    pub async fn dial_as(&mut self, target: &Target) -> (Caller, String) {
        let call = self.caller.dial(target).await.expect("a call");
        let greets = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { .. });
        let greeting = self.events.until("the greeting", SOON, greets).await.expect("the agent greets");
        (call, greeting.call_id)
    }

    /// Has the node give a call to somebody else.
    pub async fn transfer(&self, call_id: &str, order: Value) {
        let (status, answer) =
            self.api.post(&format!("/v1/calls/{call_id}/transfer"), &order).await.expect("an answer");
        assert_eq!(status, 202, "{answer}");
    }

    /// What happens next of that kind, in whichever call.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&EventKind) -> bool) -> EventKind {
        self.events.until(what, SOON, wanted).await.expect(what).kind
    }
}
