//! What we send under one master key: the rollover counter, the SRTCP index, and packets sealed where they lie.
//! One stream, whose sequence numbers come in order.

use super::transform::{Parts, Protocol, RTCP_HEADER_BYTES, Transform};
use super::{INDEX_BYTES, MasterKey, SrtpError};
use crate::rtp::packet::header_bytes;

/// In the last word of SRTCP: the packet is encrypted.
pub(super) const ENCRYPTED: u32 = 1 << 31;

/// Cryptographic context of our own stream (RFC 3711 section 3.2).
pub struct SendContext {
    rtp: Transform,
    rtcp: Transform,
    rollover: u32,
    last: Option<u16>,
    /// Index of the next SRTCP packet, 31 bits.
    report: u32,
}

// === impl SendContext ===

impl SendContext {
    pub fn new(key: &MasterKey) -> Self {
        let (rtp, rtcp) = (Transform::new(key, Protocol::Rtp), Transform::new(key, Protocol::Rtcp));
        Self { rtp, rtcp, rollover: 0, last: None, report: 0 }
    }

    /// Protects the RTP packet in the first `bytes` of `packet`, and says how many it is then.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    pub fn protect_rtp(&mut self, packet: &mut [u8], bytes: usize) -> Result<usize, SrtpError> {
        let no_room = SrtpError::NoRoom(self.rtp.tag_bytes());
        let (plain, room) = packet.split_at_mut_checked(bytes).ok_or(no_room)?;
        let tag = room.get_mut(..self.rtp.tag_bytes()).ok_or(no_room)?;
        let header = header_bytes(plain).ok_or(SrtpError::Malformed(bytes))?;
        let (header, body) = plain.split_at_mut_checked(header).ok_or(SrtpError::Malformed(bytes))?;
        let &mut [_, _, s0, s1, _, _, _, _, c0, c1, c2, c3, ..] = header else {
            return Err(SrtpError::Malformed(bytes));
        };
        let sequence = u16::from_be_bytes([s0, s1]);
        if self.last.is_some_and(|last| sequence < last) {
            self.rollover = self.rollover.checked_add(1).ok_or(SrtpError::KeyUsedUp)?;
        }
        self.last = Some(sequence);
        let parts = Parts {
            header,
            body,
            suffix: self.rollover.to_be_bytes(),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            index: (u64::from(self.rollover) << 16) | u64::from(sequence),
        };
        if self.rtp.seal(parts, tag) { Ok(bytes + tag.len()) } else { Err(SrtpError::Malformed(bytes)) }
    }

    /// Protects the compound RTCP packet in the first `bytes` of `packet`, and says how many it is then.
    ///
    /// # Errors
    /// [`SrtpError`]; the packet must not be sent then.
    pub fn protect_rtcp(&mut self, packet: &mut [u8], bytes: usize) -> Result<usize, SrtpError> {
        let more = INDEX_BYTES + self.rtcp.tag_bytes();
        let (plain, room) = packet.split_at_mut_checked(bytes).ok_or(SrtpError::NoRoom(more))?;
        let room = room.get_mut(..more).ok_or(SrtpError::NoRoom(more))?;
        let (header, body) = plain.split_at_mut_checked(RTCP_HEADER_BYTES).ok_or(SrtpError::Malformed(bytes))?;
        let &mut [_, _, _, _, c0, c1, c2, c3] = header else { return Err(SrtpError::Malformed(bytes)) };
        if self.report >= ENCRYPTED {
            return Err(SrtpError::KeyUsedUp);
        }
        let suffix = (self.report | ENCRYPTED).to_be_bytes();
        let parts =
            Parts { header, body, suffix, ssrc: u32::from_be_bytes([c0, c1, c2, c3]), index: u64::from(self.report) };
        let (tag, word) = if self.rtcp.tag_is_inside() {
            room.split_at_mut(self.rtcp.tag_bytes())
        } else {
            let (word, tag) = room.split_at_mut(INDEX_BYTES);
            (tag, word)
        };
        word.copy_from_slice(&suffix);
        self.report += 1;
        if self.rtcp.seal(parts, tag) { Ok(bytes + more) } else { Err(SrtpError::Malformed(bytes)) }
    }
}
