//! What the other side sends under one master key: authentic, new, and decrypted; or refused with the reason.
//! Any number of streams may come under the key; who may send at all is the leg's business.

use super::replay::Streams;
use super::send::ENCRYPTED;
use super::transform::{Parts, Protocol, RTCP_HEADER_BYTES, Transform};
use super::{INDEX_BYTES, MasterKey, SrtpError};
use crate::rtp::packet::header_bytes;

/// Longest packet that is read; bytes.
const MAX_BYTES: usize = 1500;

/// Refused packets in a row after which a stream is believed to have gone on unheard for a rollover period.
const LOST_TOUCH: u32 = 25;

/// Master key identifier (RFC 3711 section 3.1): stands in every packet of a key whose SDP names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mki {
    pub value: u32,
    /// Bytes it takes, 1 to 128; big-endian.
    pub bytes: u8,
}

/// Cryptographic context of what the other side sends (RFC 3711 section 3.2).
pub struct ReceiveContext {
    rtp: Transform,
    rtcp: Transform,
    mki: Option<Mki>,
    packets: Streams,
    reports: Streams,
    /// Rollover period in which the stream may have begun, beside 0.
    begun_in: u32,
    /// Packets refused since the last one believed.
    refused: u32,
    plain: [u8; MAX_BYTES],
}

/// A packet taken apart.
struct Cut<'a> {
    /// Header and encrypted body.
    protected: &'a [u8],
    /// The last word of SRTCP; empty of SRTP.
    index: &'a [u8],
    tag: &'a [u8],
}

// === impl ReceiveContext ===

impl ReceiveContext {
    pub fn new(key: &MasterKey, mki: Option<Mki>) -> Self {
        Self {
            rtp: Transform::new(key, Protocol::Rtp),
            rtcp: Transform::new(key, Protocol::Rtcp),
            mki,
            packets: Streams::default(),
            reports: Streams::default(),
            begun_in: 0,
            refused: 0,
            plain: [0; MAX_BYTES],
        }
    }

    /// A new key for a stream that goes on. RFC 3711 section 3.3.1 keeps the rollover counter then, many phones begin
    /// with 0 again: both are taken.
    #[must_use]
    pub fn rekeyed(&self, key: &MasterKey, mki: Option<Mki>) -> Self {
        Self { begun_in: self.packets.rollover(), ..Self::new(key, mki) }
    }

    /// The RTP packet in an SRTP packet.
    ///
    /// # Errors
    /// [`SrtpError`] says why it is not believed.
    pub fn unprotect_rtp(&mut self, datagram: &[u8]) -> Result<&[u8], SrtpError> {
        let malformed = SrtpError::Malformed(datagram.len());
        let Cut { protected, tag, .. } = self.cut(&self.rtp, datagram, 0)?;
        let header_bytes = header_bytes(protected).ok_or(malformed)?;
        let &[_, _, s0, s1, _, _, _, _, c0, c1, c2, c3, ..] = protected else { return Err(malformed) };
        let (sequence, ssrc) = (u16::from_be_bytes([s0, s1]), u32::from_be_bytes([c0, c1, c2, c3]));
        let mut index = self.packets.index_of(ssrc, sequence).ok_or(SrtpError::Replayed)?;
        if !self.packets.is_new(ssrc, index) {
            return Err(SrtpError::Replayed);
        }
        let bytes = protected.len();
        let plain = self.plain.get_mut(..bytes).ok_or(malformed)?;
        plain.copy_from_slice(protected);
        let (header, body) = plain.split_at_mut_checked(header_bytes).ok_or(malformed)?;
        let mut open = |index: u64| {
            let suffix = ((index >> 16) as u32).to_be_bytes();
            self.rtp.open(Parts { header, body: &mut *body, suffix, ssrc, index }, tag)
        };
        let mut authentic = open(index);
        if !authentic && let Some(other) = second_guess(&self.packets, self.begun_in, self.refused, ssrc, index) {
            index = other;
            authentic = open(index);
        }
        if !authentic {
            self.refused = self.refused.saturating_add(1);
            return Err(SrtpError::Unauthentic);
        }
        self.refused = 0;
        self.packets.note(ssrc, index);
        self.plain.get(..bytes).ok_or(malformed)
    }

