//! RTP and RTCP against the RFCs' layouts and against any bytes at all.
//! Sockets are tested with the shard.

use super::rtcp::{self, Report, ReportBlock, RtcpError, RtcpPacket, SenderInfo};
use super::{HEADER_BYTES, ReceptionStats, RtpError, RtpPacket, is_rtcp, round_trip, write_header};
use crate::clock::Moment;
use proptest::prelude::*;
use std::time::Duration;

/// Version 2, padding, extension, two CSRCs; marker, payload type 8; sequence 0x1234; timestamp; SSRC.
const FULL: [u8; 36] = [
    0xB2, 0x88, 0x12, 0x34, 0x00, 0x00, 0x01, 0x40, 0xDE, 0xAD, 0xBE, 0xEF, // fixed header
    0, 0, 0, 1, 0, 0, 0, 2, // CSRCs
    0xBE, 0xDE, 0x00, 0x01, 0x10, 0xAA, 0x00, 0x00, // extension of one word
    0xD5, 0xD4, 0xD3, 0xD2, // payload
    0, 0, 0, 4, // padding
];

#[test]
fn csrc_extension_and_padding_are_not_payload() {
    let packet = RtpPacket::parse(&FULL).expect("valid");
    let expected = RtpPacket {
        marker: true,
        payload_type: 8,
        sequence: 0x1234,
        timestamp: 320,
        ssrc: 0xDEAD_BEEF,
        payload: &[0xD5, 0xD4, 0xD3, 0xD2],
    };
    assert_eq!(packet, expected);
}

#[test]
fn what_is_wrong_is_named_with_its_value() {
    let mut packet = FULL;
    packet[0] = 0x72;
    assert_eq!(RtpPacket::parse(&packet), Err(RtpError::Version(1)));
    packet = FULL;
    packet[35] = 9;
    assert_eq!(RtpPacket::parse(&packet), Err(RtpError::Padding { padding: 9, body: 8 }));
    packet[35] = 0;
    assert_eq!(RtpPacket::parse(&packet), Err(RtpError::Padding { padding: 0, body: 8 }));
    assert_eq!(RtpPacket::parse(&FULL[..11]), Err(RtpError::Truncated { have: 11, need: 12 }));
    assert_eq!(RtpPacket::parse(&FULL[..26]), Err(RtpError::Truncated { have: 26, need: 28 }));
}

#[test]
fn rtcp_on_the_same_port_is_told_apart() {
    for (kind, expected) in [(200, true), (201, true), (203, true), (0, false), (8, false), (101, false), (0x88, false)]
    {
        assert_eq!(is_rtcp(&[0x80, kind, 0, 0]), expected, "{kind}");
    }
    assert!(!is_rtcp(&[0x80]) && !is_rtcp(&[]) && !is_rtcp(&[0x00, 200]));
}

#[test]
fn a_sender_report_has_the_layout_of_the_rfc() {
    let report = Report {
        ssrc: 0x0102_0304,
        sender: Some(SenderInfo { ntp: 0x1111_2222_3333_4444, rtp_timestamp: 5, packets: 6, octets: 7 }),
        block: Some(ReportBlock {
            ssrc: 8,
            fraction_lost: 9,
            cumulative_lost: -1,
            highest_sequence: 10,
            jitter: 11,
            last_sr: 12,
            delay_since_last_sr: 13,
        }),
        cname: "abc",
        bye: true,
    };
    let mut out = [0xEE; 200];
    let length = report.write(&mut out).expect("room");
    let expected: &[u8] = &[
        0x81, 200, 0, 12, 1, 2, 3, 4, // SR with one block, 13 words
        0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, //
        0, 0, 0, 8, 9, 0xFF, 0xFF, 0xFF, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0, 12, 0, 0, 0, 13, // block
        0x81, 202, 0, 3, 1, 2, 3, 4, 1, 3, b'a', b'b', b'c', 0, 0, 0, // SDES: CNAME, null, padding
        0x81, 203, 0, 1, 1, 2, 3, 4, // BYE
    ];
    assert_eq!(out[..length], *expected);

    let packets: Vec<RtcpPacket<'_>> = rtcp::parse(expected).collect::<Result<_, _>>().expect("our own");
    let [RtcpPacket::SenderReport(sr), RtcpPacket::Other { packet_type: 202 }, RtcpPacket::Bye(bye)] = packets[..]
    else {
        panic!("{packets:?}");
    };
    assert_eq!((sr.ssrc, Some(sr.info)), (report.ssrc, report.sender));
    assert_eq!(sr.blocks.collect::<Vec<_>>(), [report.block.expect("one")]);
    assert_eq!(bye.sources().collect::<Vec<_>>(), [0x0102_0304]);

    assert_eq!(report.write(&mut [0; 40]), Err(RtcpError::NoRoom { have: 40, need: 76 }));
}

#[test]
fn a_compound_is_read_up_to_its_first_bad_packet() {
    let bytes = [0x80, 201, 0, 1, 0, 0, 0, 9, 0x81, 201, 0, 1, 0, 0, 0, 9, 0x80, 203, 0, 0];
    let packets: Vec<_> = rtcp::parse(&bytes).collect();
    assert_eq!(packets.len(), 2);
    assert!(matches!(packets[0], Ok(RtcpPacket::ReceiverReport(rr)) if rr.ssrc == 9 && rr.blocks.count() == 0));
    assert!(matches!(packets[1], Err(RtcpError::Truncated { packet_type: 201, .. })));
}

