//! RTCP (RFC 3550 section 6): compound packets read and written in place.
//! The numbers in the reports come from `reception`; when to send is decided in `call`.

use thiserror::Error;

/// Sender report (200) and receiver report (201) hold at most this many blocks.
pub const MAX_BLOCKS: usize = 31;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// One report block (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream reported on.
    pub ssrc: u32,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the stream began; negative when duplicates outnumber losses. 24 bits.
    pub cumulative_lost: i32,
    /// Highest sequence number seen, with its count of wraps in the upper half.
    pub highest_sequence: u32,
    /// Interarrival jitter in clock-rate units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report seen; 0 if none.
    pub last_sr: u32,
    /// Time since that report, in 1/65536 s; 0 if none.
    pub delay_since_last_sr: u32,
}

/// Facts of a sender report that describe the sender itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time, 32.32 fixed point.
    pub ntp: u64,
    /// The same instant in the stream's RTP clock.
    pub rtp_timestamp: u32,
    pub packets: u32,
    /// Payload bytes, headers not counted.
    pub octets: u32,
}

/// A sender report as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport<'a> {
    pub ssrc: u32,
    pub info: SenderInfo,
    pub blocks: ReportBlocks<'a>,
}

/// A receiver report as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiverReport<'a> {
    pub ssrc: u32,
    pub blocks: ReportBlocks<'a>,
}

/// A BYE as received: these sources end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bye<'a> {
    sources: &'a [u8],
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    SenderReport(SenderReport<'a>),
    ReceiverReport(ReceiverReport<'a>),
    Bye(Bye<'a>),
    /// SDES, APP, feedback and whatever else: passed over.
    Other {
        packet_type: u8,
    },
}

/// Why a packet of a compound cannot be read. The rest of the compound is not read either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtcpError {
    #[error("RTCP version is {0}, not 2")]
    Version(u8),
    #[error("RTCP packet of type {packet_type} wants {need} bytes, {have} are there")]
    Truncated { packet_type: u8, have: usize, need: usize },
    #[error("RTCP buffer of {have} bytes is too small, {need} needed")]
    NoRoom { have: usize, need: usize },
}

/// Iterator over report blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlocks<'a> {
    bytes: &'a [u8],
}

/// The packets of one compound datagram, in order.
pub fn parse(datagram: &[u8]) -> Compound<'_> {
    Compound { rest: datagram }
}

/// Iterator over the packets of one compound datagram; ends after the first error.
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<RtcpPacket<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = self.parse_one();
        if parsed.is_err() {
            self.rest = &[];
        }
        Some(parsed)
    }
}

impl<'a> Compound<'a> {
    fn parse_one(&mut self) -> Result<RtcpPacket<'a>, RtcpError> {
        let have = self.rest.len();
        let truncated = |packet_type, need| RtcpError::Truncated { packet_type, have, need };
        let &[flags, packet_type, l0, l1, ..] = self.rest else { return Err(truncated(0, 4)) };
        if flags >> 6 != 2 {
            return Err(RtcpError::Version(flags >> 6));
        }
        let bytes = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let (packet, rest) = self.rest.split_at_checked(bytes).ok_or(truncated(packet_type, bytes))?;
        self.rest = rest;
        let count = usize::from(flags & 0x1F);
        let field = |at: usize| read_u32(packet, at).ok_or(truncated(packet_type, at + 4));
        let blocks = |at: usize| {
            let end = at + count * BLOCK_BYTES;
            packet.get(at..end).map(|bytes| ReportBlocks { bytes }).ok_or(truncated(packet_type, end))
        };
        Ok(match packet_type {
            SENDER_REPORT => RtcpPacket::SenderReport(SenderReport {
                ssrc: field(4)?,
                info: SenderInfo {
                    ntp: (u64::from(field(8)?) << 32) | u64::from(field(12)?),
                    rtp_timestamp: field(16)?,
                    packets: field(20)?,
                    octets: field(24)?,
                },
                blocks: blocks(28)?,
            }),
            RECEIVER_REPORT => RtcpPacket::ReceiverReport(ReceiverReport { ssrc: field(4)?, blocks: blocks(8)? }),
            GOODBYE => {
                let end = 4 + count * 4;
                let sources = packet.get(4..end).ok_or(truncated(packet_type, end))?;
                RtcpPacket::Bye(Bye { sources })
            }
            packet_type => RtcpPacket::Other { packet_type },
        })
    }
}

