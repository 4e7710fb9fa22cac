//! The node's live events: `GET {node}/v1/events`, server-sent events of `edge_protocol::CallEvent`.
//! Which of them matter is decided by whoever reads; nothing is printed here.

use std::time::Duration;

use edge_protocol::{CallEvent, EventKind};
use eventsource_stream::Eventsource;
use futures::StreamExt;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// A node on loopback answers at once or not at all.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Events of all calls of one or more nodes, from the moment of subscription. Dropping it disconnects.
pub struct NodeEvents {
    events: UnboundedReceiver<CallEvent>,
    _readers: JoinSet<()>,
}

/// The events of one call among all others, known by its SIP Call-ID.
#[derive(Debug)]
pub struct OneCall {
    sip_call_id: String,
    call_id: Option<String>,
}

#[derive(Debug, Error)]
pub enum NodeError {
    #[error("no node at {url}")]
    Unreachable { url: String, source: reqwest::Error },
    #[error("{url} answered {status}")]
    Refused { url: String, status: reqwest::StatusCode },
}

// === impl NodeEvents ===

impl NodeEvents {
    /// `nodes`: base URLs such as `http://127.0.0.1:8080`; a call may land on any of them.
    pub async fn subscribe(nodes: &[String]) -> Result<Self, NodeError> {
        let (sender, events) = unbounded_channel();
        let mut readers = JoinSet::new();
        for node in nodes {
            let url = format!("{}/v1/events", node.trim_end_matches('/'));
            let unreachable =
                |source: reqwest::Error| NodeError::Unreachable { url: url.clone(), source: source.without_url() };
            // No proxy: nodes under test are on this machine.
            let client =
                reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_LIMIT).build().map_err(unreachable)?;
            let response = client.get(&url).send().await.map_err(unreachable)?;
            if !response.status().is_success() {
                return Err(NodeError::Refused { url, status: response.status() });
            }
            readers.spawn(read(response, sender.clone()));
        }
        Ok(Self { events, _readers: readers })
    }

    /// The next event; `None` once every node has closed its stream.
    pub async fn next(&mut self) -> Option<CallEvent> {
        self.events.recv().await
    }
}

async fn read(response: reqwest::Response, to: UnboundedSender<CallEvent>) {
    let mut stream = response.bytes_stream().eventsource();
    while let Some(item) = stream.next().await {
        let event = match item {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(%error, "the node's event stream broke off");
                return;
            }
        };
        match serde_json::from_str(&event.data) {
            Ok(event) => {
                if to.send(event).is_err() {
                    return;
                }
            }
            Err(error) => tracing::warn!(%error, data = event.data, "the node sent an event that cannot be read"),
        }
    }
}

// === impl OneCall ===

impl OneCall {
    pub fn new(sip_call_id: &str) -> Self {
        Self { sip_call_id: sip_call_id.to_owned(), call_id: None }
    }

    /// Whether `event` is of this call. `CallStarted`, the first event of a call, makes the connection.
    pub fn owns(&mut self, event: &CallEvent) -> bool {
        if let EventKind::CallStarted { sip_call_id, .. } = &event.kind
            && *sip_call_id == self.sip_call_id
        {
            self.call_id = Some(event.call_id.clone());
        }
        self.call_id.as_deref() == Some(event.call_id.as_str())
    }
}

#[cfg(test)]
mod tests;
