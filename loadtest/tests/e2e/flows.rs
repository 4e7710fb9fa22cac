//! SIPp in scenarios of ours (`flows/*.xml`), one for each flow within a call that carriers use.
//! Not here: the same flows message by message, which `sip-bridge/tests/sip` has.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use sip_bridge::sdp::{self, Local};
use sip_bridge::{Dialog, Endpoint, EndpointConfig, IncomingCall};

use crate::sipp::{Tally, calls};
use crate::stack::Stack;

/// What a node answers by itself.
const OF_A_NODE: &[&str] = &["hold", "update", "codec", "session_timer", "late_offer", "info"];
/// Calls of each scenario, all at once.
const CALLS: u32 = 4;

fn scenario(name: &str) -> String {
    format!("{}/tests/e2e/flows/{name}.xml", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn a_node_behind_kamailio_answers_every_flow_within_a_call() {
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    for name in OF_A_NODE {
        let tally = run(name, stack.dir.path(), stack.port).await;
        assert_eq!((tally.successful, tally.failed), (u64::from(CALLS), 0), "{name}: {}", tally.errors);
    }
    stack.nodes[0].until_idle(Duration::from_secs(5)).await.expect("all calls are over");
}

#[tokio::test]
async fn a_ringing_call_is_given_up_and_ringing_and_early_media_are_acknowledged() {
    for name in ["cancel", "prack", "early_media"] {
        let config = EndpointConfig::new((Ipv4Addr::LOCALHOST, 0).into());
        let mut endpoint = Endpoint::bind(config).await.expect("a free port");
        let handle = endpoint.handle();
        let answering = tokio::spawn(async move {
            while let Some(call) = endpoint.next_call().await {
                tokio::spawn(match name {
                    "cancel" => ring(call).boxed(),
                    "prack" => ring_and_answer(call).boxed(),
                    _ => early(call).boxed(),
                });
            }
        });
        let dir = tempfile::tempdir().expect("a directory");
        let tally = run(name, dir.path(), handle.local_addr().port()).await;
        assert_eq!((tally.successful, tally.failed), (u64::from(CALLS), 0), "{name}: {}", tally.errors);
        assert_eq!(handle.open_dialogs(), 0, "{name}");
        answering.abort();
    }
}

async fn run(name: &str, dir: &Path, port: u16) -> Tally {
    calls(name, dir, &["-sf", &scenario(name)], port, CALLS, CALLS).await.expect("SIPp")
}

async fn ring(call: IncomingCall) {
    call.ring().await.expect("ringing");
    call.cancelled().await;
}

async fn ring_and_answer(call: IncomingCall) {
    call.ring().await.expect("ringing");
    let answer = answer_to(&call);
    follow(call.accept(answer).await.expect("answered")).await;
}

async fn early(call: IncomingCall) {
    let answer = answer_to(&call);
    call.progress(answer.clone()).await.expect("early media");
    follow(call.accept(answer).await.expect("acknowledged, then answered")).await;
}

fn answer_to(call: &IncomingCall) -> String {
    let local = Local {
        addr: Ipv4Addr::LOCALHOST.into(),
        codecs: sdp::Codec::ALL.to_vec(),
        port: 20000,
        rtcp_mux: true,
        session_id: 1,
        version: 1,
        security: sdp::Security::default(),
    };
    sdp::answer(call.offer.as_deref().expect("an offer"), &local).expect("G.711").1
}

async fn follow(mut dialog: Dialog) {
    while dialog.next_event().await.is_some() {}
}
