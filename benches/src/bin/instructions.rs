//! The instructions of what is done every 20 ms for every call, counted by callgrind for a second of it. 5 % more than is
//! written here is an error. How long it takes is measured in `benches/`.

#![expect(unused_qualifications, clippy::disallowed_methods, reason = "what the macros of gungraun write")]

use std::hint::black_box;

use benches::{Bridged, Line, QUIET, Running, SPEECH, Sealed, quiet_frame, samples};
use engine::audio::FRAME_SAMPLES;
use engine::audio::dtmf_tones::ToneDetector;
use engine::audio::g711::Law;
use engine::audio::resample::{Resampler, Upsampler};
use engine::audio::vad::VoiceDetector;
use engine::rtp::srtp::Profile;
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig};
use gungraun::{library_benchmark, library_benchmark_group, main};

/// Frames in a second.
const SECOND: usize = 50;
/// Frames before: buffers are filled and levels learnt.
const BEFORE: usize = 100;

/// The error that more than 5 % over `instructions` is.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(
        Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, instructions + instructions / 20)]),
    );
    config
}

// === audio ===

/// A second of speech, by frames.
fn speech() -> Vec<[i16; FRAME_SAMPLES]> {
    samples().as_chunks().0.iter().skip(SECOND).take(SECOND).copied().collect()
}

fn quiet() -> Vec<[i16; FRAME_SAMPLES]> {
    vec![quiet_frame(); SECOND]
}

#[library_benchmark]
#[bench::a_second(config = at_most(31_729))]
fn g711_decode() -> [i16; FRAME_SAMPLES] {
    let mut frame = [0; FRAME_SAMPLES];
    for bytes in SPEECH.as_chunks::<FRAME_SAMPLES>().0.iter().take(SECOND) {
        Law::Mu.decode_into(black_box(bytes), black_box(&mut frame));
    }
    frame
}

#[library_benchmark]
#[bench::a_second(args = (speech()), config = at_most(45_546))]
fn g711_encode(frames: Vec<[i16; FRAME_SAMPLES]>) -> Vec<[i16; FRAME_SAMPLES]> {
    let mut bytes = [0; FRAME_SAMPLES];
    for frame in &frames {
        Law::Mu.encode_into(black_box(frame), black_box(&mut bytes));
    }
    frames
}

#[library_benchmark]
#[bench::clean(args = (usize::MAX), setup = line, config = at_most(109_707))]
#[bench::one_packet_in_twenty_lost(args = (20), setup = line, config = at_most(270_100))]
fn jitter_buffer(mut line: Line) -> Line {
    for _ in 0..SECOND {
        line.step();
    }
    line
}

fn line(lose: usize) -> Line {
    let mut line = Line::new(lose);
    for _ in 0..BEFORE {
        line.step();
    }
    line
}

#[library_benchmark]
#[bench::gate_closed(args = (quiet()), setup = detector, config = at_most(38_411))]
#[bench::gate_open(args = (speech()), setup = detector, config = at_most(7_294_195))]
fn voice(
    (mut detector, frames): (VoiceDetector, Vec<[i16; FRAME_SAMPLES]>),
) -> (VoiceDetector, Vec<[i16; FRAME_SAMPLES]>) {
    for frame in &frames {
        black_box(detector.push(frame));
    }
    (detector, frames)
}

/// After the same frames once.
fn detector(frames: Vec<[i16; FRAME_SAMPLES]>) -> (VoiceDetector, Vec<[i16; FRAME_SAMPLES]>) {
    let mut detector = VoiceDetector::new();
    for frame in &frames {
        detector.push(frame);
    }
    (detector, frames)
}

#[library_benchmark]
#[bench::a_second(args = (speech()), config = at_most(260_126))]
fn key_tones(frames: Vec<[i16; FRAME_SAMPLES]>) -> Vec<[i16; FRAME_SAMPLES]> {
    let mut detector = ToneDetector::new();
    for frame in &frames {
        black_box(detector.push(frame));
    }
    frames
}

#[library_benchmark]
#[bench::a_second(args = (speech()), config = at_most(497_083))]
fn from_8_to_16_khz(frames: Vec<[i16; FRAME_SAMPLES]>) -> Vec<[i16; FRAME_SAMPLES]> {
    let (mut upsampler, mut wide) = (Upsampler::new(), [0; 2 * FRAME_SAMPLES]);
    for frame in &frames {
        upsampler.process(black_box(frame), black_box(&mut wide));
    }
    frames
}

