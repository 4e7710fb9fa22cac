//! The shard's end of the recorder: empty blocks out, full blocks in, without lock, allocation or wait.
//! The recorder's end (`BlockPool`) keeps a small stock of empty blocks ahead of what the shard takes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtrb::{Consumer, Producer, RingBuffer};

use super::{RecordBlock, RecorderCounters};

/// Empty blocks kept ready for a shard at least, so that a burst of new calls finds one each until the next look.
const READY_BLOCKS: usize = 128;
/// For so many recordings one more is kept ready: what they take in 60 ms of both sides being heard.
const RECORDINGS_PER_READY_BLOCK: usize = 2;

/// One shard's way into the recorder. Every operation is bounded and touches only this shard's rings.
pub struct ShardTap {
    empty: Consumer<Box<RecordBlock>>,
    full: Producer<Box<RecordBlock>>,
    counters: Arc<RecorderCounters>,
}

/// The recorder's ends of one shard's rings, and the blocks it has made for it.
pub(super) struct BlockPool {
    empty: Producer<Box<RecordBlock>>,
    full: Consumer<Box<RecordBlock>>,
    /// Blocks there are, wherever they are.
    made: usize,
    most: usize,
}

pub(super) fn shard_tap(most: usize, counters: Arc<RecorderCounters>) -> (ShardTap, BlockPool) {
    // Each ring has room for every block there will ever be: pushing cannot fail while blocks come from here.
    let (empty_in, empty_out) = RingBuffer::new(most);
    let (full_in, full_out) = RingBuffer::new(most);
    let mut pool = BlockPool { empty: empty_in, full: full_out, made: 0, most };
    pool.keep_ready(0);
    (ShardTap { empty: empty_out, full: full_in, counters }, pool)
}

// === impl ShardTap ===

impl ShardTap {
    /// An empty block to be filled, or `None` if the disk is so far behind that all are under way. Then the shard
    /// goes on counting samples and asks again with the next frame: the gap becomes silence of the same length.
    pub fn try_block(&mut self) -> Option<Box<RecordBlock>> {
        let block = self.empty.pop().ok();
        if block.is_none() {
            self.counters.dropped_by_shards.fetch_add(1, Ordering::Relaxed);
        }
        block
    }

    /// Hands a filled block to the recorder. If there is no room it is dropped and counted.
    pub fn push(&mut self, block: Box<RecordBlock>) {
        if self.full.push(block).is_err() {
            self.counters.dropped_by_shards.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl BlockPool ===

impl BlockPool {
    pub(super) fn take_full(&mut self) -> Vec<Box<RecordBlock>> {
        std::iter::from_fn(|| self.full.pop().ok()).collect()
    }

    /// A block was written and is empty again. What is more than twice enough for a shard with `recordings` calls is freed.
    pub(super) fn give_back(&mut self, block: Box<RecordBlock>, recordings: usize) {
        // Pushing fails only for a block that is not from this pool.
        if self.ready() >= 2 * enough_for(recordings) || self.empty.push(block).is_err() {
            self.made = self.made.saturating_sub(1);
        }
    }

    /// Makes blocks until enough wait for a shard with `recordings` calls or the limit is reached: also while all others wait
    /// for a disk that does not answer. Memory follows the calls there are and what waits, not the limit.
    pub(super) fn keep_ready(&mut self, recordings: usize) {
        while self.ready() < enough_for(recordings) && self.made < self.most {
            if self.empty.push(RecordBlock::empty()).is_err() {
                return;
            }
            self.made += 1;
        }
    }

    fn ready(&self) -> usize {
        self.most.saturating_sub(self.empty.slots())
    }
}

fn enough_for(recordings: usize) -> usize {
    READY_BLOCKS + recordings / RECORDINGS_PER_READY_BLOCK
}
