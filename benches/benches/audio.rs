//! What the audio path costs per 20 ms frame: G.711, the jitter buffer, voice detection, echo, noise, keys, resampling.
//! Numbers of one machine are in `benches/README.md`.

use std::hint::black_box;

use benches::{Line, SPEECH, quiet_frame, samples};
use criterion::{Criterion, criterion_group, criterion_main};
use engine::audio::denoise::NoiseSuppressor;
use engine::audio::dtmf_tones::ToneDetector;
use engine::audio::echo::EchoWatch;
use engine::audio::g711::Law;
use engine::audio::level::LevelMeter;
use engine::audio::playout::Playout;
use engine::audio::resample::{Resampler, Upsampler};
use engine::audio::ringback::{Country, Ringback};
use engine::audio::vad::VoiceDetector;

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

fn jitter_buffer(c: &mut Criterion) {
    for (name, lose) in [("clean", usize::MAX), ("5 % lost", 20)] {
        let mut line = Line::new(lose);
        c.bench_function(&format!("playout insert + next_frame, {name}"), |b| b.iter(|| line.step()));
    }
}

/// Frame after frame of the sentence.
fn by_frames<T>(c: &mut Criterion, name: &str, mut what: impl FnMut(&[i16; 160]) -> T) {
    let samples = samples();
    let speech = samples.as_chunks::<160>().0;
    let mut at = 0;
    c.bench_function(name, |b| {
        b.iter(|| {
            at = (at + 1) % speech.len();
            black_box(what(&speech[at]))
        });
    });
}

fn key_tones(c: &mut Criterion) {
    for (name, gain) in [("key tones, quiet line", 0), ("key tones, speech", 2)] {
        let mut detector = ToneDetector::new();
        by_frames(c, name, |frame| detector.push(&frame.map(|sample| sample * gain)));
    }
}

fn voice_detector(c: &mut Criterion) {
    let mut detector = VoiceDetector::new();
    by_frames(c, "vad, gate open (speech)", |frame| detector.push(frame));
    let (mut detector, line) = (VoiceDetector::new(), quiet_frame());
    c.bench_function("vad, gate closed (quiet line)", |b| b.iter(|| black_box(detector.push(black_box(&line)))));
}

/// What only some calls have: an agent that speaks, noise suppression, a caller who waits.
fn beside(c: &mut Criterion) {
    let mut echo = EchoWatch::default();
    by_frames(c, "echo, a frame said and one heard", |frame| {
        echo.said(frame);
        echo.heard(frame)
    });
    let mut noise = NoiseSuppressor::new();
    by_frames(c, "noise suppression", |frame| {
        let mut frame = *frame;
        noise.process(&mut frame);
        frame
    });
    let mut level = LevelMeter::new();
    by_frames(c, "level", |frame| level.push(frame));
    let (mut tone, mut out) = (Ringback::new(Country::default(), Law::Mu), [0; 160]);
    c.bench_function("ringback tone", |b| b.iter(|| black_box(tone.next_frame(&mut out))));
}

fn resample(c: &mut Criterion) {
    let samples = samples();
    let (mut upsampler, mut out) = (Upsampler::new(), [0; 320]);
    by_frames(c, "upsample 8 to 16 kHz", |frame| upsampler.process(frame, black_box(&mut out)));
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
    // `VoiceDetector` holds one box: earshot's state. `Playout` holds the chunks its packets lie in, two of 256 bytes as a rule.
    println!("bytes: Playout {}, VoiceDetector {} + 8 KiB boxed", size_of::<Playout>(), size_of::<VoiceDetector>());
}

criterion_group!(benches, g711, jitter_buffer, voice_detector, key_tones, beside, resample, memory);
criterion_main!(benches);
