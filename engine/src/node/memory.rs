//! Memory that a burst of calls left behind goes back to the operating system once nearly all of the calls are over.
//! How much a call takes is its own affair; that a shard's or the recorder's spare room shrinks is theirs.

use std::sync::Arc;
use std::time::Duration;

use super::Node;

/// How often it is looked whether there is something to give back.
const EVERY: Duration = Duration::from_secs(10);

/// Calls below which nothing is worth the trouble: some megabytes.
const FEW: usize = 100;

/// A burst is over when of so many calls one is left: who is still talking may have to wait for the allocator meanwhile.
const ONE_IS_LEFT_OF: usize = 8;

/// Looks until it is done once more: a call's last answers are remembered for 32 s (64*T1), its recording takes its time.
const ONCE_MORE_AFTER: u32 = 5;

/// What there was and what is owed.
#[derive(Debug, Default)]
struct Burst {
    most: usize,
    once_more_in: u32,
}

// === impl Node ===

impl Node {
    /// Runs for as long as the node does.
    pub(super) async fn return_memory(self: Arc<Self>) {
        let mut looks = tokio::time::interval(EVERY);
        let mut burst = Burst::default();
        loop {
            looks.tick().await;
            if burst.is_over(self.active_calls()) {
                // It goes through all that is free, part by part, which takes milliseconds.
                let _ = tokio::task::spawn_blocking(return_what_is_free).await;
            }
        }
    }
}

// === impl Burst ===

impl Burst {
    /// Whether this look at the calls there are is one after which there is something to give back.
    fn is_over(&mut self, calls: usize) -> bool {
        self.most = self.most.max(calls);
        self.once_more_in = self.once_more_in.saturating_sub(1);
        if self.most >= FEW && calls <= self.most / ONE_IS_LEFT_OF {
            *self = Self { most: calls, once_more_in: ONCE_MORE_AFTER + 1 };
            return true;
        }
        self.once_more_in == 1
    }
}

/// The allocator keeps what is freed between things that are not; whole pages of it the kernel can have.
fn return_what_is_free() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers, and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::load::memory_bytes;

    #[test]
    fn memory_is_returned_when_few_of_many_calls_are_left_and_once_more_later() {
        let mut burst = Burst::default();
        let calls = [0, 500, 1000, 800, 126, 125, 100, 90, 0, 0, 0, 0, 0, 0];
        let over: Vec<_> = calls.iter().enumerate().filter(|(_, calls)| burst.is_over(**calls)).collect();
        assert_eq!(over, [(5, &125), (8, &0), (13, &0)]);
        let mut quiet = Burst::default();
        assert!((0..99).chain([0; 20]).all(|calls| !quiet.is_over(calls)));
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn what_lay_between_things_that_stay_is_given_back() {
        const PIECE: usize = 8 * 1024;
        let mut pieces: Vec<Option<Box<[u8; PIECE]>>> = (0..8000).map(|_| Some(Box::new([1; PIECE]))).collect();
        pieces.iter_mut().enumerate().filter(|(n, _)| n % 10 != 0).for_each(|(_, piece)| *piece = None);
        let kept = memory_bytes();
        return_what_is_free();
        let returned = kept.saturating_sub(memory_bytes());
        assert!(returned > 30_000_000, "{returned} of {kept} bytes");
        drop(pieces);
    }
}
