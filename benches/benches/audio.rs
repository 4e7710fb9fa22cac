//! What the audio path costs per 20 ms frame: G.711, the jitter buffer, voice detection, resampling.
//! Numbers of one machine are in `benches/README.md`.

use criterion::{Criterion, criterion_group, criterion_main};
use engine::audio::dtmf_tones::ToneDetector;
use engine::audio::g711::Law;
use engine::audio::playout::Playout;
use engine::audio::resample::{Resampler, Upsampler};
use engine::audio::vad::VoiceDetector;
use engine::clock::Moment;
use engine::rtp::RtpPacket;
use std::hint::black_box;

const SPEECH: &[u8] = include_bytes!("../../engine/tests/fixtures/speech_rms.ul");

fn samples() -> Vec<i16> {
    SPEECH.iter().map(|byte| Law::Mu.decode(*byte)).collect()
}

fn g711(c: &mut Criterion) {
    let mut samples = [0i16; 160];
    c.bench_function("g711 decode frame", |b| {
        b.iter(|| Law::Mu.decode_into(black_box(&SPEECH[8000..8160]), black_box(&mut samples)));
    });
    let mut bytes = [0u8; 160];
    c.bench_function("g711 encode frame", |b| {
        b.iter(|| Law::Mu.encode_into(black_box(&samples), black_box(&mut bytes)));
    });
}

/// One packet in and one frame out; every `lose`th packet never comes.
fn playout(c: &mut Criterion, name: &str, lose: usize) {
    let mut playout = Playout::new(Law::Mu.into());
    let (mut out, mut n) = ([0; 160], 0usize);
    c.bench_function(name, |b| {
        b.iter(|| {
            n += 1;
            let now = Moment::from_millis(n as u64 * 20);
            if n % lose != 0 {
                let at = n * 160 % (SPEECH.len() - 160);
                let packet = RtpPacket {
                    marker: false,
                    payload_type: 0,
                    sequence: n as u16,
                    timestamp: (n as u32).wrapping_mul(160),
                    ssrc: 1,
                    payload: &SPEECH[at..at + 160],
                };
                black_box(playout.insert(now, &packet));
            }
            black_box(playout.next_frame(now, &mut out))
        });
    });
}

fn jitter_buffer(c: &mut Criterion) {
    playout(c, "playout insert + next_frame, clean", usize::MAX);
    playout(c, "playout insert + next_frame, 5 % lost", 20);
}

fn key_tones(c: &mut Criterion) {
    let speech = samples();
    for (name, gain) in [("key tones, quiet line", 0), ("key tones, speech", 2)] {
        let mut detector = ToneDetector::new();
        let mut n = 0;
        c.bench_function(name, |b| {
            b.iter(|| {
                n = (n + 160) % (speech.len() - 160);
                let frame: [i16; 160] = std::array::from_fn(|at| speech[n + at] * gain);
                black_box(detector.push(&frame))
            });
        });
    }
}

fn voice_detector(c: &mut Criterion) {
    let samples = samples();
    let speech = samples.as_chunks::<160>().0;
    let mut detector = VoiceDetector::new();
    let mut at = 0;
    c.bench_function("vad, gate open (speech)", |b| {
        b.iter(|| {
            at = (at + 1) % speech.len();
            black_box(detector.push(&speech[at]))
        });
    });
    // A quiet line, 60 dB down.
    let line: [i16; 160] = std::array::from_fn(|n| (n * 7919 % 41) as i16 - 20);
    let mut detector = VoiceDetector::new();
    c.bench_function("vad, gate closed (quiet line)", |b| b.iter(|| black_box(detector.push(black_box(&line)))));
}

fn resample(c: &mut Criterion) {
    let samples = samples();
    let frame: &[i16; 160] = samples[8000..].first_chunk().expect("long enough");
    let (mut upsampler, mut out) = (Upsampler::new(), [0; 320]);
    c.bench_function("upsample 8 to 16 kHz", |b| b.iter(|| upsampler.process(black_box(frame), black_box(&mut out))));
    let mut resampler = Resampler::new(24_000, 8000).expect("usual rates");
    let mut out = Vec::with_capacity(4096);
    c.bench_function("resample 24 to 8 kHz, 20 ms", |b| {
        b.iter(|| {
            out.clear();
            resampler.process(black_box(&samples[8000..8480]), &mut out);
        });
    });
}

fn memory(_: &mut Criterion) {
    // `VoiceDetector` holds one box: earshot's state. `Playout` holds nothing on the heap.
    println!("bytes: Playout {}, VoiceDetector {} + 8 KiB boxed", size_of::<Playout>(), size_of::<VoiceDetector>());
}

criterion_group!(benches, g711, jitter_buffer, voice_detector, key_tones, resample, memory);
criterion_main!(benches);
