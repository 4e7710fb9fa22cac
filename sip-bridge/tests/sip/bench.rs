//! Endpoints with short timers, descriptions to offer, and waiting for nothing to be left.
//! Not here: assertions about flows.

use sip_bridge::sdp::{self, Local};
use sip_bridge::{
    Dialog, DialogEvent, Endpoint, EndpointConfig, EndpointHandle, Failure, IncomingCall, OutgoingCall, OutgoingTarget,
    Progress, Protocol, Timers,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// 64*T1 is 1.28 s then.
pub const T1: Duration = Duration::from_millis(20);

/// No step of a test takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn config() -> EndpointConfig {
    EndpointConfig {
        user_agent: "tandem-test".to_owned(),
        timers: Timers { t1: T1, t2: T1 * 8, t4: T1 * 10 },
        ..EndpointConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }
}

pub async fn endpoint() -> Endpoint {
    Endpoint::bind(config()).await.expect("a free port")
}

pub fn local(port: u16) -> Local {
    Local {
        addr: Ipv4Addr::LOCALHOST.into(),
        codecs: sdp::Codec::ALL.to_vec(),
        port,
        rtcp_mux: true,
        session_id: 7,
        version: 1,
        security: sdp::Security::default(),
    }
}

pub fn offer() -> String {
    sdp::offer(&local(30000))
}

/// An offer after the first one: on hold.
pub fn hold() -> String {
    let mut ours = local(30000);
    ours.bump_version();
    sdp::offer(&ours).replace("sendrecv", "sendonly")
}

/// An answer to what the caller offers.
pub fn answer_to(call: &IncomingCall) -> String {
    sdp::answer(call.offer.as_deref().expect("an offer"), &local(20000)).expect("G.711").1
}

pub fn target(callee: SocketAddr, tcp: bool) -> OutgoingTarget {
    OutgoingTarget {
        via: Some(callee),
        protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
        headers: vec![("X-Campaign".to_owned(), "spring".to_owned())],
        ..OutgoingTarget::new(format!("sip:reception@{callee}"), "sip:alice@example.com")
    }
}

/// Waits with a limit, so that a hanging test says where.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen in {PATIENCE:?}"),
    }
}

pub async fn next_call(endpoint: &mut Endpoint) -> IncomingCall {
    soon("an incoming call", endpoint.next_call()).await.expect("an open endpoint")
}

pub async fn next_event(dialog: &mut Dialog) -> DialogEvent {
    soon("an event", dialog.next_event()).await.expect("a living dialog")
}

/// Past `Ringing` to the answer.
pub async fn answered(call: &mut OutgoingCall) -> (Dialog, String) {
    loop {
        match soon("progress", call.next_progress()).await {
            Progress::Ringing(_) | Progress::Early { .. } => {}
            Progress::Answered { dialog, answer } => return (dialog, answer),
            Progress::Failed(failure) => panic!("not answered: {failure}"),
        }
    }
}

pub async fn failed(call: &mut OutgoingCall) -> (u16, String) {
    let failure = failure(call).await;
    (failure.code, failure.reason)
}

pub async fn failure(call: &mut OutgoingCall) -> Failure {
    loop {
        match soon("progress", call.next_progress()).await {
            Progress::Ringing(_) | Progress::Early { .. } => {}
            Progress::Answered { .. } => panic!("answered"),
            Progress::Failed(failure) => return failure,
        }
    }
}

/// A confirmed call between two endpoints: caller's dialog, callee's dialog.
pub async fn established(caller: &Endpoint, callee: &mut Endpoint, tcp: bool) -> (Dialog, Dialog) {
    let to = callee.handle().local_addr();
    let mut call = caller.handle().call(target(to, tcp), offer()).await.expect("sent");
    let incoming = next_call(callee).await;
    let sdp = answer_to(&incoming);
    let mut theirs = incoming.accept(sdp).await.expect("accepted");
    let (ours, _) = answered(&mut call).await;
    assert!(matches!(next_event(&mut theirs).await, DialogEvent::Confirmed { .. }));
    (ours, theirs)
}

/// Nothing may be left of any call: neither dialogs now nor transactions once their timers are through.
pub async fn nothing_left(handles: &[EndpointHandle]) {
    soon("the end of all dialogs and transactions", async {
        while handles.iter().any(|h| h.open_dialogs() + h.open_transactions() > 0) {
            tokio::time::sleep(T1).await;
        }
    })
    .await;
}
