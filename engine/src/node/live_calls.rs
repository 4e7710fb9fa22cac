//! The calls a node holds now, and those whose recording is still being made.
//! For `/v1/calls` and for the last event of a call; the calls themselves live on their shards.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use edge_protocol::{CallEvent, Direction, EndCause, EventKind};
use futures::channel::mpsc::{Receiver, Sender, channel};
use serde::Serialize;
use tokio::sync::oneshot;

use super::orders::{CallState, Order, OrderError, Wanted};

/// Orders that may wait for a call beside the next.
const ORDERS_WAITING: usize = 7;

/// A call as `/v1/calls` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveCall {
    pub call_id: String,
    pub direction: Direction,
    pub state: CallState,
    /// SIP `From` URI, or who calls as a client over a WebSocket names them.
    pub from: String,
    /// SIP `To` URI.
    pub to: String,
    /// Name of the agent that answers, or that calls.
    pub agent: String,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: u64,
}

/// What `RecordingReady` needs of a call that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwaitedRecording {
    pub started_at_ms: u64,
    /// Number of the event that is still to come.
    pub seq: u64,
}

/// Register of live calls.
#[derive(Debug, Default)]
pub struct LiveCalls {
    live: Mutex<HashMap<String, Live>>,
    awaited: Mutex<HashMap<String, AwaitedRecording>>,
}

#[derive(Debug)]
struct Live {
    call: LiveCall,
    /// Ends the call from outside.
    hang_up: Sender<EndCause>,
    orders: Sender<Box<Order>>,
}

/// What a call is told from outside.
pub struct Told {
    /// It is to end for this cause.
    pub to_end: Receiver<EndCause>,
    pub orders: Receiver<Box<Order>>,
}

// === impl LiveCalls ===

impl LiveCalls {
    /// A call begins. `None`: a call with this id is live already.
    pub fn add(&self, call: LiveCall) -> Option<Told> {
        match lock(&self.live).entry(call.call_id.clone()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                let (hang_up, to_end) = channel(0);
                let (orders, waiting) = channel(ORDERS_WAITING);
                place.insert(Live { call, hang_up, orders });
                Some(Told { to_end, orders: waiting })
            }
        }
    }

    /// Tells a call to end; false if there is no such call.
    pub fn hang_up(&self, call_id: &str, cause: EndCause) -> bool {
        let mut live = lock(&self.live);
        let Some(live) = live.get_mut(call_id) else { return false };
        // One that is full was told before.
        let _ = live.hang_up.try_send(cause);
        true
    }

    /// Orders a call to do something. What comes of it is told by what is returned, which a call that ends drops.
    ///
    /// # Errors
    /// [`OrderError`] if there is no such call, it is not in the state for it, or has too much to do.
    pub fn order(
        &self,
        call_id: &str,
        wanted: Wanted,
    ) -> Result<oneshot::Receiver<Result<(), OrderError>>, OrderError> {
        let mut live = lock(&self.live);
        let live = live.get_mut(call_id).ok_or(OrderError::NoSuchCall)?;
        if !live.call.state.allows(&wanted) {
            return Err(OrderError::WrongState(live.call.state));
        }
        let (outcome, told) = oneshot::channel();
        let order = Box::new(Order { wanted, outcome });
        live.orders.try_send(order).map_err(|_| OrderError::NotPossible("the call has too many orders waiting"))?;
        Ok(told)
    }

    pub fn get(&self, call_id: &str) -> Option<LiveCall> {
        lock(&self.live).get(call_id).map(|live| live.call.clone())
    }

    /// A call's facts tell how it stands.
    pub fn note(&self, event: &CallEvent) {
        let mut calls = lock(&self.live);
        let Some(live) = calls.get_mut(&event.call_id) else { return };
        live.call.state = match &event.kind {
            EventKind::Ringing { .. } => CallState::Ringing,
            EventKind::Answered | EventKind::TransferFailed { .. } | EventKind::Unbridged { .. } => CallState::Talking,
            EventKind::TransferStarted { .. } => CallState::Transferring,
            EventKind::Bridged { .. } => CallState::Bridged,
            EventKind::MediaChanged { on_hold: true, .. } if live.call.state == CallState::Talking => CallState::Held,
            EventKind::MediaChanged { on_hold: false, .. } if live.call.state == CallState::Held => CallState::Talking,
            _ => return,
        };
    }

    pub fn is_live(&self, call_id: &str) -> bool {
        lock(&self.live).contains_key(call_id)
    }

    pub fn remove(&self, call_id: &str) {
        lock(&self.live).remove(call_id);
    }

    /// All live calls, oldest first.
    pub fn list(&self) -> Vec<LiveCall> {
        let mut calls: Vec<_> = lock(&self.live).values().map(|live| live.call.clone()).collect();
        calls.sort_by(|a, b| (a.started_at_ms, &a.call_id).cmp(&(b.started_at_ms, &b.call_id)));
        calls
    }

    pub fn expect_recording(&self, call_id: &str, started_at_ms: u64, seq: u64) {
        lock(&self.awaited).insert(call_id.to_owned(), AwaitedRecording { started_at_ms, seq });
    }

    /// What is known of a call whose recording came to an end, once.
    pub fn recording_came(&self, call_id: &str) -> Option<AwaitedRecording> {
        lock(&self.awaited).remove(call_id)
    }
}

/// The maps are whole after every statement, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
