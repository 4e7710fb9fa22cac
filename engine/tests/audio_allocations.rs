//! Receiving audio allocates nothing: a counting allocator watches the jitter buffer, the voice detector and DTMF.
//! A whole call is watched in `no_allocation.rs`.

mod counting_allocator;
mod netem;

use counting_allocator::allocations_so_far;
use engine::audio::denoise::NoiseSuppressor;
use engine::audio::dtmf::DtmfReceiver;
use engine::audio::dtmf_tones::ToneDetector;
use engine::audio::g711::Law;
use engine::audio::level::LevelMeter;
use engine::audio::playout::Playout;
use engine::audio::vad::VoiceDetector;
use engine::clock::Moment;
use engine::rtp::RtpPacket;
use netem::Network;

const SPEECH: &[u8] = include_bytes!("fixtures/speech_rms.ul");

#[test]
fn insert_next_frame_and_push_allocate_nothing_on_a_bad_network() {
    let network = Network {
        loss: 0.05,
        burst: 0.4,
        jitter_ms: 60.0,
        duplicates: 0.02,
        drift_ppm: 200.0,
        stall_ms: Some((9000.0, 400.0)),
        ..Network::default()
    };
    let arrivals = network.carry(1500, 20.0);
    let (mut playout, mut detector, mut keys) =
        (Playout::new(Law::Mu.into()), VoiceDetector::new(), DtmfReceiver::new(8000));
    let mut arrivals = arrivals.iter().peekable();
    let (mut tones, mut level) = (ToneDetector::new(), LevelMeter::new());
    let mut suppressor = NoiseSuppressor::new();
    // The first frame of a thread makes room for its Fourier transforms, a line's first sound for what listens to it.
    suppressor.process(&mut [1; 160]);
    detector.push(&[8000; 160]);
    let (mut voiced, mut digits) = (0, 0);

    let before = allocations_so_far();
    for tick in 0..1500u64 {
        let now = Moment::from_millis(tick * 20);
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.at <= now) {
            let at = arrival.index * 160 % (SPEECH.len() - 160);
            let packet = RtpPacket {
                marker: false,
                payload_type: 0,
                sequence: arrival.index as u16,
                timestamp: arrival.index as u32 * 160,
                ssrc: 1,
                payload: &SPEECH[at..at + 160],
            };
            playout.insert(arrival.at, &packet);
            let event = RtpPacket { payload: &[5, 0x8A, 3, 32], ..packet };
            digits += u32::from(keys.push(&event).is_some());
        }
        let mut out = [0; 160];
        playout.next_frame(now, &mut out);
        voiced += u32::from(detector.push(&out).voiced);
        level.push(&out);
        suppressor.process(&mut out);
        digits += u32::from(tones.push(&out).is_some());
        digits += u32::from(keys.tick().is_some());
    }
    let allocations = allocations_so_far() - before;

    assert!(voiced > 500 && digits > 1000, "{voiced} {digits}");
    let stats = playout.stats();
    assert!(stats.lost > 0 && stats.duplicate > 0 && stats.concealed_ms > 0, "{stats:?}");
    assert_eq!(allocations, 0);
}

#[test]
fn the_counter_counts() {
    let before = allocations_so_far();
    drop(std::hint::black_box(vec![0u8; 64]));
    assert_eq!(allocations_so_far() - before, 1);
}
