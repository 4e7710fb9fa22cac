//! RTCP datagrams: every packet, block and source in them.
//! What a call makes of reports is the target `rtp`.
#![no_main]

use engine::rtp::rtcp::{RtcpPacket, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for packet in parse(bytes) {
        let _ = match packet {
            Ok(RtcpPacket::SenderReport(report)) => report.blocks.count(),
            Ok(RtcpPacket::ReceiverReport(report)) => report.blocks.count(),
            Ok(RtcpPacket::Bye(bye)) => bye.sources().count(),
            Ok(RtcpPacket::Other { .. }) | Err(_) => 0,
        };
    }
});
