//! The jitter buffer behind bad networks: what goes into `Playout` over a modelled network, what comes out of it.
//! Virtual time throughout; each test names the property it holds.

mod netem;

use engine::audio::g711::Law;
use engine::audio::playout::{Frame, Inserted, Playout};
use engine::clock::Moment;
use engine::rtp::RtpPacket;
use netem::{Arrival, Network};

const SPEECH: &[u8] = include_bytes!("fixtures/speech_rms.ul");

/// Endless speech: packet `index` of `bytes` bytes.
fn speech(index: usize, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| SPEECH[(index * bytes + at) % SPEECH.len()]).collect()
}

fn packet(index: usize, payload: &[u8]) -> RtpPacket<'_> {
    RtpPacket {
        marker: index == 0,
        payload_type: 0,
        // Both wrap within the first seconds.
        sequence: 65_500u16.wrapping_add(index as u16),
        timestamp: (u32::MAX - 40_000).wrapping_add((index * payload.len()) as u32),
        ssrc: 7,
        payload,
    }
}

/// One tick's outcome.
struct Tick {
    frame: Frame,
    samples: [i16; 160],
    delay_ms: f32,
}

/// Ticks every 20 ms, 7 ms off the sender's beat, until `end_ms`.
fn play(playout: &mut Playout, arrivals: &[Arrival], bytes: usize, end_ms: u64) -> Vec<Tick> {
    let mut arrivals = arrivals.iter().peekable();
    let mut ticks = Vec::new();
    for tick in 0..end_ms / 20 {
        let now = Moment::from_millis(tick * 20 + 7);
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.at <= now) {
            let payload = speech(arrival.index, bytes);
            playout.insert(arrival.at, &packet(arrival.index, &payload));
        }
        let mut samples = [0; 160];
        let frame = playout.next_frame(now, &mut samples);
        ticks.push(Tick { frame, samples, delay_ms: playout.stats().delay_ms });
    }
    ticks
}

/// Longest run of frames that are not voice, ms, after the first and before the last voiced one.
fn longest_gap_ms(ticks: &[Tick]) -> usize {
    let voiced: Vec<usize> = (0..ticks.len()).filter(|at| ticks[*at].frame == Frame::Voice).collect();
    voiced.windows(2).map(|pair| (pair[1] - pair[0] - 1) * 20).max().unwrap_or(0)
}

fn sent_samples(packets: usize) -> Vec<i16> {
    (0..packets).flat_map(|index| speech(index, 160)).map(|byte| Law::Mu.decode(byte)).collect()
}

fn heard(ticks: &[Tick]) -> Vec<i16> {
    let first = ticks.iter().position(|tick| tick.frame == Frame::Voice).unwrap_or(ticks.len());
    ticks[first..].iter().flat_map(|tick| tick.samples).collect()
}

#[test]
fn a_clean_stream_comes_out_bit_exact_after_one_initial_delay() {
    let mut playout = Playout::new(Law::Mu.into());
    let ticks = play(&mut playout, &Network::default().carry(500, 20.0), 160, 10_000);
    let first = ticks.iter().position(|tick| tick.frame == Frame::Voice).expect("voice");
    // 30 ms of network, at least 20 ms of target, a tick every 20 ms at 7.
    assert_eq!(first, 3);
    assert_eq!(heard(&ticks)[..490 * 160], sent_samples(490));
    let stats = playout.stats();
    assert_eq!((stats.late, stats.duplicate, stats.lost, stats.concealed_ms), (0, 0, 0, 0));
    assert!((20.0..40.0).contains(&stats.delay_ms), "{stats:?}");
}

#[test]
fn packets_of_any_length_come_out_bit_exact() {
    for (bytes, ptime) in [(80, 10.0), (240, 30.0), (320, 40.0), (480, 60.0)] {
        let mut playout = Playout::new(Law::Mu.into());
        let packets = 80_000 / bytes;
        let ticks = play(&mut playout, &Network::default().carry(packets, ptime), bytes, 9_500);
        let heard = heard(&ticks);
        let sent: Vec<i16> = (0..packets).flat_map(|i| speech(i, bytes)).map(|b| Law::Mu.decode(b)).collect();
        assert!(heard.len() > 70_000, "{bytes}");
        assert!(heard.iter().zip(&sent).all(|(a, b)| a == b), "{bytes} bytes a packet");
    }
}