const BLOCK_BYTES: usize = 24;

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.bytes.split_at_checked(BLOCK_BYTES)?;
        self.bytes = rest;
        let lost = read_u32(block, 4)?;
        Some(ReportBlock {
            ssrc: read_u32(block, 0)?,
            fraction_lost: (lost >> 24) as u8,
            // 24 bits, signed.
            cumulative_lost: ((lost << 8) as i32) >> 8,
            highest_sequence: read_u32(block, 8)?,
            jitter: read_u32(block, 12)?,
            last_sr: read_u32(block, 16)?,
            delay_since_last_sr: read_u32(block, 20)?,
        })
    }
}

impl Bye<'_> {
    pub fn sources(&self) -> impl Iterator<Item = u32> + '_ {
        self.sources.chunks_exact(4).filter_map(|source| read_u32(source, 0))
    }
}

/// Our own report, as one compound packet: SR (if we sent media) or RR, SDES with the CNAME, BYE at the end of the call.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Our own source.
    pub ssrc: u32,
    /// `Some` makes it a sender report.
    pub sender: Option<SenderInfo>,
    /// About the stream we receive, if there is one.
    pub block: Option<ReportBlock>,
    /// Up to 255 bytes of text; longer is cut.
    pub cname: &'a str,
    /// Ends with a BYE.
    pub bye: bool,
}

impl Report<'_> {
    /// Writes the compound; the number of bytes used. 200 bytes are room enough for a CNAME of up to 100.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, RtcpError> {
        let cname = self.cname.as_bytes();
        let cname = cname.get(..255).unwrap_or(cname);
        let blocks = u8::from(self.block.is_some());
        let report_bytes = 8 + if self.sender.is_some() { 20 } else { 0 } + usize::from(blocks) * BLOCK_BYTES;
        // Header, SSRC, type, length, text, at least one null; padded to a word (RFC 3550 section 6.5).
        let sdes_bytes = (8 + 2 + cname.len() + 1).next_multiple_of(4);
        let need = report_bytes + sdes_bytes + if self.bye { 8 } else { 0 };
        let have = out.len();
        let out = out.get_mut(..need).ok_or(RtcpError::NoRoom { have, need })?;
        let mut writer = Writer { out, at: 0 };
        let packet_type = if self.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
        writer.header(blocks, packet_type, report_bytes);
        writer.word(self.ssrc);
        if let Some(sender) = self.sender {
            writer.word((sender.ntp >> 32) as u32);
            writer.word(sender.ntp as u32);
            writer.word(sender.rtp_timestamp);
            writer.word(sender.packets);
            writer.word(sender.octets);
        }
        if let Some(block) = self.block {
            writer.word(block.ssrc);
            let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF;
            writer.word((u32::from(block.fraction_lost) << 24) | lost);
            writer.word(block.highest_sequence);
            writer.word(block.jitter);
            writer.word(block.last_sr);
            writer.word(block.delay_since_last_sr);
        }
        writer.header(1, SOURCE_DESCRIPTION, sdes_bytes);
        writer.word(self.ssrc);
        writer.bytes(&[1, cname.len() as u8]);
        writer.bytes(cname);
        writer.bytes(&[0; 4][..sdes_bytes - 10 - cname.len()]);
        if self.bye {
            writer.header(1, GOODBYE, 8);
            writer.word(self.ssrc);
        }
        Ok(writer.at)
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(room) = self.out.get_mut(self.at..self.at + bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.at += bytes.len();
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    fn header(&mut self, count: u8, packet_type: u8, bytes: usize) {
        let [l0, l1] = ((bytes / 4 - 1) as u16).to_be_bytes();
        self.bytes(&[0x80 | count, packet_type, l0, l1]);
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}
