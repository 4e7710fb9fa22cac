//! Whole packets from master key to plain text: known ones, any ones, damaged, repeated and reordered ones.
//! The transforms' own vectors are beside them.

use proptest::prelude::*;

use super::*;
use crate::rtp::{HEADER_BYTES, write_header};

const PROFILES: [Profile; 4] =
    [Profile::Aes128CmSha1_80, Profile::Aes128CmSha1_32, Profile::Aes128Gcm, Profile::Aes256Gcm];

fn key(profile: Profile, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..profile.key_bytes() + profile.salt_bytes()).map(|n| n as u8 ^ seed).collect();
    MasterKey::new(profile, &bytes).expect("the profile's length")
}

fn pair(profile: Profile) -> (SendContext, ReceiveContext) {
    (SendContext::new(&key(profile, 7)), ReceiveContext::new(&key(profile, 7), None))
}

fn plain(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER_BYTES];
    write_header(packet.first_chunk_mut().expect("a header"), false, 0, sequence, 160, ssrc);
    packet.extend_from_slice(payload);
    packet
}

fn protected(sender: &mut SendContext, packet: &[u8]) -> Vec<u8> {
    let mut room = packet.to_vec();
    room.resize(packet.len() + MAX_TRAILER_BYTES, 0);
    let bytes = sender.protect_rtp(&mut room, packet.len()).expect("room");
    room.truncate(bytes);
    room
}

fn protected_report(sender: &mut SendContext, packet: &[u8]) -> Vec<u8> {
    let mut room = packet.to_vec();
    room.resize(packet.len() + MAX_TRAILER_BYTES, 0);
    let bytes = sender.protect_rtcp(&mut room, packet.len()).expect("room");
    room.truncate(bytes);
    room
}

/// Packets with these numbers, protected in this order.
fn stream(sender: &mut SendContext, numbers: impl Iterator<Item = u16>) -> Vec<Vec<u8>> {
    numbers.map(|n| protected(sender, &plain(n, 1, &[n as u8; 20]))).collect()
}

/// The master key and packets every SRTP implementation is measured with (libsrtp's reference packets).
#[test]
fn reference_packets_are_made_bit_for_bit() {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    };
    let master = hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
    let mut sender = SendContext::new(&MasterKey::new(Profile::Aes128CmSha1_80, &master).expect("30 bytes"));
    let packet = hex("800f1234decafbadcafebabeabababababababababababababababab");
    let expected = "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb";
    assert_eq!(protected(&mut sender, &packet), hex(expected));
    let report = hex("81c8000bcafebabeabababababababababababababababab");
    protected_report(&mut sender, &report);
    let expected = "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798";
    assert_eq!(protected_report(&mut sender, &report), hex(expected));
}

#[test]
fn a_key_of_another_length_is_refused_and_never_shown() {
    let refused = MasterKey::new(Profile::Aes256Gcm, &[1; 30]);
    assert_eq!(refused, Err(KeyLength { profile: Profile::Aes256Gcm, have: 30, need: 44 }));
    assert_eq!(format!("{:?}", key(Profile::Aes128Gcm, 0)), "MasterKey(Aes128Gcm)");
}

#[test]
fn a_replayed_packet_is_refused() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let packets = stream(&mut sender, 100..400);
        for packet in &packets {
            assert!(receiver.unprotect_rtp(packet).is_ok());
        }
        for packet in &packets {
            assert_eq!(receiver.unprotect_rtp(packet), Err(SrtpError::Replayed), "{profile:?}");
        }
    }
}

#[test]
fn a_replayed_report_is_refused() {
    let (mut sender, mut receiver) = pair(Profile::Aes128Gcm);
    let report = protected_report(&mut sender, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
    assert_eq!(receiver.unprotect_rtcp(&report).expect("ours"), [0x80, 201, 0, 1, 0, 0, 0, 7]);
    assert_eq!(receiver.unprotect_rtcp(&report), Err(SrtpError::Replayed));
}

#[test]
fn packets_out_of_order_are_read_within_the_window_and_refused_behind_it() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmSha1_80);
    let packets = stream(&mut sender, 1000..1300);
    let read = packets.iter().rev().map(|packet| receiver.unprotect_rtp(packet).is_ok());
    assert!(read.enumerate().all(|(behind, read)| read == (behind < 128)));
}

