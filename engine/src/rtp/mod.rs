//! RTP and RTCP on the wire (RFC 3550), parsed and written without copies, and the statistics they define.
//! No sockets here (`transport` has them) and no audio (`audio` decodes it).

pub mod dtls;
mod packet;
mod reception;
pub mod rtcp;
pub mod srtp;

#[cfg(test)]
mod tests;

pub use packet::{HEADER_BYTES, RtpError, RtpPacket, is_rtcp, ssrc_of, write_header};
pub use reception::{ReceptionStats, round_trip};
