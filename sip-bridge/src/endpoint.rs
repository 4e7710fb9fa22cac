//! The SIP endpoint: listens on UDP, TCP and TLS, hands out incoming calls, makes outgoing ones.
//! Not here: what a request means (`dispatch`, `dialog`).

use crate::agent::{Agent, lock};
use crate::dialog::{DialogEnd, hang_up};
use crate::digest::server::{DigestConfig, Guard};
use crate::outgoing;
use crate::receiving::{Stack, receive};
use crate::server::Transactions;
use crate::transport::{Flows, OpenedByStack, Sockets, TlsConfig};
use crate::{Admission, BindError, IncomingCall, OutgoingCall, OutgoingTarget, SessionTimers, SipError};
use rsipstack::EndpointBuilder;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transport::TransportLayer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How long the stack lets an INVITE of ours ring. Longer than anybody waits: giving up is the caller's choice.
const RING_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// How long `shutdown` waits for the answers to its BYEs.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(4);

/// How often `shutdown` looks whether all calls are gone.
const SHUTDOWN_POLL: Duration = Duration::from_millis(10);

/// Where to listen and how much to take on.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// UDP and TCP, also the Contact we give, so not 0.0.0.0; port 0 takes a free one, the same for both.
    pub listen: SocketAddr,
    /// Value of the User-Agent header in requests and responses.
    pub user_agent: String,
    /// INVITEs not yet answered; more are answered 503 with Retry-After.
    pub max_pending: usize,
    pub timers: Timers,
    pub session_timers: SessionTimers,
    /// TLS beside UDP and TCP; without it `sips:` and `;transport=tls` lead nowhere.
    pub tls: Option<TlsConfig>,
    /// Callers who must say who they are; `None` challenges nobody.
    pub digest: Option<DigestConfig>,
}

impl EndpointConfig {
    /// Listens on `listen`, with room for 1000 unanswered calls and the RFC's timers; challenges nobody.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            user_agent: "Tandem".to_owned(),
            max_pending: 1000,
            timers: Timers::default(),
            session_timers: SessionTimers::default(),
            tls: None,
            digest: None,
        }
    }
}

/// RFC 3261 17.1.1.1; shorter ones make tests quick.
#[derive(Debug, Clone, Copy)]
pub struct Timers {
    /// Round-trip estimate: the first retransmission comes after it, transactions give up after 64 of it.
    pub t1: Duration,
    /// Longest time between retransmissions.
    pub t2: Duration,
    /// Longest time a message stays in the network.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// Owns the stack's tasks; dropping it ends them.
pub struct Endpoint {
    agent: Arc<Agent>,
    calls: mpsc::UnboundedReceiver<IncomingCall>,
}

/// What other tasks may ask of an endpoint.
#[derive(Clone)]
pub struct EndpointHandle {
    agent: Arc<Agent>,
}

impl Endpoint {
    /// Opens the sockets and starts answering.
    pub async fn bind(config: EndpointConfig) -> Result<Self, BindError> {
        let sockets = Sockets::bind(config.listen, config.tls)?;
        let local = sockets.local;
        let stop = CancellationToken::new();
        let layer = TransportLayer::new(stop.child_token());
        let option = EndpointOption {
            t1: config.timers.t1,
            t2: config.timers.t2,
            t4: config.timers.t4,
            t1x64: config.timers.t1 * 64,
            timerc: RING_LIMIT,
            ..EndpointOption::default()
        };
        let (arrivals, streams) = mpsc::unbounded_channel();
        let stack = EndpointBuilder::new()
            .with_transport_inspector(Box::new(OpenedByStack { arrivals: arrivals.clone() }))
            .with_user_agent(&config.user_agent)
            .with_transport_layer(layer)
            .with_cancel_token(stop.child_token())
            .with_option(option)
            .build();
        let inner = stack.inner.clone();
        let stack = Stack::start(stack);
        let (flows, datagrams) = Flows::start(sockets, &config.user_agent, &inner, arrivals, &stop).await?;
        let transactions = Transactions::new(config.timers, config.user_agent.clone());
        let agent = Arc::new(Agent {
            stack: inner,
            flows,
            local,
            user_agent: config.user_agent,
            timers: config.timers,
            session_timers: config.session_timers,
            transactions: Arc::new(transactions),
            dialogs: Default::default(),
            setups: Default::default(),
            admission: Default::default(),
            max_pending: config.max_pending,
            pending: Default::default(),
            invites: Default::default(),
            guard: config.digest.map(Guard::new),
            started: Instant::now(),
            runtime: tokio::runtime::Handle::current(),
            stop,
        });
        let (sender, calls) = mpsc::unbounded_channel();
        agent.runtime.spawn(receive(agent.clone(), datagrams, streams, stack, sender));
        Ok(Self { agent, calls })
    }

    /// The next call that came in; `None` after shutdown. Safe to cancel.
    pub async fn next_call(&mut self) -> Option<IncomingCall> {
        self.calls.recv().await
    }

    pub fn handle(&self) -> EndpointHandle {
        EndpointHandle { agent: self.agent.clone() }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.agent.stop.cancel();
    }
}

impl EndpointHandle {
    /// Where it listens, with the port really taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.agent.local
    }

    /// Where it listens for TLS, with the port really taken.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.agent.flows.tls_local()
    }

    /// Decides about calls from now on; those in hand go on.
    pub fn set_admission(&self, admission: Admission) {
        *lock(&self.agent.admission) = admission;
    }

    /// Calls in any state that hold memory here, being set up or answered; 0 when idle.
    pub fn open_dialogs(&self) -> usize {
        self.agent.dialogs.len() + self.agent.setups.len()
    }

    /// Transactions not over yet; falls to 0 within 64*T1 of the last message.
    pub fn open_transactions(&self) -> usize {
        self.agent.stack.get_stats().running_transactions + self.agent.transactions.open()
    }

    /// Sends an INVITE with `offer`.
    ///
    /// Errors: the target's URIs or headers cannot be sent, or no connection to the next hop. What happens to
    /// the INVITE later comes from [`OutgoingCall::next_progress`].
    pub async fn call(&self, target: OutgoingTarget, offer: String) -> Result<OutgoingCall, SipError> {
        outgoing::call(&self.agent, target, offer).await
    }

    /// Refuses new calls, ends every answered one with BYE, waits 4 s at most, then closes the sockets.
    /// Calls not answered yet end when the application drops them.
    pub async fn shutdown(&self) {
        self.set_admission(Admission::Draining);
        for core in self.agent.dialogs.all() {
            if core.is_answered() {
                let (done, _) = oneshot::channel();
                hang_up(&self.agent, &core, DialogEnd::LocalBye, Some("shutting down".to_owned()), done);
            } else if let Some(invite) = core.take_invite() {
                // The caller is told that nobody will answer.
                invite.terminate();
            }
        }
        let all_gone = async {
            while self.open_dialogs() > 0 {
                tokio::time::sleep(SHUTDOWN_POLL).await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_WAIT, all_gone).await.is_err() {
            tracing::warn!(open = self.open_dialogs(), "SIP endpoint closes with calls that did not end");
        }
        self.agent.stop.cancel();
    }
}
