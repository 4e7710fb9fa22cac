//! REFER in both roles: the node hands a caller over and leaves, bridges where that is refused, and follows a caller's own.
//! The caller is bare SIP here; what is heard after a bridge is in `transferred`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use edge_protocol::{EndCause, EventKind};
use loadtest::caller::Phone;
use serde_json::json;
use sip_bridge::sdp::{self, Local};
use sip_bridge::{
    Dialog, DialogEnd, DialogEvent, Endpoint, EndpointConfig, OutgoingTarget, Progress, ReferReply, Rejection,
    TransferProgress,
};
use tempfile::TempDir;

use crate::api::{Api, SOON, rings, waiting_phone};
use crate::events::Events;
use crate::node::{Node, Settings};
use crate::ports::free_port;

struct Bench {
    _dir: TempDir,
    node: Node,
    events: Events,
    api: Api,
    other: Phone,
    other_uri: String,
    caller: Endpoint,
}

impl Bench {
    async fn start(settings: Settings) -> Self {
        let (other, other_uri) = waiting_phone().await.expect("a phone");
        let dir = TempDir::new().expect("a directory");
        let node = Node::start("node-1", dir.path(), settings).await.expect("a node");
        let events = node.events().await.expect("its events");
        let api = Api::of(&node).expect("its API");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let caller = Endpoint::bind(EndpointConfig::new(any)).await.expect("an endpoint");
        Self { _dir: dir, node, events, api, other, other_uri, caller }
    }

    /// Dials the node; the dialog, and the call's id at the node.
    async fn dial(&mut self) -> (Dialog, String) {
        let target = OutgoingTarget::new(format!("sip:agent@127.0.0.1:{}", self.node.sip), "sip:caller@127.0.0.1");
        let addr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = free_port().expect("a port");
        let offer = sdp::offer(&Local {
            addr,
            codecs: sdp::Codec::ALL.to_vec(),
            port,
            rtcp_mux: true,
            session_id: 1,
            version: 1,
            security: sdp::Security::default(),
        });
        let mut call = self.caller.handle().call(target, offer).await.expect("an INVITE");
        let dialog = loop {
            match call.next_progress().await {
                Progress::Answered { dialog, .. } => break dialog,
                Progress::Failed(failure) => panic!("{failure}"),
                _ => {}
            }
        };
        let greets = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { .. });
        (dialog, self.events.until("the greeting", SOON, greets).await.expect("the agent greets").call_id)
    }

    async fn hand_over(&self, call_id: &str) {
        let order = json!({ "to": self.other_uri, "mode": "blind" });
        let (status, answer) =
            self.api.post(&format!("/v1/calls/{call_id}/transfer"), &order).await.expect("an answer");
        assert_eq!(status, 202, "{answer}");
    }
}

/// The REFER that comes in a dialog: whom it names, and the answer owed to it.
async fn referred(dialog: &mut Dialog) -> (String, ReferReply) {
    let waits = async {
        loop {
            match dialog.next_event().await.expect("the call goes on") {
                DialogEvent::Refer { refer_to, reply, .. } => return (refer_to, reply),
                DialogEvent::Ended { cause } => panic!("no REFER: {cause:?}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(SOON, waits).await.expect("a REFER")
}

#[tokio::test]
async fn a_caller_who_is_handed_over_is_followed_to_the_end_and_left() {
    let mut bench = Bench::start(Settings::new()).await;
    let (mut dialog, call_id) = bench.dial().await;
    bench.hand_over(&call_id).await;
    let (refer_to, reply) = referred(&mut dialog).await;
    assert_eq!(refer_to, bench.other_uri);
    let mut reports = reply.accept().await.expect("202");
    reports.notify(180);
    let (_, state) = bench.api.get(&format!("/v1/calls/{call_id}")).await.expect("the call");
    assert_eq!(state["state"], "transferring", "nobody leaves before it is known how it went");
    reports.notify(200);
    let end = tokio::time::timeout(SOON, dialog.next_event()).await.expect("BYE");
    assert!(matches!(end, Some(DialogEvent::Ended { cause: DialogEnd::RemoteBye })), "{end:?}");
    let over = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::Transferred, .. });
    bench.events.until("the end", SOON, over).await.expect("it is transferred");
}

#[tokio::test]
async fn a_hand_over_that_fails_brings_the_agent_back() {
    let mut bench = Bench::start(Settings::new()).await;
    let (mut dialog, call_id) = bench.dial().await;
    bench.hand_over(&call_id).await;
    let (_, reply) = referred(&mut dialog).await;
    reply.accept().await.expect("202").notify(486);
    let failed = |kind: &EventKind| matches!(kind, EventKind::TransferFailed { sip, .. } if sip.code == 486);
    bench.events.until("the failure", SOON, failed).await.expect("it is told");
    let sorry = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { text } if text.contains("sorry"));
    bench.events.until("the apology", SOON, sorry).await.expect("the agent says so");
}

#[tokio::test]
async fn where_refer_is_refused_both_are_bridged() {
    let mut bench = Bench::start(Settings::new()).await;
    let (mut dialog, call_id) = bench.dial().await;
    bench.hand_over(&call_id).await;
    let (_, reply) = referred(&mut dialog).await;
    reply.reject(Rejection::new(405)).await;
    let other = rings(&mut bench.other).await.expect("it rings").answer().await.expect("picked up");
    let bridged = |kind: &EventKind| matches!(kind, EventKind::Bridged { .. });
    bench.events.until("the bridge", SOON, bridged).await.expect("both are bridged");
    other.hang_up().await;
}

#[tokio::test]
async fn a_callers_refer_is_followed_where_it_is_allowed_and_declined_where_not() {
    let mut bench = Bench::start(Settings::new()).await;
    let (dialog, _) = bench.dial().await;
    let declined = dialog.handle().refer(&bench.other_uri, None).await.err().expect("603").to_string();
    assert!(declined.contains("603"), "{declined}");

    let mut bench = Bench::start(vec![("TANDEM_ACCEPT_REFER", "true".to_owned())]).await;
    let (dialog, _) = bench.dial().await;
    let mut transfer = dialog.handle().refer(&bench.other_uri, None).await.expect("202");
    let mut other = rings(&mut bench.other).await.expect("it rings").answer().await.expect("picked up");
    let reported = async {
        loop {
            match transfer.next_progress().await {
                TransferProgress::Ringing(_) => {}
                last => return last,
            }
        }
    };
    let reported = tokio::time::timeout(SOON, reported).await.expect("a last report");
    assert_eq!(reported, TransferProgress::Succeeded);
    assert!(other.voice_starts(SOON).await.expect("a live call").is_some(), "the agent speaks with them");
    other.hang_up().await;
}
