//! A caller is given to somebody else by the client that brought them: when it is told so, and to whom.
//! What a client does then is its own; calls over SIP are transferred by `node::transfer`.

use std::future::pending;

use edge_protocol::TransferMode;
use tokio::time::{Instant, sleep_until};

use crate::call::{CallCommand, TransferWish};
use crate::node::orders::{OrderError, TransferOrder};
use crate::node::transfer::LONGEST_SENTENCE;
use crate::node::trunks::check_party;
use crate::shard::{CallKey, ShardHandle};

/// What the client is to do, and when: at once, or once the caller has heard about it.
#[derive(Debug)]
pub struct Handover {
    wish: TransferWish,
    at: Instant,
}

// === impl Handover ===

impl Handover {
    /// The agent has said all it had to.
    pub fn now(wish: TransferWish) -> Self {
        Self { wish, at: Instant::now() }
    }

    /// As it was ordered, after the sentence that comes first.
    ///
    /// # Errors
    /// [`OrderError`] for what a client cannot be asked for.
    pub async fn ordered(order: TransferOrder, (shard, key): (&ShardHandle, CallKey)) -> Result<Self, OrderError> {
        if order.mode != TransferMode::Blind {
            return Err(OrderError::NotPossible("a call over a WebSocket can be given away blind only"));
        }
        check_party(&order.to)?;
        let mut handover = Self::now(TransferWish { to: order.to, reason: order.consult });
        if let Some(announce) = order.announce {
            shard.tell(key, CallCommand::Say(announce)).await;
            handover.at += LONGEST_SENTENCE;
        }
        Ok(handover)
    }

    /// The caller has heard about it.
    pub fn hurry(&mut self) {
        self.at = Instant::now();
    }
}

/// Waits until a handover is due; for ever where there is none.
pub async fn due(handover: Option<&Handover>) -> TransferWish {
    let Some(handover) = handover else { return pending().await };
    sleep_until(handover.at).await;
    handover.wish.clone()
}