#[test]
fn the_rollover_counter_follows_wraps_and_reordering_around_them() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut numbers = (0..200_000_u32).map(|n| n as u16);
        for _ in 0..199 {
            let mut batch = stream(&mut sender, numbers.by_ref().take(1000).step_by(50));
            batch.swap(3, 4);
            for packet in &batch {
                receiver.unprotect_rtp(packet).expect("read through wraps");
            }
        }
    }
}

#[test]
fn a_packet_sent_before_a_wrap_and_arriving_after_it_is_read() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmSha1_80);
    let packets = stream(&mut sender, [65_533, 65_534, 65_535, 0, 1].into_iter());
    for at in [0, 1, 3, 2, 4] {
        receiver.unprotect_rtp(&packets[at]).expect("read");
    }
}

#[test]
fn a_stream_that_went_on_unheard_for_a_rollover_period_is_found_again() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmSha1_80);
    for packet in stream(&mut sender, 0..10) {
        receiver.unprotect_rtp(&packet).expect("read");
    }
    // 65,536 packets are lost.
    stream(&mut sender, (10..=65_535).chain(0..10));
    let late = stream(&mut sender, 10..100);
    let read = late.iter().filter(|packet| receiver.unprotect_rtp(packet).is_ok()).count();
    assert!(read >= late.len() - 25, "{read} of {} read", late.len());
}

#[test]
fn every_stream_under_a_key_has_a_rollover_counter_of_its_own() {
    let (mut first, mut receiver) = pair(Profile::Aes128CmSha1_80);
    for packet in stream(&mut first, (65_000..=65_535).chain(0..100)) {
        receiver.unprotect_rtp(&packet).expect("read");
    }
    let mut second = SendContext::new(&key(Profile::Aes128CmSha1_80, 7));
    let packet = protected(&mut second, &plain(9, 2, b"another source"));
    assert!(receiver.unprotect_rtp(&packet).is_ok());
}

#[test]
fn a_new_key_is_taken_whether_the_sender_keeps_its_rollover_counter_or_not() {
    for keeps in [true, false] {
        let (mut sender, mut receiver) = pair(Profile::Aes128CmSha1_80);
        for packet in stream(&mut sender, (65_500..=65_535).chain(0..5)) {
            receiver.unprotect_rtp(&packet).expect("read");
        }
        let next = key(Profile::Aes128CmSha1_80, 9);
        let mut receiver = receiver.rekeyed(&next, None);
        let mut rekeyed = SendContext::new(&next);
        if keeps {
            stream(&mut rekeyed, [65_535, 0].into_iter());
        }
        for packet in stream(&mut rekeyed, 5..50) {
            receiver.unprotect_rtp(&packet).expect("read under the new key");
        }
    }
}

