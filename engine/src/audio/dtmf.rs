//! DTMF digits as RTP events (RFC 4733): a receiver that reports each digit once, and a sender.
//! Digits as tones inside the audio are `dtmf_tones`' work.

use crate::rtp::RtpPacket;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub char: char,
    /// As far as the sender told us, ms.
    pub duration_ms: u32,
}

/// Keys by their event code (RFC 4733 section 3.2).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// Keys by their tones: row by row, a column each.
pub(super) const KEYS_BY_TONES: [char; 16] =
    ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];

/// One telephone-event payload (RFC 4733 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    code: u8,
    end: bool,
    /// Timestamp units.
    duration: u16,
}

impl Event {
    fn parse(payload: &[u8]) -> Option<Self> {
        let &[code, flags, d0, d1, ..] = payload else { return None };
        Some(Self { code, end: flags & 0x80 != 0, duration: u16::from_be_bytes([d0, d1]) })
    }
}

/// A digit without news for this many 20 ms ticks is over, its end packets lost. Senders repeat an event every
/// 20 to 50 ms.
const LOST_END_TICKS: u8 = 10;
/// Packets of an event that began up to 5 s before the newest one are its stragglers; further back the clock jumped.
const STRAGGLER_S: u32 = 5;
/// From this duration on a digit held longer goes on as an event of its own, which begins where this one ends
/// (RFC 4733 section 2.5.1.3); senders of 20 to 60 ms packets stop short of the longest possible.
const LONGEST_SEGMENT: u32 = 0xF000;

/// Hears digits. A digit is one RTP timestamp, whatever of its packets got lost or came twice.
#[derive(Debug, Clone)]
pub struct DtmfReceiver {
    /// Of the telephone-event payload type, that is of the audio beside it.
    clock_rate_hz: u32,
    /// The event heard last.
    current: Option<Heard>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    timestamp: u32,
    char: char,
    /// Of this event so far, and of those it goes on with, timestamp units.
    duration: u32,
    before: u32,
    /// Ticks since its last packet.
    quiet_ticks: u8,
    reported: bool,
}

impl DtmfReceiver {
    /// `clock_rate_hz` is that of the telephone-event payload type: 8000, or 48000 beside Opus.
    pub fn new(clock_rate_hz: u32) -> Self {
        Self { clock_rate_hz, current: None }
    }

    /// Takes a packet of the telephone-event payload type. A digit comes out at its end, or, if the end was lost,
    /// when the next one begins.
    pub fn push(&mut self, packet: &RtpPacket<'_>) -> Option<Digit> {
        let event = Event::parse(packet.payload)?;
        let char = *KEYS.get(usize::from(event.code))?;
        let duration = u32::from(event.duration);
        let stragglers = (STRAGGLER_S * self.clock_rate_hz) as i32;
        match &mut self.current {
            Some(heard) if heard.timestamp == packet.timestamp => {
                heard.quiet_ticks = 0;
                heard.duration = heard.duration.max(duration);
                if !event.end || heard.reported {
                    return None;
                }
                self.take_unreported()
            }
            Some(heard) if (-stragglers..0).contains(&(packet.timestamp.wrapping_sub(heard.timestamp) as i32)) => None,
            Some(heard) if heard.goes_on_in(packet.timestamp, char) => {
                heard.before += packet.timestamp.wrapping_sub(heard.timestamp);
                (heard.timestamp, heard.duration, heard.quiet_ticks) = (packet.timestamp, duration, 0);
                if event.end { self.take_unreported() } else { None }
            }
            _ => {
                let unfinished = self.take_unreported();
                self.current = Some(Heard {
                    timestamp: packet.timestamp,
                    char,
                    duration,
                    before: 0,
                    quiet_ticks: 0,
                    reported: false,
                });
                // Should the digit before have lost its end, this one's own end is repeated: it comes out then.
                if event.end && unfinished.is_none() { self.take_unreported() } else { unfinished }
            }
        }
    }

    /// Call it every 20 ms: the digit that has been over for a while, its end packets lost.
    pub fn tick(&mut self) -> Option<Digit> {
        let heard = self.current.as_mut().filter(|heard| !heard.reported)?;
        heard.quiet_ticks += 1;
        if heard.quiet_ticks < LOST_END_TICKS { None } else { self.take_unreported() }
    }

    fn take_unreported(&mut self) -> Option<Digit> {
        let heard = self.current.as_mut().filter(|heard| !heard.reported)?;
        heard.reported = true;
        let duration = u64::from(heard.before + heard.duration) * 1000 / u64::from(self.clock_rate_hz.max(1));
        Some(Digit { char: heard.char, duration_ms: duration as u32 })
    }
}

// === impl Heard ===

impl Heard {
    /// Whether an event of that timestamp is the same key held on.
    fn goes_on_in(&self, timestamp: u32, char: char) -> bool {
        let since = timestamp.wrapping_sub(self.timestamp);
        !self.reported
            && char == self.char
            && (LONGEST_SEGMENT..=0xFFFF).contains(&since)
            && self.duration >= LONGEST_SEGMENT
    }
}

/// What goes into one packet of a sent digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    pub marker: bool,
    /// The same for all packets of one digit.
    pub timestamp: u32,
    pub payload: [u8; 4],
}

/// Sends one digit: a packet each 20 ms, then the end three times (RFC 4733 section 2.5.1).
#[derive(Debug, Clone)]
pub struct DtmfSender {
    code: u8,
    timestamp: u32,
    /// Durations in timestamp units: of a packet's 20 ms, of the whole digit, and sent so far.
    step: u16,
    total: u16,
    sent: u16,
    ends: u8,
}

impl DtmfSender {
    /// `None` for a character that is no key. `timestamp` is that of the moment the key goes down, on a clock of
    /// `clock_rate_hz` (8000 or 48000). The duration is kept within 40 ms and what one event can say: 8 s at 8 kHz.
    pub fn new(char: char, duration_ms: u32, timestamp: u32, clock_rate_hz: u32) -> Option<Self> {
        let code = KEYS.iter().position(|key| *key == char.to_ascii_uppercase())?;
        let step = u16::try_from(clock_rate_hz / 50).ok()?;
        let total = u64::from(duration_ms.clamp(40, 8000)) * u64::from(clock_rate_hz) / 1000;
        let total = u16::try_from(total).unwrap_or(u16::MAX);
        Some(Self { code: u8::try_from(code).ok()?, timestamp, step, total, sent: 0, ends: 0 })
    }

    /// The packet for this 20 ms tick; `None` once the end was sent three times.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        if self.ends == 3 {
            return None;
        }
        let marker = self.sent == 0;
        self.sent = self.sent.saturating_add(self.step).min(self.total);
        let end = self.sent == self.total;
        self.ends += u8::from(end);
        let [d0, d1] = self.sent.to_be_bytes();
        // Volume: 10, that is -10 dBm0, usual for keys.
        let flags = (u8::from(end) << 7) | 10;
        Some(EventPacket { marker, timestamp: self.timestamp, payload: [self.code, flags, d0, d1] })
    }
}
