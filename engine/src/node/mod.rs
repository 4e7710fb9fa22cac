//! A running node: settings wired to shards, speech, signalling, control and HTTP; then drained and stopped.
//! Each part's own work is elsewhere; here is only who is connected to whom, and in which order they end.

mod admission;
mod answer;
mod edge_side;
mod facts;
mod identity;
pub(crate) mod info_key;
mod lifetime;
mod limits;
mod live_calls;
mod load;
mod media_keys;
mod media_session;
mod memory;
mod metrics;
mod offline_child;
mod orders;
mod outbound;
mod place_call;
mod recordings;
mod referral;
mod route;
mod running;
mod sip_call;
mod speech;
mod transfer;
mod trunks;
mod unstarted;
pub(crate) mod websocket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use edge_protocol::{CallEvent, EndCause};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use sip_bridge::{Admission, Endpoint, EndpointConfig, EndpointHandle};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};

pub use edge_side::EdgeState;
pub use live_calls::LiveCall;
pub use media_keys::{fresh_keys, srtp_keys};
pub use offline_child::FAILED as OFFLINE_SPEECH_FAILED;
pub use orders::{AgentOrder, CallState, MAX_TEXT_BYTES, OrderError, TransferOrder, Wanted};
pub use place_call::{CallWish, NotPlaced};
pub use running::RunningNode;
pub use speech::serve_offline_speech;
pub use trunks::{Destination, DestinationError};
pub use websocket::routes as websocket_routes;

use crate::call::SpeechLimits;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{
    AgentError, AgentProfile, ControlPlane, EdgeError, Embedded, EmbeddedError, EventSpool, SpoolConfig, SpoolError,
};
use crate::recorder::archive::{Archive, ArchiveHandle, left_over};
use crate::recorder::{Recorder, RecorderConfig, RecorderError, RecorderHandle};
use crate::rtp::dtls::DtlsError;
use crate::shard::{ShardConfig, ShardError, ShardHandle};
use crate::speech::Desk;
use crate::tools::Tools;
use admission::{CallCap, Overload};
use edge_side::EdgeSide;
use identity::{CallerIdentities, IdentitySetupError};
use live_calls::LiveCalls;
use media_keys::MediaKeys;
use speech::SpeechSetupError;
use trunks::Trunks;
use websocket::SeenSignatures;

/// Events that may wait for the journal; a shard keeps what does not fit.
const EVENTS_WAITING: usize = 16_384;

/// Wishes to speech that may wait; beyond it a turn fails politely.
const SPEECH_WAITING: usize = 4096;

/// INVITEs not answered yet; more are refused at once.
const MAX_PENDING: usize = 500;

/// What `/health` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// The ticker runs late or the call cap is reached: new calls are refused for the moment.
    Busy,
    /// Told to stop; calls may finish.
    Draining,
}

/// What all tasks of a node share.
pub struct Node {
    config: Config,
    cap: CallCap,
    calls: LiveCalls,
    control: Arc<dyn ControlPlane>,
    speech_limits: SpeechLimits,
    spool: EventSpool,
    /// `None`: this node stands alone.
    edge: Option<EdgeSide>,
    recorder: RecorderHandle,
    /// Compresses and uploads recordings, where they do not stay as they are.
    archive: Option<ArchiveHandle>,
    shards: Vec<ShardHandle>,
    media_keys: Arc<MediaKeys>,
    /// `None`: nobody is asked to vouch for callers.
    identities: Option<CallerIdentities>,
    trunks: Trunks,
    /// Calls are made through it; it is there last.
    sip: OnceLock<EndpointHandle>,
    /// True once calls are to end.
    stop: watch::Sender<bool>,
    overloaded: AtomicBool,
    draining: AtomicBool,
    signatures: SeenSignatures,
    prometheus: PrometheusHandle,
    started: Instant,
}

