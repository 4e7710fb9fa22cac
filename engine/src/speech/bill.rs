//! What one request puts on a call's bill: told when the request is over, however it ended.
//! Prices are `tariff`'s; the sums are the call's.

use edge_protocol::ProviderUsage;
use tokio::runtime::Handle;

use crate::call::SpeechEvent;
use crate::shard::{CallKey, ShardHandle};

/// A request under way. It is charged when it is dropped: who asked ahead in vain pays too.
pub struct Bill {
    shard: ShardHandle,
    key: CallKey,
    used: Option<ProviderUsage>,
}

// === impl Bill ===

impl Bill {
    /// `used` is what is charged if nothing more is told.
    pub fn new(shard: ShardHandle, key: CallKey, used: ProviderUsage) -> Self {
        Self { shard, key, used: Some(used) }
    }

    /// What is charged is known better now.
    pub fn is(&mut self, used: ProviderUsage) {
        self.used = Some(used);
    }

    /// Nobody served: nothing is charged.
    pub fn tear_up(mut self) {
        self.used = None;
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        // A job that is ended in mid-request cannot wait here, and its shard may be behind.
        if let (Some(used), Ok(tokio)) = (self.used.take(), Handle::try_current()) {
            let (shard, key) = (self.shard.clone(), self.key);
            tokio.spawn(async move { shard.speech(key, SpeechEvent::Used(used)).await });
        }
    }
}