#[test]
fn loss_is_counted_over_the_wrap_and_per_report() {
    let mut stats = ReceptionStats::new(8000);
    let mut now = Moment::default();
    // 100 packets, every tenth lost, over the wrap.
    for n in (0..100u16).filter(|n| n % 10 != 5) {
        now = Moment::from_millis(u64::from(n) * 20);
        stats.on_packet(now, 65_500u16.wrapping_add(n), u32::from(n) * 160);
    }
    let block = stats.report(now, 7);
    assert_eq!((stats.received(), stats.lost(), block.cumulative_lost), (90, 10, 10));
    assert_eq!(block.fraction_lost, 25, "10 of 100 in 256ths");
    assert_eq!(block.highest_sequence, 65_500 + 99);
    assert_eq!(block.jitter, 0);
    assert_eq!(stats.report(now, 7).fraction_lost, 0, "nothing since");
}

#[test]
fn jitter_is_that_of_the_rfc() {
    let mut stats = ReceptionStats::new(8000);
    // Alternately 0 and 10 ms late: the mean difference is 10 ms, reached slowly.
    for n in 0..400u64 {
        stats.on_packet(Moment::from_millis(n * 20 + n % 2 * 10), n as u16, n as u32 * 160);
    }
    assert!((stats.jitter_ms() - 10.0).abs() < 0.5, "{}", stats.jitter_ms());
}

#[test]
fn a_sender_that_starts_anew_is_no_loss() {
    let mut stats = ReceptionStats::new(8000);
    for n in 0..50u16 {
        stats.on_packet(Moment::from_millis(u64::from(n) * 20), n, u32::from(n) * 160);
    }
    for n in 50..100u16 {
        stats.on_packet(Moment::from_millis(u64::from(n) * 20), n + 30_000, u32::from(n) * 160);
    }
    assert_eq!((stats.received(), stats.lost()), (100, 0));
}

#[test]
fn the_round_trip_is_what_is_left_without_the_peers_own_delay() {
    // Our report left at 10.5 s; the peer kept it for 2 s; its block comes at 12.625 s.
    let ntp = |seconds: f64| (seconds * 4_294_967_296.0) as u64;
    let mut stats = ReceptionStats::new(8000);
    let sent = SenderInfo { ntp: ntp(10.5), ..SenderInfo::default() };
    stats.on_sender_report(Moment::from_millis(1000), &sent);
    let block = stats.report(Moment::from_millis(3000), 1);
    assert_eq!(round_trip(ntp(12.625), &block), Some(Duration::from_millis(125)));
    assert_eq!(round_trip(ntp(12.4), &block), None, "less than no time");
    assert_eq!(round_trip(ntp(12.4), &ReportBlock::default()), None, "no report of ours seen");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(packet) = RtpPacket::parse(&bytes) {
            prop_assert!(packet.payload.len() + HEADER_BYTES <= bytes.len());
        }
        for packet in rtcp::parse(&bytes).flatten() {
            match packet {
                RtcpPacket::SenderReport(report) => prop_assert!(report.blocks.count() <= rtcp::MAX_BLOCKS),
                RtcpPacket::ReceiverReport(report) => prop_assert!(report.blocks.count() <= rtcp::MAX_BLOCKS),
                RtcpPacket::Bye(bye) => prop_assert!(bye.sources().count() <= rtcp::MAX_BLOCKS),
                RtcpPacket::Other { .. } => {}
            }
        }
    }

    /// Valid first bytes, so that the deeper branches are reached.
    #[test]
    fn no_rtcp_of_any_shape_makes_the_parser_panic(
        count in 0u8..32, kind in 200u8..204, words in 0u8..40, rest in prop::collection::vec(any::<u8>(), 0..180),
    ) {
        let bytes = [&[0x80 | count, kind, 0, words][..], &rest].concat();
        prop_assert!(rtcp::parse(&bytes).count() <= bytes.len() / 4 + 1);
    }

    #[test]
    fn what_is_written_is_read_again(
        marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut header = [0; HEADER_BYTES];
        write_header(&mut header, marker, payload_type, sequence, timestamp, ssrc);
        let datagram = [&header[..], &payload].concat();
        let expected = RtpPacket { marker, payload_type, sequence, timestamp, ssrc, payload: &payload };
        prop_assert_eq!(RtpPacket::parse(&datagram), Ok(expected));
    }

    #[test]
    fn statistics_survive_any_packets(packets in prop::collection::vec((any::<u16>(), any::<u32>(), any::<u16>()), 0..200)) {
        let mut stats = ReceptionStats::new(8000);
        let mut now = Moment::default();
        for (sequence, timestamp, wait_ms) in packets {
            now = now + Duration::from_millis(u64::from(wait_ms));
            stats.on_packet(now, sequence, timestamp);
            stats.report(now, 1);
        }
        prop_assert!(stats.jitter_ms() >= 0.0);
    }
}

#[test]
fn runs_of_loss_are_counted_whatever_order_the_rest_comes_in() {
    // Lost: 10; 20 to 22; 100 to 199 (more than the window remembers); 250, but it only came late.
    let lost = |n: u32| n == 10 || (20..23).contains(&n) || (100..200).contains(&n);
    let mut stats = ReceptionStats::new(8000);
    for n in (0..400u32).filter(|n| !lost(*n) && *n != 250) {
        // Every pair in the wrong order, where both come.
        let number = if n < 2 || lost(n ^ 1) || n ^ 1 == 250 { n } else { n ^ 1 };
        stats.on_packet(Moment::from_millis(u64::from(n) * 20), 65_400u16.wrapping_add(number as u16), number * 160);
        if n == 255 {
            stats.on_packet(Moment::from_millis(5101), 65_400u16.wrapping_add(250), 250 * 160);
        }
    }
    assert_eq!((stats.lost(), stats.loss_runs()), (104, 3));
}
