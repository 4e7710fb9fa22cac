//! The facts a node tells about its calls, as they happen: server-sent events of `GET /v1/events`.
//! Their meaning is `edge_protocol`'s.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use edge_protocol::{CallEvent, EventKind};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// More than any test's calls write.
const BACKLOG: usize = 100_000;

pub struct Events {
    arriving: mpsc::Receiver<CallEvent>,
    reader: JoinHandle<()>,
    /// What was received and looked at, in order.
    pub seen: Vec<CallEvent>,
}

impl Events {
    /// Connects to the node; from here on no event is missed.
    pub async fn of(http_port: u16) -> Result<Self> {
        let url = format!("http://127.0.0.1:{http_port}/v1/events");
        let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(2)).build()?;
        let mut body = client.get(&url).send().await?.error_for_status().context(url)?.bytes_stream();
        let (sender, arriving) = mpsc::channel(BACKLOG);
        let reader = tokio::spawn(async move {
            let mut pending = Vec::new();
            while let Some(Ok(chunk)) = body.next().await {
                pending.extend_from_slice(&chunk);
                while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = pending.drain(..=end).collect();
                    let Some(data) = line.strip_prefix(b"data:") else { continue };
                    let event = serde_json::from_slice(data).expect("an event the contract knows");
                    if sender.send(event).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self { arriving, reader, seen: Vec::new() })
    }

    /// The first event from here on that `wanted` accepts.
    pub async fn until(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&EventKind) -> bool,
    ) -> Result<CallEvent> {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            match tokio::time::timeout_at(deadline, self.arriving.recv()).await {
                Ok(Some(event)) => {
                    self.seen.push(event.clone());
                    if wanted(&event.kind) {
                        return Ok(event);
                    }
                }
                Ok(None) => bail!("the node closed its events before {what}; seen: {:#?}", self.seen),
                Err(_) => bail!("no {what} within {within:?}; seen: {:#?}", self.seen),
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
