//! Memory that a burst of calls left behind goes back to the operating system once most of the calls are over.
//! How much a call takes is its own affair; that a shard's or the recorder's spare room shrinks is theirs.

use std::sync::Arc;
use std::time::Duration;

use super::Node;

/// How often it is looked whether there is something to give back.
const EVERY: Duration = Duration::from_secs(10);

/// Calls below which nothing is worth the trouble: some megabytes.
const FEW: usize = 100;

// === impl Node ===

impl Node {
    /// Runs for as long as the node does.
    pub(super) async fn return_memory(self: Arc<Self>) {
        let mut looks = tokio::time::interval(EVERY);
        let mut most = 0;
        loop {
            looks.tick().await;
            let calls = self.active_calls();
            most = calls.max(most);
            if most >= FEW && calls <= most / 2 {
                most = calls;
                // It goes through all that is free, which takes milliseconds: nobody's task is to wait for it.
                let _ = tokio::task::spawn_blocking(return_what_is_free).await;
            }
        }
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
