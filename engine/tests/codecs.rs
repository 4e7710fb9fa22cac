//! Streams of every codec through the jitter buffer: what is sent is heard, through loss, disorder, pauses and changes.
//! The buffer's own ways are in `jitter_buffer.rs`, the codecs' bits beside them in `audio/codec/tests.rs`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use engine::audio::codec::{Codec, Encoded, Encoder, OpusSettings};
use engine::audio::g711::Law;
use engine::audio::playout::{Inserted, Playout};
use engine::clock::Moment;
use engine::rtp::RtpPacket;
use proptest::prelude::*;

const OPUS: Codec = Codec::Opus(OpusSettings { complexity: 5, bitrate: 40_000, fec: true, dtx: false });
const CODECS: [Codec; 4] = [Codec::G711(Law::Mu), Codec::G711(Law::A), Codec::G722, OPUS];

/// 3.8 s of a voice.
fn speech() -> Vec<i16> {
    include_bytes!("fixtures/speech_rms.ul").iter().map(|byte| Law::Mu.decode(*byte)).collect()
}

/// A packet on its way.
#[derive(Clone)]
struct Sent {
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
    /// When it arrives, ms; `None`: never.
    arrives: Option<u64>,
}

/// `samples` in packets of `ms`, each arriving at once. `loss`: what the encoder is told to expect, percent.
fn send(codec: Codec, samples: &[i16], ms: usize, loss: u8) -> Vec<Sent> {
    let mut encoder = Encoder::new(codec);
    encoder.expect_loss(loss);
    let (mut sent, mut told, mut sequence) = (Vec::new(), false, 0);
    for (n, chunk) in samples.chunks_exact(ms * 8).enumerate() {
        let mut payload = vec![0; 600];
        let encoded = encoder.encode(chunk, &mut payload);
        let again = std::mem::replace(&mut told, matches!(encoded, Encoded::Silence(_))) && told;
        let (Encoded::Voice(bytes) | Encoded::Silence(bytes)) = encoded;
        payload.truncate(bytes);
        if !again {
            let timestamp = (n * ms * 8) as u32 * codec.ticks_per_sample();
            sent.push(Sent { sequence, timestamp, payload, arrives: Some((n * ms) as u64) });
            sequence += 1;
        }
    }
    sent
}

/// Plays for as long as `samples` last and half a second more.
fn play(codec: Codec, sent: &[Sent], samples: usize) -> (Vec<i16>, Playout) {
    let mut playout = Playout::new(codec);
    let mut heard = Vec::new();
    let mut on_the_way: Vec<&Sent> = sent.iter().filter(|packet| packet.arrives.is_some()).collect();
    on_the_way.sort_by_key(|packet| packet.arrives);
    let mut on_the_way = on_the_way.into_iter().peekable();
    for tick in 0..(samples / 160 + 25) as u64 {
        let now = Moment::from_millis(tick * 20 + 5);
        while let Some(packet) = on_the_way.next_if(|packet| packet.arrives.unwrap() < tick * 20 + 5) {
            let at = Moment::from_millis(packet.arrives.unwrap());
            playout.insert(at, &rtp(packet));
        }
        let mut frame = [0; 160];
        playout.next_frame(now, &mut frame);
        heard.extend(frame);
    }
    (heard, playout)
}

fn rtp(packet: &Sent) -> RtpPacket<'_> {
    let Sent { sequence, timestamp, payload, .. } = packet;
    RtpPacket { marker: false, payload_type: 96, sequence: *sequence, timestamp: *timestamp, ssrc: 1, payload }
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// How alike Opus leaves a voice: it keeps what is heard of it, not its waveform.
const OPUS_LIKENESS: f64 = 0.8;