#[test]
fn reordered_and_repeated_packets_are_played_in_order_once() {
    let mut arrivals = Network::default().carry(300, 20.0);
    // Every tenth packet comes with the one after it, behind it, and again.
    for at in (10..290).step_by(10) {
        arrivals[at].at = arrivals[at + 1].at;
        arrivals.swap(at, at + 1);
        let again = arrivals[at + 1];
        arrivals.insert(at + 2, again);
    }
    arrivals.sort_by_key(|arrival| arrival.at);
    let mut playout = Playout::new(Law::Mu.into());
    let ticks = play(&mut playout, &arrivals, 160, 5_900);
    assert!(playout.stats().duplicate > 0);
    assert_eq!(playout.stats().lost, 0);
    assert_eq!(heard(&ticks)[..280 * 160], sent_samples(280));
}

#[test]
fn with_5_percent_loss_and_40_ms_jitter_no_gap_is_over_60_ms() {
    for seed in 1..=20 {
        let network = Network { seed, loss: 0.05, jitter_ms: 40.0, ..Network::default() };
        let mut playout = Playout::new(Law::Mu.into());
        let ticks = play(&mut playout, &network.carry(1500, 20.0), 160, 30_000);
        let gap = longest_gap_ms(&ticks);
        let stats = playout.stats();
        let voiced = ticks.iter().filter(|tick| tick.frame == Frame::Voice).count();
        assert!(gap <= 60, "seed {seed}: {gap} ms, {stats:?}");
        assert!(stats.delay_ms < 90.0, "seed {seed}: {stats:?}");
        // 95 % can arrive; nearly all of that must be heard.
        assert!(voiced as f64 > 1500.0 * 0.92, "seed {seed}: {voiced} voiced, {stats:?}");
    }
}

#[test]
fn drift_of_200_ppm_over_10_minutes_leaves_the_delay_near_its_floor() {
    for drift_ppm in [-200.0, 200.0] {
        let network = Network { drift_ppm, ..Network::default() };
        let mut playout = Playout::new(Law::Mu.into());
        let ticks = play(&mut playout, &network.carry(30_000, 20.0), 160, 599_000);
        let deepest = ticks.iter().skip(100).map(|tick| tick.delay_ms).fold(0.0, f32::max);
        let gap = longest_gap_ms(&ticks);
        assert!(deepest < 60.0, "{drift_ppm} ppm: {deepest} ms");
        assert_eq!(gap, 0, "{drift_ppm} ppm");
    }
}

#[test]
fn after_a_stall_of_300_ms_the_delay_returns_to_its_floor() {
    let network = Network { stall_ms: Some((2000.0, 300.0)), ..Network::default() };
    let mut playout = Playout::new(Law::Mu.into());
    let ticks = play(&mut playout, &network.carry(800, 20.0), 160, 15_000);
    let gap = longest_gap_ms(&ticks);
    assert!((260..=340).contains(&gap), "{gap} ms");
    let end = ticks.last().map_or(0.0, |tick| tick.delay_ms);
    assert!(end < 50.0, "{end} ms");
}

#[test]
fn a_new_ssrc_is_heard_at_once_after_restart_whatever_came_before() {
    for (timestamp, sequence) in [(0u32, 0u16), (u32::MAX - 5, 65_000), (3_000_000_000, 42), (1_000, 65_500)] {
        let mut playout = Playout::new(Law::Mu.into());
        let network = Network { jitter_ms: 150.0, seed: 3, ..Network::default() };
        play(&mut playout, &network.carry(250, 20.0), 160, 5_000);
        playout.restart(Law::A.into());
        let payload = [Law::A.encode(8000); 160];
        let mut out = [0; 160];
        let mut silent_ms = 0;
        for index in 0..50u16 {
            let now = Moment::from_millis(5_000 + u64::from(index) * 20);
            let new = RtpPacket {
                marker: false,
                payload_type: 8,
                sequence: sequence.wrapping_add(index),
                timestamp: timestamp.wrapping_add(u32::from(index) * 160),
                ssrc: 99,
                payload: &payload,
            };
            assert_eq!(playout.insert(now, &new), Inserted::Queued);
            if playout.next_frame(now, &mut out) != Frame::Voice {
                silent_ms += 20;
            }
        }
        assert!(silent_ms <= 20, "{silent_ms} ms");
        assert_eq!(out, [Law::A.decode(Law::A.encode(8000)); 160]);
    }
}

