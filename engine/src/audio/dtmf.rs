//! DTMF digits as RTP events (RFC 4733): a receiver that reports each digit once, and a sender.
//! Tones inside the audio are not looked for.

use crate::rtp::RtpPacket;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub char: char,
    /// As far as the sender told us, ms.
    pub duration_ms: u32,
}

const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

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
const STRAGGLER: i32 = 40_000;

/// Hears digits. A digit is one RTP timestamp, whatever of its packets got lost or came twice.
#[derive(Debug, Clone, Default)]
pub struct DtmfReceiver {
    /// The event heard last.
    current: Option<Heard>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    timestamp: u32,
    digit: Digit,
    /// Ticks since its last packet.
    quiet_ticks: u8,
    reported: bool,
}

impl DtmfReceiver {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet of the telephone-event payload type (8 kHz clock). A digit comes out at its end, or, if
    /// the end was lost, when the next one begins.
    pub fn push(&mut self, packet: &RtpPacket<'_>) -> Option<Digit> {
        let event = Event::parse(packet.payload)?;
        let digit = Digit { char: *KEYS.get(usize::from(event.code))?, duration_ms: u32::from(event.duration) / 8 };
        match &mut self.current {
            Some(heard) if heard.timestamp == packet.timestamp => {
                heard.quiet_ticks = 0;
                heard.digit.duration_ms = heard.digit.duration_ms.max(digit.duration_ms);
                if !event.end || heard.reported {
                    return None;
                }
                heard.reported = true;
                Some(heard.digit)
            }
            Some(heard) if is_straggler(packet.timestamp, heard.timestamp) => None,
            _ => {
                let unfinished = self.take_unfinished();
                // Should the digit before have lost its end, this one's own end is repeated: it comes out then.
                let reported = event.end && unfinished.is_none();
                self.current = Some(Heard { timestamp: packet.timestamp, digit, quiet_ticks: 0, reported });
                if reported { Some(digit) } else { unfinished }
            }
        }
    }

    /// Call it every 20 ms: the digit that has been over for a while, its end packets lost.
    pub fn tick(&mut self) -> Option<Digit> {
        let heard = self.current.as_mut().filter(|heard| !heard.reported)?;
        heard.quiet_ticks += 1;
        if heard.quiet_ticks < LOST_END_TICKS { None } else { self.take_unfinished() }
    }

    fn take_unfinished(&mut self) -> Option<Digit> {
        let heard = self.current.as_mut().filter(|heard| !heard.reported)?;
        heard.reported = true;
        Some(heard.digit)
    }
}

fn is_straggler(timestamp: u32, newest: u32) -> bool {
    (-STRAGGLER..0).contains(&(timestamp.wrapping_sub(newest) as i32))
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
    total: u16,
    sent: u16,
    ends: u8,
}

impl DtmfSender {
    /// `None` for a character that is no key. `timestamp` is that of the moment the key goes down.
    pub fn new(char: char, duration_ms: u32, timestamp: u32) -> Option<Self> {
        let code = KEYS.iter().position(|key| *key == char.to_ascii_uppercase())?;
        let total = u16::try_from(duration_ms.clamp(40, 8000) * 8).ok()?;
        Some(Self { code: u8::try_from(code).ok()?, timestamp, total, sent: 0, ends: 0 })
    }

    /// The packet for this 20 ms tick; `None` once the end was sent three times.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        if self.ends == 3 {
            return None;
        }
        let marker = self.sent == 0;
        self.sent = self.sent.saturating_add(160).min(self.total);
        let end = self.sent == self.total;
        self.ends += u8::from(end);
        let [d0, d1] = self.sent.to_be_bytes();
        // Volume: 10, that is -10 dBm0, usual for keys.
        let flags = (u8::from(end) << 7) | 10;
        Some(EventPacket { marker, timestamp: self.timestamp, payload: [self.code, flags, d0, d1] })
    }
}
