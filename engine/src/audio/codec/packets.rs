//! Packets of any length in the order of their places in time, in a space of fixed size.
//! What is in them is `decoding`'s.

/// Bytes kept: half a second of 128 kbit/s.
const SPACE: usize = 8192;
/// Packets kept: half a second of 8 ms.
const MOST: usize = 64;

/// What waits to be decoded.
#[derive(Debug)]
pub struct Packets {
    /// A ring in the order of arrival.
    bytes: [u8; SPACE],
    /// Bytes ever put in, gaps at the ring's end included.
    written: usize,
    /// In the order of positions.
    entries: [Entry; MOST],
    count: usize,
}

/// One packet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry {
    /// Samples on `playout`'s line.
    pub position: i64,
    /// Samples.
    pub length: usize,
    /// `written` before its first byte.
    start: usize,
    bytes: usize,
}

// === impl Entry ===

impl Entry {
    pub fn end(&self) -> i64 {
        self.position + self.length as i64
    }
}

// === impl Packets ===

impl Packets {
    pub const fn new() -> Self {
        const NONE: Entry = Entry { position: 0, length: 0, start: 0, bytes: 0 };
        Self { bytes: [0; SPACE], written: 0, entries: [NONE; MOST], count: 0 }
    }

    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Keeps a packet. False if there is no room, or a packet in its place already.
    pub fn insert(&mut self, position: i64, length: usize, payload: &[u8]) -> bool {
        let waiting = self.waiting();
        let at = waiting.partition_point(|entry| entry.position < position);
        let taken = waiting.get(at).is_some_and(|entry| entry.position == position);
        // A payload lies in one piece.
        let left = SPACE - self.written % SPACE;
        let start = if left < payload.len() { self.written + left } else { self.written };
        let oldest = waiting.iter().map(|entry| entry.start).min().unwrap_or(start);
        let full = self.count == MOST || start + payload.len() > oldest + SPACE;
        let Some(place) = self.bytes.get_mut(start % SPACE..start % SPACE + payload.len()).filter(|_| !taken && !full)
        else {
            return false;
        };
        place.copy_from_slice(payload);
        self.written = start + payload.len();
        self.entries.copy_within(at..self.count, at + 1);
        self.entries[at] = Entry { position, length, start, bytes: payload.len() };
        self.count += 1;
        true
    }

    /// The first one.
    pub fn first(&self) -> Option<(Entry, &[u8])> {
        let entry = *self.waiting().first()?;
        let start = entry.start % SPACE;
        Some((entry, self.bytes.get(start..start + entry.bytes)?))
    }

    /// Done with the first one.
    pub fn remove_first(&mut self) {
        if self.count > 0 {
            self.entries.copy_within(1..self.count, 0);
            self.count -= 1;
        }
    }

    fn waiting(&self) -> &[Entry] {
        self.entries.get(..self.count).unwrap_or(&[])
    }
}