#[test]
fn after_a_pause_of_the_sender_speech_goes_on_whatever_its_clock_did() {
    // Timestamps that went on, stood still, jumped ahead, and jumped back.
    for jump in [0u32, 24_000u32.wrapping_neg(), 1_000_000, 500_000_000u32.wrapping_neg()] {
        let mut playout = Playout::new(Law::Mu.into());
        let mut out = [0; 160];
        let mut voiced_after = 0;
        for tick in 0..400u32 {
            let now = Moment::from_millis(u64::from(tick) * 20);
            let paused = (100..250).contains(&tick);
            if !paused {
                let (index, shift) = if tick < 100 { (tick, 0) } else { (tick - 150, jump) };
                let payload = speech(index as usize, 160);
                let mut sent = packet(index as usize, &payload);
                sent.timestamp = 5_000u32.wrapping_add(tick * 160).wrapping_add(shift);
                sent.marker = tick == 250;
                let inserted = playout.insert(now, &sent);
                assert!(matches!(inserted, Inserted::Queued | Inserted::Jumped), "{inserted:?}");
            }
            let frame = playout.next_frame(now, &mut out);
            if paused && tick > 110 {
                assert_eq!(frame, Frame::Silence);
                assert!(out.iter().all(|sample| sample.abs() < 10), "the noise of the line at most: {out:?}");
            }
            if tick >= 250 {
                voiced_after += u32::from(frame == Frame::Voice);
            }
        }
        assert!(voiced_after >= 148, "jump {jump}: {voiced_after}");
        assert_eq!(playout.stats().lost, 0, "jump {jump}");
        assert_eq!(playout.stats().concealed_ms, 0, "a pause is no loss, jump {jump}");
        assert!(playout.stats().delay_ms < 45.0, "jump {jump}: {:?}", playout.stats());
    }
}

#[test]
fn a_change_of_packet_length_in_mid_call_is_survived() {
    let mut playout = Playout::new(Law::Mu.into());
    let (mut out, mut at, mut sequence) = ([0; 160], 0usize, 0u16);
    let mut worst = 0;
    let mut gap = 0;
    for tick in 0..600usize {
        let now = Moment::from_millis(tick as u64 * 20);
        let length = [160, 480, 80, 320][tick / 150];
        // What was spoken by now goes out in whole packets.
        while at + length <= tick * 160 {
            let payload: Vec<u8> = (at..at + length).map(|n| SPEECH[n % SPEECH.len()]).collect();
            let sent = RtpPacket {
                marker: false,
                payload_type: 0,
                sequence,
                timestamp: at as u32,
                ssrc: 1,
                payload: &payload,
            };
            playout.insert(now, &sent);
            sequence = sequence.wrapping_add(1);
            at += length;
        }
        gap = if playout.next_frame(now, &mut out) == Frame::Voice || tick < 4 { 0 } else { gap + 20 };
        worst = worst.max(gap);
    }
    assert!(worst <= 40, "{worst} ms");
    assert_eq!(playout.stats().lost, 0);
}

#[test]
fn a_single_foreign_packet_does_not_move_the_stream() {
    let mut playout = Playout::new(Law::Mu.into());
    let mut ticks = Vec::new();
    for index in 0..200usize {
        let now = Moment::from_millis(index as u64 * 20);
        let payload = speech(index, 160);
        playout.insert(now, &packet(index, &payload));
        if index == 100 {
            let mut foreign = packet(index, &payload);
            foreign.sequence = foreign.sequence.wrapping_add(20_000);
            foreign.timestamp = foreign.timestamp.wrapping_add(1 << 30);
            assert_eq!(playout.insert(now, &foreign), Inserted::Stray);
        }
        let mut samples = [0; 160];
        let frame = playout.next_frame(now, &mut samples);
        ticks.push(Tick { frame, samples, delay_ms: 0.0 });
    }
    assert_eq!(heard(&ticks)[..190 * 160], sent_samples(190));
}

#[test]
fn a_sender_that_starts_its_numbers_anew_is_followed() {
    let mut playout = Playout::new(Law::Mu.into());
    let mut out = [0; 160];
    let mut unheard = 0;
    for index in 0..200usize {
        let now = Moment::from_millis(index as u64 * 20);
        let payload = speech(index, 160);
        let mut sent = packet(index, &payload);
        if index >= 100 {
            sent.sequence = 30_000 + index as u16;
            sent.timestamp = index as u32 * 160;
        }
        playout.insert(now, &sent);
        unheard += u32::from(playout.next_frame(now, &mut out) != Frame::Voice);
    }
    assert!(unheard <= 3, "{unheard} frames");
}

