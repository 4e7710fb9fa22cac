//! Received law bytes at their place in time: a ring indexed by sample position, with a bit for each sample present.
//! How packets map to positions and when they are played is decided in `playout`.

/// Samples held at most: 512 ms at 8 kHz.
pub const CAPACITY: usize = 4096;
const WORDS: usize = CAPACITY / 64;

/// A window of `CAPACITY` positions. Whoever uses it keeps positions inside one window (`playout` does).
#[derive(Debug, Clone)]
pub struct Reorder {
    bytes: [u8; CAPACITY],
    present: [u64; WORDS],
}

const fn slot(position: i64) -> usize {
    position.rem_euclid(CAPACITY as i64) as usize
}

impl Reorder {
    pub const fn new() -> Self {
        Self { bytes: [0; CAPACITY], present: [0; WORDS] }
    }

    pub fn clear(&mut self) {
        self.present = [0; WORDS];
    }

    /// Stores bytes from `position` on. What is there already stays: the first copy of a packet wins.
    pub fn write(&mut self, position: i64, bytes: &[u8]) {
        for (at, byte) in (position..).zip(bytes) {
            let slot = slot(at);
            let (word, bit) = (slot / 64, 1u64 << (slot % 64));
            if self.present[word] & bit == 0 {
                self.present[word] |= bit;
                self.bytes[slot] = *byte;
            }
        }
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

    /// Hands out the bytes from `position` on in at most two pieces, without removing them.
    pub fn pieces(&self, position: i64, length: usize) -> (&[u8], &[u8]) {
        let start = slot(position);
        let first = length.min(CAPACITY - start);
        (&self.bytes[start..start + first], &self.bytes[..length - first])
    }

    /// Forgets everything from `from` up to, not including, `to`.
    pub fn forget(&mut self, from: i64, to: i64) {
        if to - from >= CAPACITY as i64 {
            self.clear();
            return;
        }
        let mut at = from;
        while at < to {
            let slot = slot(at);
            let bits = (64 - slot % 64).min((to - at) as usize);
            let mask = (u64::MAX >> (64 - bits)) << (slot % 64);
            self.present[slot / 64] &= !mask;
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
