//! A caller is given to somebody else by the client that brought them: when it is told so, and to whom.
//! What a client does then is its own; calls over SIP are transferred by `node::transfer`.

use std::future::pending;

use edge_protocol::{EventKind, TransferMode};
use tokio::time::{Instant, sleep_until};

use crate::call::{CallCommand, LAST_WORD, TransferWish, WhenLeft};
use crate::node::orders::{OrderError, TransferOrder};
use crate::node::transfer::LONGEST_SENTENCE;
use crate::node::trunks::party;
use crate::shard::{CallKey, ShardHandle};

/// What the client is to do, and when: once the caller has heard about it.
#[derive(Debug)]
pub struct Handover {
    wish: TransferWish,
    at: Instant,
}

// === impl Handover ===

impl Handover {
    /// As the agent wishes, which has said all it had to; the client has still to play it.
    pub async fn wished(wish: TransferWish, (shard, key): (&ShardHandle, CallKey)) -> Self {
        let started = EventKind::TransferStarted { to: wish.to.clone(), mode: TransferMode::Blind };
        shard.tell(key, CallCommand::Note(started)).await;
        Self { wish, at: Instant::now() + LAST_WORD }
    }

    /// As it was ordered, after the sentence that comes first.
    ///
    /// # Errors
    /// [`OrderError`] for what a client cannot be asked for.
    pub async fn ordered(order: TransferOrder, (shard, key): (&ShardHandle, CallKey)) -> Result<Self, OrderError> {
        if order.mode != TransferMode::Blind || order.trunk.is_some() || order.when_left == WhenLeft::Agent {
            return Err(OrderError::NotPossible(
                "a call over a WebSocket is given away by its client: blind, by no trunk of ours, and for good",
            ));
        }
        let wish = TransferWish { to: party(&order.to)?, reason: order.consult };
        let mut handover = Self::wished(wish, (shard, key)).await;
        if let Some(announce) = order.announce {
            shard.tell(key, CallCommand::Say(announce)).await;
            handover.at += LONGEST_SENTENCE;
        }
        Ok(handover)
    }

    /// All is said that the caller is to hear about it.
    pub fn hurry(&mut self) {
        self.at = Instant::now() + LAST_WORD;
    }

    pub fn into_wish(self) -> TransferWish {
        self.wish
    }
}

/// Returns when a handover is due; never without one.
pub async fn due(handover: Option<&Handover>) {
    match handover {
        Some(handover) => sleep_until(handover.at).await,
        None => pending().await,
    }
}