#[test]
fn another_key_s_packets_are_refused() {
    for profile in PROFILES {
        let mut receiver = ReceiveContext::new(&key(profile, 8), None);
        let (mut sender, _) = pair(profile);
        for packet in stream(&mut sender, 0..100) {
            assert_eq!(receiver.unprotect_rtp(&packet), Err(SrtpError::Unauthentic), "{profile:?}");
        }
        let report = protected_report(&mut sender, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
        assert_eq!(receiver.unprotect_rtcp(&report), Err(SrtpError::Unauthentic));
    }
}

#[test]
fn the_key_identifier_is_read_where_the_standards_put_it() {
    let mki = Mki { value: 0x0102, bytes: 3 };
    for profile in PROFILES {
        let mut sender = SendContext::new(&key(profile, 7));
        let mut receiver = ReceiveContext::new(&key(profile, 7), Some(mki));
        let packet = protected(&mut sender, &plain(1, 1, b"hello"));
        let report = protected_report(&mut sender, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
        let with = |packet: &[u8], tag: usize, mki: [u8; 3]| {
            // RFC 3711: before the tag; RFC 7714: at the end.
            let at = if profile.salt_bytes() == 14 { packet.len() - tag } else { packet.len() };
            [&packet[..at], &mki, &packet[at..]].concat()
        };
        let tag = if profile == Profile::Aes128CmSha1_32 { 4 } else { 10 };
        assert!(receiver.unprotect_rtp(&with(&packet, tag, [0, 1, 2])).is_ok(), "{profile:?}");
        assert!(receiver.unprotect_rtcp(&with(&report, 10, [0, 1, 2])).is_ok(), "{profile:?}");
        assert_eq!(receiver.unprotect_rtp(&with(&packet, tag, [0, 1, 3])), Err(SrtpError::UnknownKey));
        assert_eq!(receiver.unprotect_rtp(&with(&packet, tag, [1, 1, 2])), Err(SrtpError::UnknownKey));
    }
}

#[test]
fn a_report_in_the_clear_is_not_believed() {
    let (_, mut receiver) = pair(Profile::Aes128CmSha1_80);
    let mut report = vec![0x80, 201, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1];
    report.extend([0; 10]);
    assert_eq!(receiver.unprotect_rtcp(&report), Err(SrtpError::Unauthentic));
}

#[test]
fn a_packet_without_room_for_its_tag_is_not_sent() {
    let (mut sender, _) = pair(Profile::Aes128Gcm);
    let mut packet = plain(1, 1, b"hello");
    let bytes = packet.len();
    assert_eq!(sender.protect_rtp(&mut packet, bytes), Err(SrtpError::NoRoom(16)));
    assert_eq!(sender.protect_rtcp(&mut packet, bytes), Err(SrtpError::NoRoom(20)));
}

fn any_profile() -> impl Strategy<Value = Profile> {
    prop::sample::select(&PROFILES[..])
}

proptest! {
    #[test]
    fn what_is_protected_is_read_back(
        profile in any_profile(),
        payload in prop::collection::vec(any::<u8>(), 0..480),
        sequence in any::<u16>(),
        ssrc in any::<u32>(),
        csrcs in 0..4_u8,
    ) {
        let (mut sender, mut receiver) = pair(profile);
        let mut packet = plain(sequence, ssrc, &payload);
        packet.splice(HEADER_BYTES..HEADER_BYTES, vec![9; usize::from(csrcs) * 4]);
        packet[0] |= csrcs;
        let sent = protected(&mut sender, &packet);
        prop_assert!(payload.len() < 8 || !sent.windows(payload.len()).any(|part| part == payload));
        prop_assert_eq!(receiver.unprotect_rtp(&sent).expect("read"), packet);
    }

    #[test]
    fn reports_are_read_back(profile in any_profile(), body in prop::collection::vec(any::<u8>(), 0..400)) {
        let (mut sender, mut receiver) = pair(profile);
        let report = [&[0x80, 200, 0, 6, 1, 2, 3, 4][..], &body].concat();
        for _ in 0..3 {
            let sent = protected_report(&mut sender, &report);
            prop_assert_eq!(receiver.unprotect_rtcp(&sent).expect("read"), &report);
        }
    }

    #[test]
    fn one_flipped_bit_is_refused(profile in any_profile(), bit in any::<prop::sample::Index>()) {
        let (mut sender, mut receiver) = pair(profile);
        let mut packet = protected(&mut sender, &plain(5, 6, &[0x55; 160]));
        let bit = bit.index(packet.len() * 8);
        packet[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(receiver.unprotect_rtp(&packet).is_err());
        let mut report = protected_report(&mut sender, &[0x80, 200, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8]);
        let bit = bit % (report.len() * 8);
        report[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(receiver.unprotect_rtcp(&report).is_err());
    }

    #[test]
    fn no_bytes_make_a_context_panic_or_are_believed(
        profile in any_profile(),
        mki in prop::option::of((any::<u32>(), 1..=128_u8)),
        bytes in prop::collection::vec(any::<u8>(), 0..1600),
    ) {
        let mki = mki.map(|(value, bytes)| Mki { value, bytes });
        let mut receiver = ReceiveContext::new(&key(profile, 1), mki);
        prop_assert!(receiver.unprotect_rtp(&bytes).is_err());
        prop_assert!(receiver.unprotect_rtcp(&bytes).is_err());
        let mut sender = SendContext::new(&key(profile, 1));
        let mut room = bytes.clone();
        let _ = sender.protect_rtp(&mut room, bytes.len() / 2);
        let _ = sender.protect_rtcp(&mut room, bytes.len() / 2);
    }

    #[test]
    fn any_order_within_the_window_is_read_once(order in Just((0..100_usize).collect::<Vec<_>>()).prop_shuffle(), start in any::<u16>()) {
        let (mut sender, mut receiver) = pair(Profile::Aes128CmSha1_32);
        let packets = stream(&mut sender, (0..100).map(|n: u16| start.wrapping_add(n)));
        // The first one heard tells where the stream begins; it must not lie behind a wrap.
        receiver.unprotect_rtp(&packets[0]).expect("the first");
        for at in order.into_iter().filter(|at| *at > 0) {
            prop_assert!(receiver.unprotect_rtp(&packets[at]).is_ok());
            prop_assert!(receiver.unprotect_rtp(&packets[at]).is_err());
        }
    }
}
