//! Small pieces of memory for audio that waits, shared by all calls of a thread: a piece given back is the next one taken,
//! while it is still near the processor. What is in them is `reorder`'s.

use std::cell::RefCell;

/// Bytes in a chunk: 32 ms at 8 kHz.
pub const CHUNK: usize = 256;
/// Chunks there are besides those promised, so that a few calls may need far more than usual: half a second of audio.
const SPARE: usize = 16;
/// Chunks freed, if there are more than promised, for each that is promised no more.
const FREED_FOR_EACH: usize = 2;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { free: Vec::new(), made: 0, promised: 0 }) };
}

/// The chunks of one thread.
struct Pool {
    free: Vec<Box<[u8; CHUNK]>>,
    /// Chunks there are, free or taken.
    made: usize,
    /// Chunks that the calls are promised.
    promised: usize,
}

/// Whoever holds this finds as many chunks as it says, if all who hold one take no more than that on average. Where they do,
/// taking allocates what is missing once: it stays until so many calls have ended.
#[derive(Debug)]
pub struct Promise(usize);

/// A chunk with whatever was in it.
pub fn take() -> Box<[u8; CHUNK]> {
    POOL.with_borrow_mut(|pool| {
        let free = pool.free.pop();
        pool.made += usize::from(free.is_none());
        free
    })
    .unwrap_or_else(|| Box::new([0; CHUNK]))
}

pub fn give_back(chunk: Box<[u8; CHUNK]>) {
    // A thread that ends has no pool any more.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        // One that another thread took is not of this pool.
        if pool.free.len() < pool.made {
            pool.free.push(chunk);
        }
    });
}

// === impl Pool ===

impl Pool {
    /// Chunks there are to be at least.
    fn wanted(&self) -> usize {
        if self.promised == 0 { 0 } else { self.promised + SPARE }
    }
}

// === impl Promise ===

impl Promise {
    pub fn of(chunks: usize) -> Self {
        POOL.with_borrow_mut(|pool| {
            pool.promised += chunks;
            let missing = pool.wanted().saturating_sub(pool.made);
            pool.free.extend((0..missing).map(|_| Box::new([0; CHUNK])));
            pool.made += missing;
            let taken = pool.made - pool.free.len();
            pool.free.reserve(taken);
        });
        Self(chunks)
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        // It may have been given on another thread, and end here: then neither pool is quite as large as it ought to be.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.promised = pool.promised.saturating_sub(self.0);
            // Little by little: as long as there are calls, what was needed once is needed again.
            let most = if pool.promised == 0 { usize::MAX } else { FREED_FOR_EACH * self.0 };
            for _ in 0..pool.made.saturating_sub(pool.wanted()).min(most) {
                if pool.free.pop().is_some() {
                    pool.made -= 1;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of this test's thread: chunks there are, and those of them that are free.
    fn pool() -> (usize, usize) {
        POOL.with_borrow(|pool| (pool.made, pool.free.len()))
    }

    #[test]
    fn what_is_given_back_is_taken_next_and_what_nobody_is_promised_is_freed() {
        let promise = Promise::of(2);
        assert_eq!(pool(), (SPARE + 2, SPARE + 2));
        let mut taken: Vec<_> = (0..SPARE + 3).map(|_| take()).collect();
        assert_eq!(pool(), (SPARE + 3, 0), "more than there were are there when they are needed");
        taken[SPARE + 2][0] = 7;
        taken.into_iter().for_each(give_back);
        let again = take();
        assert_eq!((again[0], pool()), (7, (SPARE + 3, SPARE + 2)));
        give_back(again);
        let other = Promise::of(1);
        assert_eq!(pool(), (SPARE + 3, SPARE + 3));
        drop(promise);
        assert_eq!(pool(), (SPARE + 1, SPARE + 1));
        drop(other);
        assert_eq!(pool(), (0, 0));
    }
}
