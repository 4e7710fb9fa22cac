//! REFER in both roles: the node hands a caller over and leaves, bridges where that is refused, and follows a caller's own.
//! The caller is bare SIP here; what is heard after a bridge is in `transferred`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use edge_protocol::{EndCause, EventKind};
use serde_json::json;
use sip_bridge::sdp::{self, Local};
use sip_bridge::{
    Dialog, DialogEnd, DialogEvent, Endpoint, EndpointConfig, OutgoingTarget, Progress, ReferReply, Rejection,
    TransferProgress,
};

use crate::api::{SOON, rings};
use crate::bench::Bench;
use crate::node::Settings;
use crate::ports::free_port;

/// A caller without media, and the bench it calls.
struct Referring {
    bench: Bench,
    caller: Endpoint,
}

impl Referring {
    async fn start(settings: Settings) -> Self {
        let bench = Bench::start(|_| settings).await;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let caller = Endpoint::bind(EndpointConfig::new(any)).await.expect("an endpoint");
        Self { bench, caller }
    }

    /// Dials the node; the dialog, and the call's id at the node.
    async fn dial(&mut self) -> (Dialog, String) {
        let target =
            OutgoingTarget::new(format!("sip:agent@127.0.0.1:{}", self.bench.node.sip), "sip:caller@127.0.0.1");
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
        self.bench.until("the greeting", |kind| matches!(kind, EventKind::PromptStarted { .. })).await;
        let call_id = self.bench.events.seen.last().expect("the greeting").call_id.clone();
        (dialog, call_id)
    }

    async fn hand_over(&self, call_id: &str) {
        self.bench.transfer(call_id, json!({ "to": self.bench.other_uri, "mode": "blind" })).await;
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
    let mut referring = Referring::start(Settings::new()).await;
    let (mut dialog, call_id) = referring.dial().await;
    referring.hand_over(&call_id).await;
    let (refer_to, reply) = referred(&mut dialog).await;
    assert_eq!(refer_to, referring.bench.other_uri);
    let mut reports = reply.accept().await.expect("202");
    reports.notify(180);
    let (_, state) = referring.bench.api.get(&format!("/v1/calls/{call_id}")).await.expect("the call");
    assert_eq!(state["state"], "transferring", "nobody leaves before it is known how it went");
    reports.notify(200);
    let end = tokio::time::timeout(SOON, dialog.next_event()).await.expect("BYE");
    assert!(matches!(end, Some(DialogEvent::Ended { cause: DialogEnd::RemoteBye })), "{end:?}");
    let over = |kind: &EventKind| matches!(kind, EventKind::CallEnded { cause: EndCause::Transferred, .. });
    referring.bench.until("the end", over).await;
}

#[tokio::test]
async fn a_hand_over_that_fails_brings_the_agent_back() {
    let mut referring = Referring::start(Settings::new()).await;
    let (mut dialog, call_id) = referring.dial().await;
    referring.hand_over(&call_id).await;
    let (_, reply) = referred(&mut dialog).await;
    reply.accept().await.expect("202").notify(486);
    let failed = |kind: &EventKind| matches!(kind, EventKind::TransferFailed { sip, .. } if sip.code == 486);
    referring.bench.until("the failure", failed).await;
    let sorry = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { text } if text.contains("sorry"));
    referring.bench.until("the apology", sorry).await;
}

#[tokio::test]
async fn where_refer_is_refused_both_are_bridged() {
    let mut referring = Referring::start(Settings::new()).await;
    let (mut dialog, call_id) = referring.dial().await;
    referring.hand_over(&call_id).await;
    let (_, reply) = referred(&mut dialog).await;
    reply.reject(Rejection::new(405)).await;
    let other = rings(&mut referring.bench.other).await.expect("it rings").answer().await.expect("picked up");
    let bridged = |kind: &EventKind| matches!(kind, EventKind::Bridged { .. });
    referring.bench.until("the bridge", bridged).await;
    other.hang_up().await;
}

#[tokio::test]
async fn a_callers_refer_is_followed_where_it_is_allowed_and_declined_where_not() {
    let mut referring = Referring::start(Settings::new()).await;
    let (dialog, _) = referring.dial().await;
    let declined = dialog.handle().refer(&referring.bench.other_uri, None).await.err().expect("603").to_string();
    assert!(declined.contains("603"), "{declined}");

    let mut referring = Referring::start(vec![("TANDEM_ACCEPT_REFER", "true".to_owned())]).await;
    let (dialog, _) = referring.dial().await;
    let mut transfer = dialog.handle().refer(&referring.bench.other_uri, None).await.expect("202");
    let mut other = rings(&mut referring.bench.other).await.expect("it rings").answer().await.expect("picked up");
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
