//! One task takes what comes in over every transport, passes it through the stack's transactions and on to `dispatch`; and
//! what runs the stack's timers. Not here: reading the transports (`transport`), what a request means (`dispatch`).

use crate::IncomingCall;
use crate::agent::Agent;
use crate::dispatch::dispatch;
use crate::transport::Incoming;
use futures::FutureExt;
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transport::TransportEvent;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// How often the stack's timers are looked at. A call sets and cancels several that never run out, and the stack would
/// wake a task for each.
const TIMER_TICK: Duration = Duration::from_millis(20);

/// Until the transports are gone.
pub(crate) async fn receive(
    agent: Arc<Agent>,
    incoming: Incoming,
    mut requests: TransactionReceiver,
    calls: mpsc::UnboundedSender<IncomingCall>,
) {
    let Incoming { udp, sender, mut messages } = incoming;
    let take = async {
        while let Some(event) = messages.recv().await {
            let TransportEvent::Incoming(message, connection, source) = event else { continue };
            if let Err(error) = agent.stack.on_received_message(message, connection, &source).await {
                tracing::debug!(%source, %error, "message dropped");
            }
            while let Ok(transaction) = requests.try_recv() {
                dispatch(&agent, transaction, &calls);
            }
        }
    };
    let (read, ()) = tokio::join!(udp.serve_loop(sender), take);
    if let Err(error) = read {
        tracing::error!(%error, "nothing is received over UDP any more");
    }
}

/// Lets the stack's timers run out, for ever.
pub(crate) async fn run_timers(stack: EndpointInnerRef) {
    let mut timers = pin!(stack.process_timer());
    let mut tick = tokio::time::interval(TIMER_TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // Looked at here, and woken by nobody.
        let _ = timers.as_mut().now_or_never();
    }
}
