//! Hundreds of calls at once between two endpoints; every one is answered and nothing is left.
//! Not here: measuring, which the load generator does.

use crate::bench::*;
use sip_bridge::{Dialog, Endpoint, EndpointConfig, Timers};
use tokio::task::JoinSet;

async fn calls_at_once(count: usize, tcp: bool) {
    // The RFC's timers: the machine is busy, and a late answer must not look like a lost one.
    let patient = EndpointConfig { timers: Timers::default(), ..config() };
    let caller = Endpoint::bind(patient.clone()).await.expect("a free port");
    let mut callee = Endpoint::bind(patient).await.expect("a free port");
    let (handle, to) = (callee.handle(), callee.handle().local_addr());
    let answering = tokio::spawn(async move {
        let mut dialogs: JoinSet<()> = JoinSet::new();
        while let Some(call) = callee.next_call().await {
            dialogs.spawn(async move {
                call.ring().await.expect("ringing");
                let sdp = answer_to(&call);
                let mut dialog = call.accept(sdp).await.expect("accepted");
                while dialog.next_event().await.is_some() {}
            });
        }
    });
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let caller = caller.handle();
        calls.spawn(async move {
            let mut call = caller.call(target(to, tcp), offer()).await.expect("sent");
            answered(&mut call).await.0
        });
    }
    let dialogs: Vec<Dialog> = calls.join_all().await;
    assert_eq!((caller.handle().open_dialogs(), handle.open_dialogs()), (count, count));
    let mut endings = JoinSet::new();
    for dialog in dialogs {
        endings.spawn(async move { dialog.bye(None).await });
    }
    assert!(endings.join_all().await.iter().all(Result::is_ok));
    assert_eq!((caller.handle().open_dialogs(), handle.open_dialogs()), (0, 0));
    handle.shutdown().await;
    answering.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_calls_at_once_over_udp_are_all_answered_and_all_end() {
    calls_at_once(300, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_calls_at_once_over_tcp_are_all_answered_and_all_end() {
    calls_at_once(300, true).await;
}
