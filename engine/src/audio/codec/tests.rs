//! The codecs against other people's implementations of them, and against any bytes at all.
//! Streams of their packets behind a network are in the crate's `tests/codecs.rs`.

use proptest::prelude::*;

use super::g722::{G722Decoder, G722Encoder};
use super::packets::Packets;
use super::*;

/// See the fixtures' README for where these come from.
macro_rules! g722 {
    ($file:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/g722/", $file))
    };
}

fn samples(little_endian: &[u8]) -> Vec<i16> {
    little_endian.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn rms(samples: &[i16]) -> f64 {
    (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

#[test]
fn g722_is_encoded_bit_for_bit_as_by_others() {
    let input = samples(g722!("input.s16"));
    let mut octets = vec![0; input.len()];
    let mut encoder = G722Encoder::new();
    // In pieces: the state goes on.
    for (input, out) in input.chunks(80).zip(octets.chunks_mut(80)) {
        encoder.encode(input, out);
    }
    assert_eq!(octets, g722!("encoded.g722"));
}

#[test]
fn g722_is_decoded_bit_for_bit_as_by_others() {
    for (octets, expected) in [
        (&g722!("encoded.g722")[..], samples(g722!("decoded.s16"))),
        (g722!("codes.g722"), samples(g722!("codes.s16"))),
    ] {
        let mut out = vec![0; octets.len()];
        let mut decoder = G722Decoder::new();
        for (octets, out) in octets.chunks(160).zip(out.chunks_mut(160)) {
            decoder.decode(octets, out);
        }
        let wrong = out.iter().zip(&expected).position(|(ours, theirs)| ours != theirs);
        assert_eq!(wrong, None);
        assert_eq!(out.len(), expected.len());
    }
}

#[test]
fn comfort_noise_has_the_level_it_describes() {
    // White, and coloured by reflection coefficients of 0.5 and -0.25.
    for payload in [&[50][..], &[50, 127 + 64, 127 - 32]] {
        let mut out = [0; 8000];
        ComfortNoise::described_by(payload).expect("a level").fill(&mut out);
        let level = 20.0 * (rms(&out) / 32_768.0).log10();
        assert!((-51.0..-49.0).contains(&level), "{payload:?}: {level} dBov");
    }
    assert!(ComfortNoise::described_by(&[]).is_none());
    assert_eq!(ComfortNoise::packet(70), [70]);
}

#[test]
fn packets_come_out_in_the_order_of_their_places() {
    let mut packets = Packets::new();
    for position in [320, 0, 480, 160] {
        assert!(packets.insert(position, 160, &[position as u8; 30]));
    }
    assert!(!packets.insert(160, 160, &[9; 30]), "its place is taken");
    for position in [0, 160, 320, 480] {
        let (entry, bytes) = packets.first().expect("a packet");
        assert_eq!((entry.position, bytes), (position, &[position as u8; 30][..]));
        packets.remove_first();
    }
    assert!(packets.first().is_none());
}

#[test]
fn packets_that_do_not_fit_are_refused_and_those_that_wait_stay_whole() {
    let mut packets = Packets::new();
    let fitting = (0..100).take_while(|n| packets.insert(n * 160, 160, &[*n as u8; 1000])).count();
    assert_eq!(fitting, 8);
    for n in 0..50u8 {
        let (_, bytes) = packets.first().expect("a packet");
        assert_eq!(bytes, [n; 1000]);
        packets.remove_first();
        assert!(packets.insert(i64::from(n + 8) * 160, 160, &[n + 8; 1000]), "{n}");
    }
}

#[test]
fn opus_takes_the_longest_frame_that_is_no_longer_than_asked_for() {
    let opus = Encoder::new(Codec::Opus(OpusSettings::default()));
    let law = Encoder::new(Law::A.into());
    for (ms, opus_ms, law_ms) in [(10, 10, 10), (20, 20, 20), (30, 20, 30), (40, 40, 40), (50, 40, 50), (60, 60, 60)] {
        assert_eq!((opus.packet_samples(ms * 8), law.packet_samples(ms * 8)), (opus_ms * 8, law_ms * 8));
    }
}

fn any_codec() -> impl Strategy<Value = Codec> {
    prop_oneof![
        Just(Codec::G711(Law::Mu)),
        Just(Codec::G711(Law::A)),
        Just(Codec::G722),
        Just(Codec::Opus(OpusSettings::default()))
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(codec in any_codec(), payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1500), 1..12)) {
        let mut decoder = Decoder::new(codec);
        let mut out = [0; Decoder::LONGEST_PACKET];
        for payload in &payloads {
            let announced = decoder.samples(payload);
            if let Some(decoded) = decoder.decode(payload, &mut out) {
                prop_assert!(announced.is_none_or(|samples| samples == decoded));
            }
            decoder.recover(payload, &mut out[..160]);
            decoder.conceal(&mut out[..20]);
        }
    }

    #[test]
    fn no_order_or_size_of_packets_breaks_their_store(packets in prop::collection::vec((0..200i64, 0..1500usize), 1..300)) {
        let mut store = Packets::new();
        for (n, (position, bytes)) in packets.into_iter().enumerate() {
            let (before, fill) = (store.first().map(|(entry, _)| entry.position), n as u8);
            if store.insert(position, 1, &vec![fill; bytes]) {
                prop_assert!(before.is_none_or(|before| before != position));
            } else if n % 3 == 0 {
                store.remove_first();
            }
            if let Some((_, bytes)) = store.first() {
                prop_assert!(bytes.windows(2).all(|two| two[0] == two[1]), "two packets in one place");
            }
        }
    }
}
