//! One task takes what comes in over every transport: requests through the server transactions to `dispatch`, responses to the
//! stack's client transactions. It keeps the timers of both. Not here: reading the transports (`transport`).

use crate::IncomingCall;
use crate::agent::Agent;
use crate::dispatch::dispatch;
use crate::transport::{Arrival, Datagrams};
use futures::FutureExt;
use futures::future::BoxFuture;
use rsipstack::transaction::endpoint::Endpoint;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

/// How often timers are looked at, the stack's and ours: a call sets several that never run out, each with a wake-up otherwise.
/// And how often what comes over a connection that the stack opens, for an ACK to another transport than the call's.
const TICK: Duration = Duration::from_millis(20);

/// The stack's own work.
pub(crate) struct Stack(BoxFuture<'static, ()>);

impl Stack {
    /// To be called before the stack knows of any socket, as it reads those that it finds now.
    pub fn start(stack: Endpoint) -> Self {
        let mut started = Self(async move { stack.serve().await }.fuse().boxed());
        started.look();
        started
    }

    /// Does what there is to do, and is woken by nobody.
    fn look(&mut self) {
        let _ = self.0.as_mut().now_or_never();
    }
}

/// Until the endpoint stops.
pub(crate) async fn receive(
    agent: Arc<Agent>,
    mut datagrams: Datagrams,
    mut streams: mpsc::UnboundedReceiver<Arrival>,
    mut stack: Stack,
    calls: mpsc::UnboundedSender<IncomingCall>,
) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopped = pin!(agent.stop.cancelled());
    loop {
        let arrival = tokio::select! {
            () = &mut stopped => break,
            arrival = datagrams.next() => arrival,
            Some(arrival) = streams.recv() => arrival,
            _ = tick.tick() => {
                stack.look();
                agent.transactions.tick(Instant::now());
                continue;
            }
        };
        match arrival {
            Arrival::Request(request) => {
                if let Some(transaction) = agent.transactions.receive(*request) {
                    dispatch(&agent, transaction, &calls);
                }
            }
            Arrival::Response(response) => {
                let (message, connection, source) = *response;
                if let Err(error) = agent.stack.on_received_message(message, connection, &source).await {
                    tracing::debug!(%source, %error, "response dropped");
                }
            }
        }
    }
    // Whoever observes a transaction knows the agent, and the agent the transactions.
    agent.transactions.clear();
}