#[test]
fn telephone_events_in_the_sequence_are_not_counted_as_loss() {
    let mut playout = Playout::new(Law::Mu.into());
    let mut out = [0; 160];
    for index in 0..100usize {
        let now = Moment::from_millis(index as u64 * 20);
        let payload = speech(index, 160);
        let sent = packet(index, &payload);
        if (40..50).contains(&index) {
            playout.pass_over(sent.sequence);
        } else {
            playout.insert(now, &sent);
        }
        playout.next_frame(now, &mut out);
    }
    assert_eq!(playout.stats().lost, 0);
}

#[test]
fn bursts_of_loss_fade_out_and_come_back_without_a_click() {
    // A pure tone changes by a known amount a sample at most; a click would exceed it by far.
    let tone = |n: usize| (8000.0 * (n as f64 * 440.0 * std::f64::consts::TAU / 8000.0).sin()) as i16;
    let steepest = (8000.0 * 440.0 * std::f64::consts::TAU / 8000.0) as i32;
    for seed in 1..=20 {
        let network = Network { seed, loss: 0.05, burst: 0.6, jitter_ms: 30.0, ..Network::default() };
        let mut playout = Playout::new(Law::Mu.into());
        let mut arrivals = network.carry(1000, 20.0).into_iter().peekable();
        let (mut last, mut started) = (0i32, false);
        for tick in 0..990u64 {
            let now = Moment::from_millis(tick * 20 + 3);
            while let Some(arrival) = arrivals.next_if(|arrival| arrival.at <= now) {
                let payload: Vec<u8> = (0..160).map(|at| Law::Mu.encode(tone(arrival.index * 160 + at))).collect();
                playout.insert(arrival.at, &packet(arrival.index, &payload));
            }
            let mut out = [0; 160];
            let frame = playout.next_frame(now, &mut out);
            for sample in out {
                let step = (i32::from(sample) - last).abs();
                assert!(!started || step < steepest * 8 / 5, "seed {seed}, tick {tick}: step {step}");
                last = i32::from(sample);
            }
            started |= frame == Frame::Voice;
        }
    }
}

#[test]
fn a_sender_that_begins_again_a_little_earlier_in_number_is_heard_at_once() {
    let mut playout = Playout::new(Law::Mu.into());
    let mut out = [0; 160];
    // 36 numbers ahead of the stream that follows, with a clock of its own.
    let sent = RtpPacket { marker: false, payload_type: 0, sequence: 0, timestamp: 0, ssrc: 7, payload: &[0x55; 160] };
    playout.insert(Moment::default(), &sent);
    let mut voiced = 0;
    for index in 0..30 {
        let now = Moment::from_millis(20 + index as u64 * 20);
        playout.insert(now, &packet(index, &speech(index, 160)));
        voiced += u32::from(playout.next_frame(now, &mut out) == Frame::Voice);
    }
    assert!(voiced >= 25, "{voiced} of 30");
}

proptest::proptest! {
    /// Whatever comes: no panic, 160 samples a tick, and afterwards a clean stream is heard again.
    #[test]
    fn any_packets_at_all_leave_the_buffer_usable(
        packets in proptest::collection::vec(
            (proptest::prelude::any::<u16>(), proptest::prelude::any::<u32>(), 0usize..1700, 0u64..300), 0..100),
    ) {
        let mut playout = Playout::new(Law::Mu.into());
        let mut out = [0; 160];
        let mut now = Moment::default();
        for (sequence, timestamp, length, wait_ms) in packets {
            now = now + std::time::Duration::from_millis(wait_ms);
            let payload = vec![0x55; length];
            let sent = RtpPacket { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1, payload: &payload };
            playout.insert(now, &sent);
            playout.next_frame(now, &mut out);
        }
        let mut voiced = 0;
        for index in 0..100 {
            now = now + std::time::Duration::from_millis(20);
            let payload = speech(index, 160);
            playout.insert(now, &packet(index, &payload));
            voiced += u32::from(playout.next_frame(now, &mut out) == Frame::Voice);
        }
        proptest::prop_assert!(voiced > 80, "{} of 100", voiced);
    }
}