    /// The compound RTCP packet in an SRTCP packet.
    ///
    /// # Errors
    /// [`SrtpError`] says why it is not believed.
    pub fn unprotect_rtcp(&mut self, datagram: &[u8]) -> Result<&[u8], SrtpError> {
        let malformed = SrtpError::Malformed(datagram.len());
        let Cut { protected, index: word, tag } = self.cut(&self.rtcp, datagram, INDEX_BYTES)?;
        let suffix: [u8; INDEX_BYTES] = word.try_into().map_err(|_| malformed)?;
        let word = u32::from_be_bytes(suffix);
        // Sent in the clear is what nobody agreed to.
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::Unauthentic);
        }
        let index = u64::from(word & !ENCRYPTED);
        let &[_, _, _, _, c0, c1, c2, c3, ..] = protected else { return Err(malformed) };
        let ssrc = u32::from_be_bytes([c0, c1, c2, c3]);
        if !self.reports.is_new(ssrc, index) {
            return Err(SrtpError::Replayed);
        }
        let bytes = protected.len();
        let plain = self.plain.get_mut(..bytes).ok_or(malformed)?;
        plain.copy_from_slice(protected);
        let (header, body) = plain.split_at_mut_checked(RTCP_HEADER_BYTES).ok_or(malformed)?;
        if !self.rtcp.open(Parts { header, body, suffix, ssrc, index }, tag) {
            return Err(SrtpError::Unauthentic);
        }
        self.reports.note(ssrc, index);
        self.plain.get(..bytes).ok_or(malformed)
    }

    /// Takes a packet apart from its end: tag, MKI and index as RFC 3711 section 3.1 orders them, or MKI, index and
    /// tag as RFC 7714 section 8.2 does. Both ways the MKI has to be ours.
    fn cut<'a>(&self, transform: &Transform, datagram: &'a [u8], index_bytes: usize) -> Result<Cut<'a>, SrtpError> {
        let cut_off = |from: &'a [u8], bytes: usize| {
            let at = from.len().checked_sub(bytes).ok_or(SrtpError::Malformed(datagram.len()))?;
            from.split_at_checked(at).ok_or(SrtpError::Malformed(datagram.len()))
        };
        let (mut rest, mut tag) = (datagram, None);
        if !transform.tag_is_inside() {
            let (before, last) = cut_off(rest, transform.tag_bytes())?;
            (rest, tag) = (before, Some(last));
        }
        if let Some(mki) = self.mki {
            let (before, found) = cut_off(rest, usize::from(mki.bytes))?;
            if !mki.is(found) {
                return Err(SrtpError::UnknownKey);
            }
            rest = before;
        }
        let (rest, index) = cut_off(rest, index_bytes)?;
        let (protected, tag) = match tag {
            Some(tag) => (rest, tag),
            None => cut_off(rest, transform.tag_bytes())?,
        };
        Ok(Cut { protected, index, tag })
    }
}

// === impl Mki ===

impl Mki {
    /// `found`: what a packet carries, of our length.
    fn is(self, found: &[u8]) -> bool {
        let (zeroes, value) = found.split_at(found.len().saturating_sub(4));
        let value = value.iter().fold(0_u32, |all, byte| (all << 8) | u32::from(*byte));
        value == self.value && zeroes.iter().all(|byte| *byte == 0)
    }
}

/// Another index to be tried after one that did not fit.
fn second_guess(packets: &Streams, begun_in: u32, refused: u32, ssrc: u32, index: u64) -> Option<u64> {
    if !packets.knows(ssrc) {
        return (begun_in > 0).then_some(index | (u64::from(begun_in) << 16));
    }
    // Only forward: what lies behind could be a replay.
    (refused >= LOST_TOUCH).then(|| index + 0x1_0000)
}
