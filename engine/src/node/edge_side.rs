//! The node's side towards the edge: admission, delivery and the link, started together and ended in their order.
//! Each of them is `control`'s; a node without an edge has none of this.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use edge_protocol::link::{Command, Heartbeat, NodeStatus};
use edge_protocol::{EndCause, VERSION};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::admission::Overload;
use super::load::{LoadMeter, memory_bytes};
use super::orders::{TransferOrder, Wanted};
use super::{Node, NodeError, Status, metrics};
use crate::call::WhenLeft;
use crate::config::Config;
use crate::control::{
    AdmissionConfig, Admissions, CallTail, Delivery, EventSpool, Link, LinkedNode, Progress, SignedClient, Withdrawals,
};
use crate::wall_clock::unix_ms;

/// Longest wait for the edge's word on a call.
const ADMISSION: Duration = Duration::from_secs(2);

/// How long the last facts may take to reach the edge when the node stops; what is left goes at the next start.
const LAST_DELIVERY: Duration = Duration::from_secs(5);

/// Whether the edge is there, as `/health` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeState {
    /// None is configured.
    None,
    Linked,
    Away,
}

/// What all tasks of a node may know of its edge.
pub struct EdgeSide {
    /// Asks and tells the edge, signed.
    pub client: Arc<SignedClient>,
    /// Base URL at which the edge reaches this node's HTTP.
    http_url: String,
    progress: Progress,
    linked: watch::Sender<bool>,
    load: LoadMeter,
    /// The edge wants no new calls here.
    draining: AtomicBool,
}

/// The running tasks, for the node's owner.
pub struct EdgeTasks {
    delivery: Delivery,
    admissions: Arc<Admissions>,
    keeper: JoinHandle<()>,
    withdrawals: JoinHandle<()>,
    link: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

// === impl EdgeSide ===

impl EdgeSide {
    /// Takes up delivery where it was left, and what is known of earlier admissions. `recent` are the journal's calls,
    /// by id.
    ///
    /// # Errors
    /// [`NodeError`] if the edge's URL or the spool cannot be used.
    pub async fn start(
        config: &Config,
        http: SocketAddr,
        spool: &EventSpool,
        recent: &[CallTail],
    ) -> Result<(Self, EdgeTasks), NodeError> {
        let client = Arc::new(SignedClient::new(&config.edge.url, &config.edge.secret.0, &config.node_name)?);
        let delivery = Delivery::start(client.clone(), spool, config.edge.events_days).await?;
        let admission = AdmissionConfig {
            trusted_fronts: config.edge.trusted_fronts.iter().map(|range| range.0).collect(),
            timeout: ADMISSION,
            away: Duration::from_secs(u64::from(config.edge.away_hours) * 3600),
            known: config.data.join("edge").join("known.json"),
            now_ms: unix_ms,
            observe: metrics::admission,
        };
        let has_begun = |call_id: &str| recent.binary_search_by(|call| call.call_id.as_str().cmp(call_id)).is_ok();
        let (withdrawals, waiting) = Withdrawals::open(config.data.join("edge").join("asked"), has_begun);
        let admissions = Arc::new(Admissions::new(client.clone(), admission, withdrawals.clone()));
        let stop = CancellationToken::new();
        let withdrawals = tokio::spawn(withdrawals.run(client.clone(), waiting, spool.subscribe(), stop.clone()));
        let keeper = tokio::spawn(admissions.clone().keep_known(stop.clone()));
        let side = Self {
            client,
            http_url: config.http_url(http),
            progress: delivery.progress(),
            linked: watch::Sender::new(false),
            load: LoadMeter::new(Instant::now()),
            draining: AtomicBool::new(false),
        };
        Ok((side, EdgeTasks { delivery, admissions, keeper, withdrawals, link: None, stop }))
    }

    pub fn state(&self) -> EdgeState {
        if *self.linked.borrow() { EdgeState::Linked } else { EdgeState::Away }
    }

    /// Events on disk that the edge has not acknowledged.
    pub fn events_waiting(&self) -> u64 {
        self.progress.waiting()
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

// === impl EdgeTasks ===

impl EdgeTasks {
    /// What decides over calls.
    pub fn admissions(&self) -> Arc<Admissions> {
        self.admissions.clone()
    }

    /// Tells the edge that this node is up. Before, nobody sends it anything.
    pub fn link(&mut self, node: &Arc<Node>) {
        let Some(edge) = &node.edge else { return };
        let link = Link::new(edge.client.clone(), node.clone(), edge.linked.clone());
        self.link = Some(tokio::spawn(link.run(self.stop.clone())));
    }

    /// Delivers the last facts, as far as the edge takes them, and ends.
    pub async fn finish(self) {
        self.delivery.finish(LAST_DELIVERY).await;
        self.stop.cancel();
        for task in [Some(self.keeper), Some(self.withdrawals), self.link].into_iter().flatten() {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the edge did not end cleanly");
            }
        }
    }
}

// === impl Node ===

#[async_trait]
impl LinkedNode for Node {
    fn heartbeat(&self) -> Heartbeat {
        let load = self.edge.as_ref().map(|edge| edge.load.measure(Instant::now(), Overload::slots(&self.shards)));
        let load = load.unwrap_or_default();
        let count = |calls: usize| u32::try_from(calls).unwrap_or(u32::MAX);
        Heartbeat {
            v: VERSION,
            node: self.config.node_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            status: match self.status() {
                Status::Ok => NodeStatus::Ok,
                Status::Busy => NodeStatus::Busy,
                Status::Draining => NodeStatus::Draining,
            },
            http_url: self.edge.as_ref().map(|edge| edge.http_url.clone()).unwrap_or_default(),
            active_calls: count(self.active_calls()),
            max_calls: count(self.config.max_calls),
            uptime_s: self.uptime().as_secs(),
            late_slots: load.late_slots,
            cpu_cores: load.cpu_cores,
            memory_bytes: memory_bytes(),
            events_waiting: self.events_waiting(),
            recordings_waiting: self.recordings_waiting() as u64,
        }
    }

    async fn carry_out(&self, command: Command) -> Result<(), String> {
        match command {
            Command::HangUp { call_id } if self.calls.hang_up(&call_id, EndCause::EndedByEdge) => Ok(()),
            Command::HangUp { .. } => Err("no such call".to_owned()),
            Command::Transfer { call_id, to, mode, announce, consult } => {
                let when_left = WhenLeft::HangUp;
                let order = TransferOrder { mode, to, trunk: None, announce, consult, when_left };
                self.ordered_by_edge(&call_id, Wanted::Transfer(order)).await
            }
            Command::Press { call_id, digits } => self.ordered_by_edge(&call_id, Wanted::Press(digits)).await,
            Command::Drain => {
                self.drain_by_edge(true);
                Ok(())
            }
            Command::Undrain => {
                self.drain_by_edge(false);
                Ok(())
            }
        }
    }
}

impl Node {
    async fn ordered_by_edge(&self, call_id: &str, wanted: Wanted) -> Result<(), String> {
        self.order(call_id, wanted).await.map_err(|error| error.to_string())
    }

    fn drain_by_edge(&self, drain: bool) {
        if let Some(edge) = &self.edge
            && edge.draining.swap(drain, Relaxed) != drain
        {
            tracing::info!(drain, "the edge {} new calls here", if drain { "wants no" } else { "allows" });
        }
    }
}
