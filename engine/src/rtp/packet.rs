//! RTP packets (RFC 3550 section 5.1): parsed in place, headers written into the caller's buffer.
//! RTCP lives in `rtcp`; what the payload means is decided in `audio`.

use thiserror::Error;

/// Bytes of the fixed header, without CSRC list and extension.
pub const HEADER_BYTES: usize = 12;

/// One RTP packet, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// For audio: first packet of a talk spurt (RFC 3551 section 4.1).
    pub marker: bool,
    /// 7 bits; its meaning was negotiated in SDP.
    pub payload_type: u8,
    /// Wraps from 65535 to 0.
    pub sequence: u16,
    /// Sampling instant of the first sample, in clock-rate units (8 kHz for G.711), random origin.
    pub timestamp: u32,
    /// The stream's source; a new one means a new stream.
    pub ssrc: u32,
    /// Without CSRC list, header extension and padding.
    pub payload: &'a [u8],
}

/// Why a datagram is not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtpError {
    #[error("RTP version is {0}, not 2")]
    Version(u8),
    #[error("RTP packet of {have} bytes, its header says at least {need}")]
    Truncated { have: usize, need: usize },
    #[error("RTP padding of {padding} bytes in a body of {body}")]
    Padding { padding: u8, body: usize },
}

impl RtpPacket<'_> {
    /// Reads one datagram. Never panics, whatever the bytes.
    pub fn parse(datagram: &[u8]) -> Result<RtpPacket<'_>, RtpError> {
        let truncated = |need| RtpError::Truncated { have: datagram.len(), need };
        let Some((header, mut body)) = datagram.split_first_chunk::<HEADER_BYTES>() else {
            return Err(truncated(HEADER_BYTES));
        };
        let &[flags, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = header;
        if flags >> 6 != 2 {
            return Err(RtpError::Version(flags >> 6));
        }
        let csrc_bytes = usize::from(flags & 0x0F) * 4;
        body = body.get(csrc_bytes..).ok_or(truncated(HEADER_BYTES + csrc_bytes))?;
        if flags & 0x10 != 0 {
            // Extension: 16 bits of profile, 16 bits of length in 32-bit words (RFC 3550 section 5.3.1).
            let extension = HEADER_BYTES + csrc_bytes + 4;
            let Some((&[_, _, l0, l1], rest)) = body.split_first_chunk::<4>() else {
                return Err(truncated(extension));
            };
            let bytes = usize::from(u16::from_be_bytes([l0, l1])) * 4;
            body = rest.get(bytes..).ok_or(truncated(extension + bytes))?;
        }
        if flags & 0x20 != 0 {
            let padding = body.last().copied().unwrap_or(0);
            let end = body.len().checked_sub(usize::from(padding)).filter(|_| padding > 0);
            body = end.and_then(|end| body.get(..end)).ok_or(RtpError::Padding { padding, body: body.len() })?;
        }
        Ok(RtpPacket {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7F,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            payload: body,
        })
    }
}

/// Bytes of a packet's header with its CSRC list and extension; `None` if the packet is shorter or no RTP at all.
pub(super) fn header_bytes(datagram: &[u8]) -> Option<usize> {
    let flags = *datagram.first().filter(|flags| **flags >> 6 == 2)?;
    let mut bytes = HEADER_BYTES + usize::from(flags & 0x0F) * 4;
    if flags & 0x10 != 0 {
        let &[_, _, l0, l1] = datagram.get(bytes..)?.first_chunk::<4>()?;
        bytes += 4 + usize::from(u16::from_be_bytes([l0, l1])) * 4;
    }
    (bytes <= datagram.len()).then_some(bytes)
}

/// Writes a fixed header: version 2, no padding, no extension, no CSRC. `payload_type` is cut to 7 bits.
pub fn write_header(
    out: &mut [u8; HEADER_BYTES],
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
) {
    let [s0, s1] = sequence.to_be_bytes();
    let [t0, t1, t2, t3] = timestamp.to_be_bytes();
    let [c0, c1, c2, c3] = ssrc.to_be_bytes();
    let kind = (u8::from(marker) << 7) | (payload_type & 0x7F);
    *out = [0x80, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
}

/// Tells RTCP from RTP on a shared port (RFC 5761 section 4): packet types 192 to 223.
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [flags, 192..=223, ..] if flags >> 6 == 2)
}

/// The synchronisation source of what looks like RTP, without looking further.
pub fn ssrc_of(datagram: &[u8]) -> Option<u32> {
    let (header, _) = datagram.split_first_chunk::<HEADER_BYTES>()?;
    let &[flags, .., c0, c1, c2, c3] = header;
    (flags >> 6 == 2 && !is_rtcp(datagram)).then(|| u32::from_be_bytes([c0, c1, c2, c3]))
}