/// How far `heard` is behind `said` at most likeness, samples, and how alike they are, 0 to 1.
fn likeness(said: &[i16], heard: &[i16]) -> (usize, f64) {
    let score = |lag: usize| {
        let pairs = said.iter().zip(&heard[lag..]);
        let product: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        product / (energy(said) * energy(&heard[lag..lag + said.len()])).sqrt().max(1.0)
    };
    (0..700).map(|lag| (lag, score(lag))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

#[test]
fn what_is_said_is_heard_in_packets_of_any_length() {
    let said = speech();
    for codec in CODECS {
        let Codec::Opus(_) = codec else {
            for ms in [10, 20, 30, 60] {
                let (heard, playout) = play(codec, &send(codec, &said, ms, 0), said.len());
                let (_, likeness) = likeness(&said[8000..16_000], &heard[8000..]);
                assert!(likeness > 0.98, "{} by {ms} ms: {likeness}", codec.name());
                assert_eq!(playout.stats().lost, 0);
            }
            continue;
        };
        for ms in [10, 20, 40, 60] {
            let (heard, playout) = play(codec, &send(codec, &said, ms, 0), said.len());
            let (_, likeness) = likeness(&said[8000..16_000], &heard[8000..]);
            assert!(likeness > OPUS_LIKENESS, "opus by {ms} ms: {likeness}");
            assert_eq!((playout.stats().lost, playout.stats().concealed_ms), (0, 0));
        }
    }
}

#[test]
fn what_another_opus_encoder_made_is_heard() {
    let file = std::io::Cursor::new(&include_bytes!("fixtures/opus/speech.opus")[..]);
    let mut reader = ogg::PacketReader::new(file);
    let packets = std::iter::from_fn(|| reader.read_packet().unwrap()).skip(2);
    let sent: Vec<Sent> = packets
        .zip(0..)
        .map(|(packet, n)| Sent {
            sequence: n,
            timestamp: u32::from(n) * 960,
            payload: packet.data,
            arrives: Some(u64::from(n) * 20),
        })
        .collect();
    let said = speech();
    let (heard, playout) = play(OPUS, &sent, said.len());
    let (_, likeness) = likeness(&said[8000..16_000], &heard[8000..]);
    assert!(likeness > OPUS_LIKENESS, "{likeness}");
    assert_eq!((playout.stats().lost, playout.stats().concealed_ms), (0, 0));
}

#[test]
fn packets_that_overtook_each_other_are_decoded_in_the_order_they_were_sent() {
    let said = speech();
    for codec in [Codec::G722, OPUS] {
        let mut sent = send(codec, &said, 20, 0);
        let mut pairs = |first: u64, second: u64| {
            for (n, packet) in sent.iter_mut().enumerate() {
                let pair = (n as u64 & !1) * 20;
                packet.arrives = Some(pair + 20 + if n % 2 == 0 { first } else { second });
            }
            play(codec, &sent, said.len()).0
        };
        let (in_order, swapped) = (pairs(0, 1), pairs(1, 0));
        // By then the buffer has settled.
        let (_, likeness) = likeness(&in_order[16_000..24_000], &swapped[15_700..]);
        assert!(likeness > 0.99, "{}: {likeness}", codec.name());
    }
}

/// Every eighth packet of an Opus stream is lost.
fn with_losses(said: &[i16], loss_expected: u8) -> (f64, Playout) {
    let mut sent = send(OPUS, said, 20, loss_expected);
    for (n, packet) in sent.iter_mut().enumerate() {
        packet.arrives = packet.arrives.filter(|_| n % 8 != 7);
    }
    let (heard, playout) = play(OPUS, &sent, said.len());
    (likeness(&said[12_000..24_000], &heard[12_000..]).1, playout)
}

#[test]
fn what_opus_sent_twice_is_heard_though_a_packet_was_lost() {
    let said = speech();
    let (concealed, _) = with_losses(&said, 0);
    let (corrected, playout) = with_losses(&said, 15);
    assert!(corrected > concealed + 0.02 && corrected > 0.8, "{corrected} with FEC, {concealed} without");
    let stats = playout.stats();
    assert!((20..=24).contains(&stats.lost), "{stats:?}");
    assert!((300..=560).contains(&stats.concealed_ms), "{stats:?}");
}

#[test]
fn a_pause_that_opus_announced_is_noise_and_no_loss() {
    let settings = OpusSettings { complexity: 5, bitrate: 20_000, fec: false, dtx: true };
    let codec = Codec::Opus(settings);
    // A voice, three seconds of a faint hiss, and the voice again.
    let mut random = 1u32;
    let hiss = std::iter::repeat_with(|| {
        random = random.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        ((random >> 16) as i16) >> 9
    });
    let voice = &speech()[..16_000];
    let said: Vec<i16> = voice.iter().copied().chain(hiss.take(24_000)).chain(voice.iter().copied()).collect();
    let sent = send(codec, &said, 20, 0);
    assert!(sent.len() < 280, "{} packets of {}", sent.len(), said.len() / 160);
    let (heard, playout) = play(codec, &sent, said.len());
    let stats = playout.stats();
    assert_eq!(stats.lost, 0);
    assert!(stats.concealed_ms <= 100, "{stats:?}");
    let pause = &heard[28_000..36_000];
    let loudest = pause.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    assert!(loudest < 300 && energy(pause) > 0.0, "{loudest}");
    let (_, again) = likeness(&voice[4000..15_000], &heard[44_000..]);
    assert!(again > 0.8, "{again}");
}

#[test]
fn comfort_noise_is_heard_from_its_place_until_the_voice_goes_on() {
    let said = speech();
    for codec in [Codec::G711(Law::Mu), Codec::G722] {
        let mut playout = Playout::new(codec);
        let sent = send(codec, &said[..16_000], 20, 0);
        let mut heard = Vec::new();
        // A second of voice, a second of pause, a second of voice.
        for n in 0..150_u32 {
            let now = Moment::from_millis(u64::from(n) * 20);
            let mut noise = Sent { sequence: 50, timestamp: 8000, payload: vec![45], arrives: None };
            match n {
                0..50 => drop(playout.insert(now, &rtp(&sent[n as usize]))),
                50 => playout.pause_with_noise(&rtp(&noise)),
                // Once more, as senders do.
                75 => {
                    (noise.sequence, noise.timestamp) = (51, 12_000);
                    playout.pause_with_noise(&rtp(&noise));
                }
                100.. => {
                    let voice = &sent[n as usize - 50];
                    let voice =
                        Sent { sequence: voice.sequence + 2, timestamp: voice.timestamp + 8000, ..voice.clone() };
                    assert_eq!(playout.insert(now, &rtp(&voice)), Inserted::Queued);
                }
                _ => {}
            }
            let mut frame = [0; 160];
            playout.next_frame(now, &mut frame);
            heard.extend(frame);
        }
        let level = 10.0 * (energy(&heard[9000..16_000]) / 7000.0 / 32_768_f64.powi(2)).log10();
        assert!((-46.5..-43.5).contains(&level), "{}: {level} dBov", codec.name());
        assert_eq!((playout.stats().lost, playout.stats().concealed_ms), (0, 0));
        let (_, again) = likeness(&said[9000..15_000], &heard[17_000..]);
        assert!(again > 0.98, "{again}");
    }
}

#[test]
fn another_codec_is_played_at_once_after_a_restart() {
    let said = speech();
    let mut playout = Playout::new(Law::Mu.into());
    for codec in [OPUS, Codec::G722, OPUS, Codec::G711(Law::A)] {
        playout.restart(codec);
        let mut heard = Vec::new();
        let sent = send(codec, &said[4000..12_000], 20, 0);
        for (n, packet) in sent.iter().enumerate() {
            let now = Moment::from_millis(n as u64 * 20);
            assert_eq!(playout.insert(now, &rtp(packet)), Inserted::Queued);
            let mut frame = [0; 160];
            playout.next_frame(now, &mut frame);
            heard.extend(frame);
        }
        heard.extend([0; 1200]);
        let (lag, likeness) = likeness(&said[4000..10_000], &heard);
        assert!(likeness > OPUS_LIKENESS && lag < 260, "{}: {likeness} after {lag} samples", codec.name());
    }
}

proptest! {
    #[test]
    fn no_stream_of_any_codec_makes_the_buffer_panic(
        codec in prop::sample::select(&CODECS[..]),
        packets in prop::collection::vec((0..60u16, 0..60_000u32, prop::collection::vec(any::<u8>(), 0..300), any::<bool>()), 1..80),
    ) {
        let mut playout = Playout::new(codec);
        for (n, (sequence, timestamp, payload, noise)) in packets.into_iter().enumerate() {
            let now = Moment::from_millis(n as u64 * 7);
            let packet = Sent { sequence, timestamp, payload, arrives: None };
            if noise {
                playout.pause_with_noise(&rtp(&packet));
            } else {
                playout.insert(now, &rtp(&packet));
            }
            let mut frame = [0; 160];
            playout.next_frame(now, &mut frame);
        }
    }
}
