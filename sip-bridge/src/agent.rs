//! The user agent core (RFC 3261 section 6): what every call of an endpoint shares.
//! Not here: deciding about requests (`dispatch`), calls (`incoming`, `outgoing`), dialogs (`dialog`).

use crate::dialog::table::DialogTable;
use crate::digest::server::Guard;
use crate::message::response::Reply;
use crate::message::uri::Protocol;
use crate::outgoing::Setups;
use crate::server::{ServerTransaction, Transactions};
use crate::transport::{Flow, Flows};
use crate::{Admission, SessionTimers, SipError, Timers};
use rsipstack::sip::{Request, Response, SipMessage};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::{Transaction, random_text};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Shared by all tasks of one endpoint.
pub(crate) struct Agent {
    pub stack: EndpointInnerRef,
    pub flows: Flows,
    pub local: SocketAddr,
    pub user_agent: String,
    pub timers: Timers,
    pub session_timers: SessionTimers,
    pub transactions: Arc<Transactions>,
    pub dialogs: DialogTable,
    pub setups: Setups,
    pub admission: Mutex<Admission>,
    pub max_pending: usize,
    pub pending: AtomicUsize,
    /// INVITEs being handled, to tell a merged one (RFC 3261 8.2.2.2).
    pub invites: Mutex<HashSet<InviteId>>,
    /// Challenges callers, where that is wanted.
    pub guard: Option<Guard>,
    pub started: Instant,
    pub runtime: tokio::runtime::Handle,
    pub stop: CancellationToken,
}

/// What two copies of one INVITE that came by different paths have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct InviteId {
    pub call_id: String,
    pub from_tag: String,
    pub cseq: u32,
}

/// Locks without caring whether another holder panicked: the maps stay whole between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A tag for our side of a dialog (RFC 3261 19.3 wants 32 bits of randomness; this has 95).
pub(crate) fn new_tag() -> String {
    random_text(16)
}

impl Agent {
    /// Runs a task until it is done or the endpoint stops.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        // Boxed: what waits for two things holds each of them twice.
        let task = Box::pin(task);
        self.runtime.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// How long a transaction may take: 64*T1 (RFC 3261 17.1.1.2).
    pub fn transaction_timeout(&self) -> Duration {
        self.timers.t1 * 64
    }

    pub fn admission(&self) -> Admission {
        *lock(&self.admission)
    }

    /// The address we are reached at by a transport, for Via and Contact.
    pub fn address(&self, protocol: Protocol) -> SocketAddr {
        match protocol {
            Protocol::Tls => self.flows.tls_local().unwrap_or(self.local),
            Protocol::Udp | Protocol::Tcp => self.local,
        }
    }

    /// Host and port for Warning's warn-agent.
    pub fn warn_agent(&self) -> String {
        self.local.to_string()
    }

    /// Counts an INVITE as unanswered, unless there are too many.
    pub fn admit_pending(self: &Arc<Self>) -> Option<Pending> {
        let admitted =
            self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < self.max_pending).then_some(n + 1));
        admitted.ok().map(|_| Pending { agent: self.clone() })
    }

    /// Answers a request that is not an INVITE, or an INVITE that goes no further.
    pub fn reply(&self, transaction: &ServerTransaction, reply: Reply) {
        let response = reply.build(&transaction.request, Some(&new_tag()), &self.user_agent);
        if let Err(error) = transaction.respond(&response) {
            tracing::debug!(source = %transaction.source, %error, "cannot answer a request");
        }
    }

    /// Sends a request other than INVITE and waits for its final response.
    pub async fn transact(&self, request: Request, flow: Flow) -> Result<Response, SipError> {
        let method = request.method.to_string();
        let failed = |why: String| SipError::Send { method: method.clone(), why };
        let key = TransactionKey::from_request(&request, TransactionRole::Client).map_err(|e| failed(e.to_string()))?;
        let mut transaction = Transaction::new_client(key, request, self.stack.clone(), Some(flow.connection));
        transaction.destination = Some(flow.destination);
        transaction.send().await.map_err(|e| failed(e.to_string()))?;
        while let Some(message) = transaction.receive().await {
            if let SipMessage::Response(response) = message
                && response.status_code.code() >= 200
            {
                return Ok(response);
            }
        }
        Err(failed("the transaction ended without a response".to_owned()))
    }
}

/// One unanswered INVITE; dropping it makes room for the next.
pub(crate) struct Pending {
    agent: Arc<Agent>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.agent.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Keeps an INVITE known as being handled.
pub(crate) struct Handled {
    agent: Arc<Agent>,
    id: InviteId,
}

impl Handled {
    /// `None` when a copy of it is being handled already.
    pub fn begin(agent: &Arc<Agent>, id: InviteId) -> Option<Self> {
        lock(&agent.invites).insert(id.clone()).then(|| Self { agent: agent.clone(), id })
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        lock(&self.agent.invites).remove(&self.id);
    }
}
