//! One task takes what comes in over every transport, passes it through the stack's transactions and on to `dispatch`, and
//! keeps the stack's timers. Not here: reading the transports (`transport`), what a request means (`dispatch`).

use crate::IncomingCall;
use crate::agent::Agent;
use crate::dispatch::dispatch;
use crate::transport::Incoming;
use futures::FutureExt;
use futures::future::BoxFuture;
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::Endpoint;
use rsipstack::transport::TransportEvent;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// How often the stack's own work is looked at: timers, of which a call sets and cancels several that never run out, each with
/// a wake-up otherwise; and what comes over a connection that the stack opens, for an ACK to another transport than the call's.
const STACK_TICK: Duration = Duration::from_millis(20);

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
    incoming: Incoming,
    mut stack: Stack,
    mut requests: TransactionReceiver,
    calls: mpsc::UnboundedSender<IncomingCall>,
) {
    let Incoming { udp, sender, mut messages } = incoming;
    let read = async {
        if let Err(error) = udp.serve_loop(sender).await {
            tracing::error!(%error, "nothing is received over UDP any more");
        }
    };
    let mut tick = tokio::time::interval(STACK_TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let take = async {
        loop {
            tokio::select! {
                event = messages.recv() => match event {
                    Some(TransportEvent::Incoming(message, connection, source)) => {
                        if let Err(error) = agent.stack.on_received_message(message, connection, &source).await {
                            tracing::debug!(%source, %error, "message dropped");
                        }
                    }
                    Some(_) => {}
                    None => return,
                },
                _ = tick.tick() => stack.look(),
            }
            while let Ok(transaction) = requests.try_recv() {
                dispatch(&agent, transaction, &calls);
            }
        }
    };
    tokio::join!(read, take);
}