#[library_benchmark]
#[bench::a_second(args = (samples()), setup = resampler, config = at_most(819_500))]
fn from_24_to_8_khz(
    (mut resampler, synthesised, mut out): (Resampler, Vec<i16>, Vec<i16>),
) -> (Resampler, Vec<i16>, Vec<i16>) {
    for frame in synthesised.as_chunks::<{ 3 * FRAME_SAMPLES }>().0.iter().take(SECOND) {
        out.clear();
        resampler.process(black_box(frame), &mut out);
    }
    (resampler, synthesised, out)
}

fn resampler(synthesised: Vec<i16>) -> (Resampler, Vec<i16>, Vec<i16>) {
    let resampler = Resampler::new(24_000, 8000).expect("usual rates");
    (resampler, synthesised, Vec::with_capacity(4096))
}

library_benchmark_group!(
    name = audio,
    benchmarks = [g711_decode, g711_encode, jitter_buffer, voice, key_tones, from_8_to_16_khz, from_24_to_8_khz]
);

// === packets ===

#[library_benchmark]
#[bench::aes_cm_and_sha1(args = (Profile::Aes128CmSha1_80), setup = sealed, config = at_most(332_610))]
#[bench::aes_128_gcm(args = (Profile::Aes128Gcm), setup = sealed, config = at_most(95_510))]
fn protect(mut sealed: Sealed) -> Sealed {
    for _ in 0..SECOND {
        black_box(sealed.protect());
    }
    sealed
}

#[library_benchmark]
#[bench::aes_cm_and_sha1(args = (Profile::Aes128CmSha1_80), setup = received, config = at_most(345_279))]
#[bench::aes_128_gcm(args = (Profile::Aes128Gcm), setup = received, config = at_most(109_129))]
fn unprotect((mut sealed, packets): (Sealed, Vec<Vec<u8>>)) -> (Sealed, Vec<Vec<u8>>) {
    for packet in &packets {
        assert!(black_box(sealed.unprotect(packet)), "it is authentic");
    }
    (sealed, packets)
}

fn sealed(profile: Profile) -> Sealed {
    Sealed::new(profile).expect("the key fits")
}

fn received(profile: Profile) -> (Sealed, Vec<Vec<u8>>) {
    let mut sealed = sealed(profile);
    let packets = (0..SECOND).map(|_| sealed.protect().to_vec()).collect();
    (sealed, packets)
}

library_benchmark_group!(name = srtp, benchmarks = [protect, unprotect]);

// === calls ===

#[library_benchmark]
#[bench::the_line_is_quiet(args = (Running::listening(), QUIET), setup = begun, config = at_most(311_301))]
#[bench::the_caller_speaks(args = (Running::listening(), SPEECH), setup = begun, config = at_most(7_721_679))]
#[bench::the_agent_speaks(args = (Running::speaking(), QUIET), setup = begun, config = at_most(383_801))]
fn call((mut call, audio): (Running, &'static [u8])) -> Running {
    for _ in 0..SECOND {
        call.step(audio);
    }
    call
}

fn begun(mut call: Running, audio: &'static [u8]) -> (Running, &'static [u8]) {
    for _ in 0..BEFORE {
        call.step(audio);
    }
    (call, audio)
}

#[library_benchmark]
#[bench::of_frames(args = (QUIET), setup = of_frames, config = at_most(193_611))]
fn websocket_call(mut call: Running) -> Running {
    for _ in 0..SECOND {
        call.step_frames(QUIET);
    }
    call
}

fn of_frames(audio: &[u8]) -> Running {
    let mut call = Running::listening_to_frames();
    for _ in 0..BEFORE {
        call.step_frames(audio);
    }
    call
}

#[library_benchmark]
#[bench::both_ends(args = (SPEECH), setup = bridged, config = at_most(673_639))]
fn bridge(mut ends: Bridged) -> Bridged {
    for _ in 0..SECOND {
        ends.step(SPEECH);
    }
    ends
}

fn bridged(audio: &[u8]) -> Bridged {
    let mut ends = Bridged::new();
    for _ in 0..BEFORE {
        ends.step(audio);
    }
    ends
}

library_benchmark_group!(name = calls, benchmarks = [call, websocket_call, bridge]);

main!(library_benchmark_groups = [audio, srtp, calls]);
