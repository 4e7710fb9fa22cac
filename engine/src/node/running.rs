//! A node that runs: takes calls until it is told to stop, lets them finish, and ends its parts in their order.
//! How they are started and wired is in `node` itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::serve::ListenerExt;
use sip_bridge::{Admission, Endpoint};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use super::edge_side::EdgeTasks;
use super::{Node, NodeError, answer, facts, websocket};
use crate::recorder::Recorder;
use crate::recorder::archive::Archive;

/// How long calls get to say goodbye once the drain time is over.
const LAST_GOODBYES: Duration = Duration::from_secs(5);

/// How long recordings that are not uploaded yet may hold up a node that stops; the next start goes on with them.
const LAST_UPLOADS: Duration = Duration::from_secs(10);

/// How often it is looked whether all media threads live.
const SHARD_CHECK: Duration = Duration::from_secs(1);

/// A node with the parts only its owner may touch.
pub struct RunningNode {
    pub(super) node: Arc<Node>,
    pub(super) endpoint: Endpoint,
    pub(super) http: TcpListener,
    pub(super) audiosocket: Option<TcpListener>,
    pub(super) recorder: Recorder,
    pub(super) archive: Option<Archive>,
    pub(super) shard_threads: Vec<JoinHandle<()>>,
    pub(super) facts: facts::FactsTask,
    pub(super) edge: Option<EdgeTasks>,
}

// === impl RunningNode ===

impl RunningNode {
    /// Answers calls until SIGTERM or SIGINT, then refuses new ones and lets the others finish.
    ///
    /// # Errors
    /// [`NodeError::Signals`] if the process cannot be told to stop.
    pub async fn run(mut self) -> Result<(), NodeError> {
        let node = self.node.clone();
        let mut terminate = signal(SignalKind::terminate()).map_err(NodeError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(NodeError::Signals)?;
        let sip = self.endpoint.handle();
        let routes = crate::api::routes(node.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let http = tokio::spawn(axum::serve(self.http.tap_io(send_at_once), routes).into_future());
        let audiosocket =
            self.audiosocket.map(|listener| tokio::spawn(websocket::audiosocket::listen(node.clone(), listener)));
        let load = tokio::spawn(node.clone().watch_load(sip.clone()));
        let memory = tokio::spawn(node.clone().return_memory());
        tracing::info!(node = node.name(), sip = %sip.local_addr(), http = %node.config.http, agent = %node.config.agent.display(), "ready");

        let drained = async {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            node.draining.store(true, Relaxed);
            sip.set_admission(Admission::Draining);
            tracing::info!(calls = node.active_calls(), "draining");
            let patience = Duration::from_secs(node.config.drain_seconds);
            tokio::select! {
                () = node.cap.emptied() => return,
                () = tokio::time::sleep(patience) => tracing::warn!(calls = node.active_calls(), "the drain time is over"),
                _ = terminate.recv() => tracing::warn!("told to stop again"),
                _ = interrupt.recv() => tracing::warn!("told to stop again"),
            }
            node.stop.send_replace(true);
            // Whoever is still there then has lost the other side.
            let _ = tokio::time::timeout(LAST_GOODBYES, node.cap.emptied()).await;
        };
        tokio::pin!(drained);
        let mut health = tokio::time::interval(SHARD_CHECK);
        loop {
            tokio::select! {
                () = &mut drained => break,
                _ = health.tick() => if self.shard_threads.iter().any(JoinHandle::is_finished) {
                    return Err(NodeError::ShardDied);
                },
                call = self.endpoint.next_call() => match call {
                    Some(incoming) => drop(tokio::spawn(answer::answer(node.clone(), Box::new(incoming)))),
                    None => break,
                },
            }
        }
        load.abort();
        memory.abort();
        if let Some(audiosocket) = audiosocket {
            audiosocket.abort();
        }
        sip.shutdown().await;
        for shard in &node.shards {
            shard.stop().await;
        }
        // Not here: with one core this is the only worker, and shards that end hand their last facts to its tasks.
        let threads = self.shard_threads;
        let ended =
            tokio::task::spawn_blocking(|| threads.into_iter().filter_map(|thread| thread.join().err()).count());
        if ended.await.is_ok_and(|panicked| panicked > 0) {
            tracing::error!("a shard panicked");
        }
        // Writes every recording that is still open; the facts about them go to the journal after that.
        let recorder = self.recorder;
        if tokio::task::spawn_blocking(move || recorder.stop()).await.is_err() {
            tracing::error!("the recorder did not stop cleanly");
        }
        self.facts.finish().await;
        let edge = async {
            if let Some(edge) = self.edge {
                edge.finish().await;
            }
        };
        let archive = async {
            if let Some(archive) = self.archive {
                archive.finish(LAST_UPLOADS).await;
            }
        };
        tokio::join!(edge, archive);
        http.abort();
        tracing::info!("stopped");
        Ok(())
    }
}

/// Frames of 20 ms are small; the kernel is not to gather them.
fn send_at_once(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY stays off");
    }
}