/// Why a node cannot run.
#[derive(Debug, Error)]
pub enum NodeError {
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Agents(#[from] EmbeddedError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    #[error(transparent)]
    MediaKeys(#[from] DtlsError),
    #[error(transparent)]
    Identity(#[from] IdentitySetupError),
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Speech(#[from] SpeechSetupError),
    #[error(transparent)]
    Sip(#[from] sip_bridge::BindError),
    #[error("cannot listen for HTTP on {addr}: {source}")]
    Http { addr: SocketAddr, source: io::Error },
    #[error("cannot listen for AudioSocket on {addr}: {source}")]
    AudioSocket { addr: SocketAddr, source: io::Error },
    #[error("cannot set up HTTP for tools: {0}")]
    Tools(reqwest::Error),
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    #[error("a media thread died; its message is above")]
    ShardDied,
}

// === impl Node ===

impl Node {
    /// Starts all parts; when it returns, calls are answered as soon as `run` is called.
    ///
    /// # Errors
    /// [`NodeError`] of the first part that cannot start.
    pub async fn start(config: Config) -> Result<RunningNode, NodeError> {
        limits::raise_open_files();
        let prometheus = metrics::install()?;
        let profile = AgentProfile::load(&config.agent)?;
        let identities = CallerIdentities::new(&config.sip_identity)?;
        let http =
            TcpListener::bind(config.http).await.map_err(|source| NodeError::Http { addr: config.http, source })?;
        let audiosocket = match config.audiosocket {
            Some(addr) => {
                Some(TcpListener::bind(addr).await.map_err(|source| NodeError::AudioSocket { addr, source })?)
            }
            None => None,
        };
        let (spool, recent) = EventSpool::open(SpoolConfig::new(config.data.join("events")))?;
        let shard_count = config.shard_count();
        // Before the recorder starts: of what it finishes itself, it tells.
        let left_over = left_over(&recordings::dir(&config))?;
        let (recorder, taps, recordings) =
            Recorder::start(RecorderConfig::new(recordings::dir(&config), usize::from(shard_count)))?;
        let providers = speech::providers(&config, &profile).await?;
        let tools = Arc::new(Tools::new().map_err(NodeError::Tools)?);
        let (edge, mut edge_tasks) = if config.edge.is_set() {
            let listening = http.local_addr().unwrap_or(config.http);
            let (side, tasks) = EdgeSide::start(&config, listening, &spool, &recent).await?;
            (Some(side), Some(tasks))
        } else {
            (None, None)
        };
        let archive = recordings::archive(&config, edge.as_ref().map(|edge| edge.client.clone()))?;
        let control: Arc<dyn ControlPlane> = match &edge_tasks {
            Some(tasks) => tasks.admissions(),
            None => Arc::new(Embedded::new(vec![profile])?.with_routes(&config.routes)),
        };

        let clock = Clock::start();
        let media_keys = Arc::new(MediaKeys::new(&config, &clock)?);
        let (events, from_calls) = mpsc::channel(EVENTS_WAITING);
        let (wishes, to_speech) = mpsc::channel(SPEECH_WAITING);
        let mut shards = Vec::new();
        let mut shard_threads = Vec::new();
        for (shard, tap) in (0..shard_count).zip(taps) {
            let ports = config.ports_of(shard, shard_count);
            let (events, speech) = (events.clone(), wishes.clone());
            let settings = ShardConfig { shard, ip: config.rtp_ip, ports, clock, tap, events, speech };
            let (handle, thread) = ShardHandle::spawn(settings)?;
            shards.push(handle);
            shard_threads.push(thread);
        }
        tokio::spawn(Desk::new(providers, tools, shards.clone()).run(to_speech));

        let node = Arc::new(Self {
            cap: CallCap::new(config.max_calls),
            calls: LiveCalls::default(),
            recorder: recorder.handle(),
            media_keys,
            identities,
            archive: archive.as_ref().map(Archive::handle),
            control,
            speech_limits: speech::limits(&config.speech),
            spool,
            edge,
            shards,
            trunks: Trunks::new(&config.trunks, config.sip, config.max_calls),
            sip: OnceLock::new(),
            stop: watch::Sender::new(false),
            overloaded: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            signatures: SeenSignatures::default(),
            prometheus,
            started: Instant::now(),
            config,
        });
        let unfinished = recent.into_iter().filter(|call| !call.is_finished()).collect();
        let earlier = facts::Earlier { unfinished, recordings: left_over };
        let facts = facts::FactsTask::spawn(node.clone(), (events, from_calls), recordings, earlier);
        // Last, so that nobody is told this node is up before it can answer.
        let mut sip = EndpointConfig::new(node.config.sip);
        sip.user_agent = concat!("Tandem/", env!("CARGO_PKG_VERSION")).to_owned();
        sip.max_pending = MAX_PENDING;
        sip.tls = node.config.sip_tls.endpoint();
        sip.digest = node.config.sip_digest.endpoint();
        sip.session_timers = node.config.sip_session.endpoint();
        let endpoint = Endpoint::bind(sip).await?;
        // Nobody else sets it.
        let _ = node.sip.set(endpoint.handle());
        if let Some(tasks) = &mut edge_tasks {
            tasks.link(&node);
        }

        Ok(RunningNode { node, endpoint, http, audiosocket, recorder, archive, shard_threads, facts, edge: edge_tasks })
    }

    pub fn name(&self) -> &str {
        &self.config.node_name
    }

    pub fn status(&self) -> Status {
        if self.draining.load(Relaxed) || self.edge.as_ref().is_some_and(EdgeSide::is_draining) {
            Status::Draining
        } else if self.overloaded.load(Relaxed) || self.cap.active() >= self.config.max_calls {
            Status::Busy
        } else {
            Status::Ok
        }
    }

    pub fn active_calls(&self) -> usize {
        self.cap.active()
    }

    pub fn live_calls(&self) -> Vec<LiveCall> {
        self.calls.list()
    }

    /// One of them.
    pub fn live_call(&self, call_id: &str) -> Option<LiveCall> {
        self.calls.get(call_id)
    }

    /// Where a call goes, and by which way.
    ///
    /// # Errors
    /// [`DestinationError`] naming the value that cannot be used.
    pub fn destination(
        &self,
        to: &str,
        from: Option<&str>,
        trunk: Option<&str>,
    ) -> Result<Destination, DestinationError> {
        self.trunks.find(to, from, trunk)
    }

    /// Tells a live call to end. False if there is none.
    pub fn hang_up(&self, call_id: &str) -> bool {
        self.calls.hang_up(call_id, EndCause::EndedByApi)
    }

    /// Has a live call do something; it is done, or begun, when this returns.
    ///
    /// # Errors
    /// [`OrderError`] if there is no such call, or it cannot.
    pub async fn order(&self, call_id: &str, wanted: Wanted) -> Result<(), OrderError> {
        let told = self.calls.order(call_id, wanted)?;
        // A call that ended meanwhile drops the order.
        told.await.unwrap_or(Err(OrderError::NoSuchCall))
    }

    pub fn api_wants_token(&self) -> bool {
        !self.config.api_token.0.is_empty()
    }

    /// Whether the HTTP API is open to whoever shows this token.
    pub fn api_allows(&self, token: Option<&str>, from: IpAddr) -> bool {
        let wanted = self.config.api_token.0.as_bytes();
        if wanted.is_empty() {
            return from.is_loopback();
        }
        let shown = token.unwrap_or_default().as_bytes();
        // In the same time whatever is wrong.
        let differing = wanted.iter().zip(shown).fold(0, |differing, (a, b)| differing | (a ^ b));
        wanted.len() == shown.len() && differing == 0
    }

    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the edge is there.
    pub fn edge_state(&self) -> EdgeState {
        self.edge.as_ref().map_or(EdgeState::None, EdgeSide::state)
    }

    /// Events on disk that the edge has not acknowledged; 0 without an edge.
    pub fn events_waiting(&self) -> u64 {
        self.edge.as_ref().map_or(0, EdgeSide::events_waiting)
    }

    /// The page of `/metrics`.
    pub fn metrics_page(&self) -> String {
        metrics::page(
            &self.prometheus,
            &self.shards,
            self.recorder.counters(),
            self.archive.as_ref(),
            self.active_calls(),
            self.events_waiting(),
        )
    }

    /// Recordings that are not where they belong yet: at the edge, or compressed.
    pub fn recordings_waiting(&self) -> usize {
        self.archive.as_ref().map_or(0, ArchiveHandle::waiting)
    }

    /// Events of all calls from now on, each of them on disk already.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<CallEvent>> {
        self.spool.subscribe()
    }

    fn emptiest_shard(&self) -> Option<ShardHandle> {
        self.shards.iter().min_by_key(|s| s.stats().calls.load(Relaxed)).cloned()
    }

    fn refused(&self, reason: &'static str) {
        metrics::refused(reason);
    }

    /// Tells signalling, window by window, whether new calls are welcome.
    async fn watch_load(self: Arc<Self>, sip: EndpointHandle) {
        let mut overload = Overload::default();
        let mut windows = tokio::time::interval(admission::WINDOW);
        loop {
            windows.tick().await;
            self.prometheus.run_upkeep();
            let busy = overload.observe(Overload::slots(&self.shards));
            if busy != self.overloaded.swap(busy, Relaxed) {
                tracing::warn!(
                    busy,
                    "the ticker {}",
                    if busy { "runs late: new calls are refused" } else { "is on time again" }
                );
            }
            sip.set_admission(match self.status() {
                Status::Draining => Admission::Draining,
                Status::Busy => Admission::Busy { retry_after: admission::RETRY_AFTER },
                Status::Ok => Admission::Open,
            });
        }
    }
}
