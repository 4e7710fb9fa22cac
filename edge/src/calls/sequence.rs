//! Which events of a batch are applied now: those that come next, in order, each once.
//! What they mean for the call is `state`'s.

use edge_protocol::CallEvent;

/// The events of one call that follow on `next_seq`, in order. Older ones were applied before, whatever they say now;
/// those beyond a gap come again.
pub fn following(next_seq: u64, mut events: Vec<CallEvent>) -> Vec<CallEvent> {
    events.sort_by_key(|event| event.seq);
    let mut next = next_seq;
    events.retain(|event| {
        let follows = event.seq == next;
        next += u64::from(follows);
        follows
    });
    events
}

#[cfg(test)]
mod tests;
