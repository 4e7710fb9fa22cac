//! A caller of SIP alone, on a bench: it sends no media, and what comes in its dialog is the test's to answer.
//! Callers who speak and hear are in `bench`.

use std::net::{Ipv4Addr, SocketAddr};

use edge_protocol::EventKind;
use loadtest::caller::Phone;
use sip_bridge::{Dialog, Endpoint, EndpointConfig, OutgoingTarget, Progress};

use crate::bench::Bench;
use crate::node::Settings;
use crate::sip::offer_without_media;

pub struct BareCaller {
    pub bench: Bench,
    endpoint: Endpoint,
}

// === impl BareCaller ===

impl BareCaller {
    /// `settings` of the node may name whoever waits to be called.
    pub async fn start(settings: impl FnOnce(&Phone) -> Settings) -> Self {
        let bench = Bench::start(settings).await;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let endpoint = Endpoint::bind(EndpointConfig::new(any)).await.expect("an endpoint");
        Self { bench, endpoint }
    }

    /// Dials the node; the dialog, and the call's id at the node.
    pub async fn dial(&mut self) -> (Dialog, String) {
        self.offer(offer_without_media()).await
    }

    /// The same with an offer of the test's own.
    pub async fn offer(&mut self, offer: String) -> (Dialog, String) {
        let target =
            OutgoingTarget::new(format!("sip:agent@127.0.0.1:{}", self.bench.node.sip), "sip:caller@127.0.0.1");
        let mut call = self.endpoint.handle().call(target, offer).await.expect("an INVITE");
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
}
