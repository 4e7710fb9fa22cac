//! SIPp at the other end, with scenarios of ours (`sipp/`).
//! Not here: its own scenarios, which the end-to-end tests run.

use crate::bench::*;
use secrecy::SecretString;
use sip_bridge::{Credentials, DialogEvent, OutgoingTarget};
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// In each test, all at a time.
const CALLS: usize = 20;

/// Starts a scenario; `arguments` say where it calls, or where it waits for calls.
fn sipp(scenario: &str, arguments: &[&str]) -> Child {
    let file = format!("{}/tests/sip/sipp/{scenario}", env!("CARGO_MANIFEST_DIR"));
    let calls = CALLS.to_string();
    Command::new("sipp")
        .current_dir(std::env::temp_dir())
        .args(arguments)
        .args(["-sf", &file, "-i", "127.0.0.1", "-m", &calls, "-r", &calls, "-nostdin"])
        .args(["-timeout", "20s", "-timeout_error"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("sipp is installed")
}

#[tokio::test]
async fn sipp_sends_us_elsewhere_and_hears_how_it_went() {
    let mut callee = endpoint().await;
    let mut sipp = sipp("refer.xml", &[&callee.handle().local_addr().to_string()]);
    let status = loop {
        tokio::select! {
            call = callee.next_call() => {
                let call = call.expect("an open endpoint");
                let sdp = answer_to(&call);
                // SIPp ends a call by itself when something is wrong with it.
                let Ok(mut dialog) = call.accept(sdp).await else { continue };
                tokio::spawn(async move {
                    while let Some(event) = dialog.next_event().await {
                        let DialogEvent::Refer { refer_to, reply, .. } = event else { continue };
                        assert_eq!(refer_to, "sip:sales@192.0.2.7");
                        reply.accept().await.expect("accepted").notify(200);
                    }
                });
            }
            status = sipp.wait() => break status.expect("SIPp's end"),
        }
    };
    assert!(status.success(), "not every call went well: {status}");
    nothing_left(&[callee.handle()]).await;
}

#[tokio::test]
async fn sipp_challenges_us_and_believes_us() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut sipp = sipp("digest.xml", &["-p", &port.to_string()]);
    let caller = endpoint().await;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let password = SecretString::from("right");
        let credentials = Some(Credentials { user: "alice".to_owned(), password, realm: None });
        let target = OutgoingTarget { credentials, ..target(SocketAddr::from(([127, 0, 0, 1], port)), false) };
        // Until SIPp listens, the INVITE is repeated.
        calls.push(caller.handle().call(target, offer()).await.expect("sent"));
    }
    for call in &mut calls {
        let (dialog, _) = answered(call).await;
        soon("BYE", dialog.bye(None)).await.expect("BYE answered");
    }
    let status = soon("SIPp's end", sipp.wait()).await.expect("SIPp's end");
    assert!(status.success(), "not every call went well: {status}");
    nothing_left(&[caller.handle()]).await;
}
