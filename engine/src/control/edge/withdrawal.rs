//! Admissions whose call never begins are withdrawn. Until the journal has a call's first event its question is in a
//! file, so that a node that died says so when it is started again. Asking is `admission`'s.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backon::Retryable;
use edge_protocol::CallEvent;
use edge_protocol::admission::AdmissionRequest;
use serde::de::IgnoredAny;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::client::{EdgeError, SignedClient};
use crate::backoff::pauses;

const PATH: &str = "/v1/engine/admissions/withdraw";

/// Longest wait for the edge; nobody hears it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses between tries while the edge is away.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Admissions that were asked for and whose call has not begun.
pub struct Withdrawals {
    /// `<data>/edge/asked`, a file each.
    dir: PathBuf,
    waiting: mpsc::UnboundedSender<String>,
}

/// Call ids of admissions to withdraw.
pub type Waiting = mpsc::UnboundedReceiver<String>;

// === impl Withdrawals ===

impl Withdrawals {
    /// Takes up what an earlier run asked for: what began after all, as its journal says, is forgotten, the rest is to be
    /// withdrawn. A directory that cannot be used is told and done without.
    pub fn open(dir: PathBuf, has_begun: impl Fn(&str) -> bool) -> (Arc<Self>, Waiting) {
        let (waiting, to_withdraw) = mpsc::unbounded_channel();
        let withdrawals = Self { dir, waiting };
        if let Err(error) = withdrawals.take_up(has_begun) {
            tracing::error!(dir = %withdrawals.dir.display(), %error, "admissions asked for before cannot be read");
        }
        (Arc::new(withdrawals), to_withdraw)
    }

    fn take_up(&self, has_begun: impl Fn(&str) -> bool) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            match path.file_stem().and_then(|name| name.to_str()) {
                Some(call_id) if !has_begun(call_id) => self.withdraw(call_id),
                _ => std::fs::remove_file(path)?,
            }
        }
        Ok(())
    }

    /// The edge is about to be asked.
    pub async fn note(&self, request: &AdmissionRequest) {
        let written = match serde_json::to_vec(request) {
            Ok(json) => tokio::fs::write(self.path(&request.call_id), json).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            tracing::warn!(call_id = request.call_id, %error, "should this node die now, what the edge holds expires");
        }
    }

    /// The edge holds nothing for this call, or its first event is safe.
    pub async fn forget(&self, call_id: &str) {
        match tokio::fs::remove_file(self.path(call_id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(call_id, %error, "the question of a call is not forgotten");
            }
            _ => {}
        }
    }

    /// There will be no such call: the edge is told, now or when it is back.
    pub fn withdraw(&self, call_id: &str) {
        // Nobody listens once the node stops; the next start takes it up.
        let _ = self.waiting.send(call_id.to_owned());
    }

    /// Withdraws what is to be withdrawn, and forgets calls whose first event is on disk, until `stop`.
    pub async fn run(
        self: Arc<Self>,
        client: Arc<SignedClient>,
        to_withdraw: Waiting,
        journal: broadcast::Receiver<Arc<CallEvent>>,
        stop: CancellationToken,
    ) {
        let both = async { tokio::join!(self.forget_begun(journal), self.withdraw_all(&client, to_withdraw)) };
        tokio::select! { () = stop.cancelled() => {}, _ = both => {} }
    }

    async fn forget_begun(&self, mut journal: broadcast::Receiver<Arc<CallEvent>>) {
        loop {
            match journal.recv().await {
                Ok(event) if event.seq == 0 => self.forget(&event.call_id).await,
                // What was missed is forgotten at the next start.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    async fn withdraw_all(&self, client: &SignedClient, mut to_withdraw: Waiting) {
        while let Some(call_id) = to_withdraw.recv().await {
            match self.question(&call_id).await {
                Ok(request) => {
                    tell(client, &request).await;
                    tracing::info!(call_id, "the admission of a call that did not begin is withdrawn");
                }
                // The node died while it wrote, before it asked.
                Err(error) => tracing::info!(call_id, %error, "the edge was not asked for this call"),
            }
            self.forget(&call_id).await;
        }
    }

    async fn question(&self, call_id: &str) -> io::Result<AdmissionRequest> {
        Ok(serde_json::from_slice(&tokio::fs::read(self.path(call_id)).await?)?)
    }

    fn path(&self, call_id: &str) -> PathBuf {
        self.dir.join(call_id).with_extension("json")
    }
}

/// Until the edge has heard it.
async fn tell(client: &SignedClient, request: &AdmissionRequest) {
    let told = || client.post_json::<IgnoredAny>(PATH, request, TIMEOUT);
    let told =
        told.retry(pauses(SHORTEST_PAUSE, LONGEST_PAUSE)).when(EdgeError::is_away).sleep(tokio::time::sleep).await;
    if let Err(error) = told {
        tracing::error!(call_id = request.call_id, %error, "the edge does not take a withdrawal");
    }
}

#[cfg(test)]
mod tests;
