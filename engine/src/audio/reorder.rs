//! Received audio at its place in time: a ring of law bytes indexed by sample position, with a bit for each sample
//! present. Of codecs with a memory only the bits are kept here, their packets in `codec`.

mod chunks;

use chunks::{CHUNK, Promise};

/// Samples held at most: 512 ms at 8 kHz.
pub const CAPACITY: usize = 4096;
const WORDS: usize = CAPACITY / 64;
const WORDS_IN_CHUNK: usize = CHUNK / 64;
/// Chunks a stream takes as a rule: a packet or two of 20 ms wait.
const USUAL_CHUNKS: usize = 2;

/// A window of `CAPACITY` positions. Whoever uses it keeps positions inside one window (`playout` does).
#[derive(Debug)]
pub struct Reorder {
    /// Memory only where there are bytes.
    chunks: [Option<Box<[u8; CHUNK]>>; CAPACITY / CHUNK],
    present: [u64; WORDS],
    _usual: Promise,
}

const fn slot(position: i64) -> usize {
    position.rem_euclid(CAPACITY as i64) as usize
}

impl Reorder {
    pub fn new() -> Self {
        Self { chunks: Default::default(), present: [0; WORDS], _usual: Promise::of(USUAL_CHUNKS) }
    }

    pub fn clear(&mut self) {
        self.present = [0; WORDS];
        self.chunks.iter_mut().filter_map(Option::take).for_each(chunks::give_back);
    }

    /// Stores bytes from `position` on. What is there already stays: the first copy of a packet wins.
    pub fn write(&mut self, position: i64, bytes: &[u8]) {
        if self.gap(position, bytes.len()).is_none() {
            return self.write_all(position, bytes);
        }
        for (at, byte) in (position..).zip(bytes) {
            let slot = slot(at);
            let (word, bit) = (slot / 64, 1u64 << (slot % 64));
            if self.present[word] & bit == 0 {
                self.present[word] |= bit;
                self.chunk(slot)[slot % CHUNK] = *byte;
            }
        }
    }

    /// Stores bytes where there are none.
    fn write_all(&mut self, position: i64, bytes: &[u8]) {
        let Some(bytes) = bytes.get(..bytes.len().min(CAPACITY)) else { return };
        let (mut at, mut rest) = (slot(position), bytes);
        while !rest.is_empty() {
            let within = at % CHUNK;
            let (piece, after) = rest.split_at(rest.len().min(CHUNK - within));
            self.chunk(at)[within..within + piece.len()].copy_from_slice(piece);
            (at, rest) = (slot((at + piece.len()) as i64), after);
        }
        self.mark(position, position + bytes.len() as i64);
    }

    /// Samples from `position` up to, not including, `end` are present; what they are is kept elsewhere.
    pub fn mark(&mut self, position: i64, end: i64) {
        self.each_word(position, end, |word, mask| *word |= mask);
    }

    /// Number of samples present from `position` on without a hole, at most `limit`.
    pub fn run(&self, position: i64, limit: usize) -> usize {
        self.scan(position, limit, |word| !word)
    }

    /// Distance from `position` to the next sample present, if there is one within `limit`.
    pub fn gap(&self, position: i64, limit: usize) -> Option<usize> {
        let gap = self.scan(position, limit, |word| word);
        (gap < limit).then_some(gap)
    }

    /// Hands out the bytes from `position` on piece by piece, without removing them.
    pub fn pieces(&self, position: i64, length: usize) -> impl Iterator<Item = &[u8]> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let at = slot(position + done as i64);
            let within = at % CHUNK;
            let piece = (length - done).min(CHUNK - within);
            done += piece;
            // What was never written is never asked for.
            let chunk = self.chunks[at / CHUNK].as_deref().unwrap_or(&[0; CHUNK]);
            (piece > 0).then(|| &chunk[within..within + piece])
        })
    }

    /// Forgets everything from `from` up to, not including, `to`.
    pub fn forget(&mut self, from: i64, to: i64) {
        if to - from >= CAPACITY as i64 {
            self.clear();
            return;
        }
        self.each_word(from, to, |word, mask| *word &= !mask);
        let mut at = from;
        while at < to {
            let chunk = slot(at) / CHUNK;
            let words = chunk * WORDS_IN_CHUNK..(chunk + 1) * WORDS_IN_CHUNK;
            if self.present[words].iter().all(|word| *word == 0) {
                self.chunks[chunk].take().into_iter().for_each(chunks::give_back);
            }
            at += (CHUNK - slot(at) % CHUNK) as i64;
        }
    }

    /// The chunk that holds a slot.
    fn chunk(&mut self, slot: usize) -> &mut [u8; CHUNK] {
        self.chunks[slot / CHUNK].get_or_insert_with(chunks::take)
    }

    /// Shows every word that has bits of positions from `from` up to `to`, and which.
    fn each_word(&mut self, from: i64, to: i64, mut change: impl FnMut(&mut u64, u64)) {
        let mut at = from;
        while at < to {
            let slot = slot(at);
            let bits = (64 - slot % 64).min((to - at) as usize);
            change(&mut self.present[slot / 64], (u64::MAX >> (64 - bits)) << (slot % 64));
            at += bits as i64;
        }
    }

    /// Distance to the first set bit of `pick(word)`, at most `limit`.
    fn scan(&self, position: i64, limit: usize, pick: impl Fn(u64) -> u64) -> usize {
        let limit = limit.min(CAPACITY);
        let mut distance = 0;
        while distance < limit {
            let slot = slot(position + distance as i64);
            let shift = slot % 64;
            let bits = pick(self.present[slot / 64]) >> shift;
            if bits != 0 {
                return (distance + bits.trailing_zeros() as usize).min(limit);
            }
            distance += 64 - shift;
        }
        limit
    }
}

impl Drop for Reorder {
    fn drop(&mut self) {
        self.clear();
    }
}
