//! Which packet indices were seen, and which one a 16-bit sequence number means (RFC 3711 section 3.3).
//! Streams are told apart by their SSRC; what is in the packets is not known here.

/// Indices behind the highest one that are still told from replays; RFC 3711 asks for 64.
const WINDOW: u64 = 128;

/// Streams remembered for one key: a phone that starts new ones all the time loses the oldest.
const STREAMS: usize = 16;

/// The indices seen of one stream.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    ssrc: u32,
    /// Highest index believed.
    highest: u64,
    /// Bit n: index `highest - n` was seen.
    seen: u128,
}

/// The streams of one key, the one heard last in front.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    windows: [Window; STREAMS],
    count: usize,
}

// === impl Window ===

impl Window {
    fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            Some(behind) => behind < WINDOW && self.seen & (1 << behind) == 0,
            None => true,
        }
    }

    fn note(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(behind) if behind < WINDOW => self.seen |= 1 << behind,
            Some(_) => {}
            None => {
                let ahead = index - self.highest;
                self.seen = if ahead < WINDOW { self.seen << ahead } else { 0 } | 1;
                self.highest = index;
            }
        }
    }
}

// === impl Streams ===

impl Streams {
    /// The index a sequence number most likely means (RFC 3711 section 3.3.1); `None` if it lies before the first.
    /// A stream not heard yet begins in the first rollover period.
    pub(super) fn index_of(&self, ssrc: u32, sequence: u16) -> Option<u64> {
        let Some(window) = self.window(ssrc) else { return Some(u64::from(sequence)) };
        let (rollover, last) = ((window.highest >> 16) as u32, window.highest as u16);
        let rollover = if last < 0x8000 && sequence > last + 0x8000 {
            rollover.checked_sub(1)?
        } else if last >= 0x8000 && sequence < last - 0x8000 {
            rollover.checked_add(1)?
        } else {
            rollover
        };
        Some((u64::from(rollover) << 16) | u64::from(sequence))
    }

    pub(super) fn is_new(&self, ssrc: u32, index: u64) -> bool {
        self.window(ssrc).is_none_or(|window| window.is_new(index))
    }

    /// The packet was authentic.
    pub(super) fn note(&mut self, ssrc: u32, index: u64) {
        let heard = &mut self.windows[..self.count];
        match heard.iter().position(|window| window.ssrc == ssrc) {
            Some(0) => {}
            Some(place) => heard[..=place].rotate_right(1),
            None => {
                self.count = (self.count + 1).min(STREAMS);
                self.windows[..self.count].rotate_right(1);
                self.windows[0] = Window { ssrc, highest: index, seen: 0 };
            }
        }
        self.windows[0].note(index);
    }

    pub(super) fn knows(&self, ssrc: u32) -> bool {
        self.window(ssrc).is_some()
    }

    /// Rollover period of the stream heard last.
    pub(super) fn rollover(&self) -> u32 {
        (self.windows[0].highest >> 16) as u32
    }

    fn window(&self, ssrc: u32) -> Option<&Window> {
        self.windows[..self.count].iter().find(|window| window.ssrc == ssrc)
    }
}
