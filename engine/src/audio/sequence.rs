//! Sequence numbers of one stream: what is new, what came late or twice, what never came.
//! Where a packet's audio belongs in time is not asked here: that is `playout`.

/// Further ahead is a jump of the sender, not loss (RFC 3550 appendix A.1).
const MAX_DROPOUT: u16 = 3000;
/// Further behind is a jump of the sender, not reordering.
const MAX_MISORDER: u16 = 100;

/// How a sequence number relates to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Newer than all before; `missing` numbers were passed over.
    Newer {
        missing: u16,
    },
    /// Older than the newest, and not seen before.
    Older,
    Duplicate,
    /// Far off. If its successor comes next, the sender has jumped.
    Stray,
    /// The second of two consecutive strays: the sender goes on from here.
    Jumped,
}

/// Follows one stream; make a new one for a new SSRC.
#[derive(Debug, Clone, Default)]
pub struct SequenceTracker {
    newest: Option<u16>,
    /// Bit n: `newest - n` was seen.
    seen: u64,
    suspect: Option<u16>,
    missing: u64,
}

impl SequenceTracker {
    pub fn note(&mut self, sequence: u16) -> Order {
        let Some(newest) = self.newest else {
            self.begin(sequence, 1);
            return Order::Newer { missing: 0 };
        };
        let ahead = sequence.wrapping_sub(newest);
        let behind = newest.wrapping_sub(sequence);
        if ahead == 0 {
            Order::Duplicate
        } else if ahead < MAX_DROPOUT {
            self.newest = Some(sequence);
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.suspect = None;
            self.missing += u64::from(ahead - 1);
            Order::Newer { missing: ahead - 1 }
        } else if behind <= MAX_MISORDER {
            self.older(behind)
        } else if self.suspect == Some(sequence) {
            self.begin(sequence, 0b11);
            Order::Jumped
        } else {
            self.suspect = Some(sequence.wrapping_add(1));
            Order::Stray
        }
    }

    /// For a number noted as [`Order::Older`] whose time fits nothing known: true if its predecessor was one too, and
    /// so the sender has begun again a little earlier in its numbering.
    pub fn begins_again(&mut self, sequence: u16) -> bool {
        let begins = self.suspect == Some(sequence);
        if begins {
            self.begin(sequence, 0b11);
        } else {
            self.suspect = Some(sequence.wrapping_add(1));
        }
        begins
    }

    /// Packets that never came so far.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    fn begin(&mut self, sequence: u16, seen: u64) {
        self.newest = Some(sequence);
        self.seen = seen;
        self.suspect = None;
    }

    fn older(&mut self, behind: u16) -> Order {
        // Beyond the 64 remembered, a duplicate cannot be told; it is too late to be played anyway.
        let bit = 1u64.checked_shl(u32::from(behind)).unwrap_or(0);
        if self.seen & bit != 0 {
            return Order::Duplicate;
        }
        self.seen |= bit;
        self.missing = self.missing.saturating_sub(1);
        Order::Older
    }
}
