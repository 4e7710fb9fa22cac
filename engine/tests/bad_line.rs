//! Minutes of speech over bad lines, every combination of loss, jitter, reordering and clock drift, in virtual time.
//! Asked of each: how long was nothing heard, where the delay ended, and whether the score says which line was worse.

mod netem;

use engine::audio::g711::Law;
use engine::audio::playout::Playout;
use engine::audio::quality::{self, Loss, Robustness};
use engine::audio::vad::level_dbov;
use engine::clock::Moment;
use engine::rtp::{ReceptionStats, RtpPacket};
use netem::{Arrival, Network, Pattern};

const SPEECH: &[u8] = include_bytes!("fixtures/speech_rms.ul");

/// 10 ms: the pieces in which is looked whether anything is heard.
const PIECE: usize = 80;
/// Speech this far below its mean is nothing that is heard, dB.
const UNHEARD_DB: f32 = 20.0;

/// Speech without its pauses, so that whatever is not heard was lost on the line: pieces of at most 8 dB below its mean.
fn speech_without_pauses() -> Vec<u8> {
    let decoded = |bytes: &[u8]| -> Vec<i16> { bytes.iter().map(|byte| Law::Mu.decode(*byte)).collect() };
    let mean = level_dbov(&decoded(SPEECH));
    SPEECH.chunks_exact(PIECE).filter(|piece| level_dbov(&decoded(piece)) > mean - 8.0).flatten().copied().collect()
}

/// What came of a line.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    /// Longest time without anything to be heard, ms.
    gap_ms: usize,
    /// Deepest smoothed delay after the first ten seconds, and the mean of the last twenty, ms.
    deepest_ms: f32,
    last_ms: f32,
    mos: f32,
    loss: Loss,
}

/// Carries `seconds` of speech over the line and listens.
fn listen(network: &Network, seconds: usize) -> Outcome {
    let speech = speech_without_pauses();
    let floor = level_dbov(&speech.iter().map(|byte| Law::Mu.decode(*byte)).collect::<Vec<_>>()) - UNHEARD_DB;
    let packets = seconds * 50;
    let mut arrivals = network.carry(packets, 20.0).into_iter().peekable();
    let mut playout = Playout::new(Law::Mu.into());
    let mut reception = ReceptionStats::new(8000);
    let (mut heard_once, mut silent_pieces, mut worst_pieces) = (false, 0, 0);
    let (mut deepest_ms, mut last_ms) = (0f32, 0f32);
    let ticks = seconds * 50 - 50;
    for tick in 0..ticks {
        let now = Moment::from_millis(tick as u64 * 20 + 7);
        while let Some(Arrival { at, index }) = arrivals.next_if(|arrival| arrival.at <= now) {
            let payload: Vec<u8> = (0..160).map(|n| speech[(index * 160 + n) % speech.len()]).collect();
            let packet = RtpPacket {
                marker: index == 0,
                payload_type: 0,
                sequence: 65_500u16.wrapping_add(index as u16),
                timestamp: (u32::MAX - 40_000).wrapping_add(index as u32 * 160),
                ssrc: 7,
                payload: &payload,
            };
            reception.on_packet(at, packet.sequence, packet.timestamp);
            playout.insert(at, &packet);
        }
        let mut out = [0; 160];
        playout.next_frame(now, &mut out);
        for piece in out.chunks_exact(PIECE) {
            let heard = level_dbov(piece) > floor;
            heard_once |= heard;
            silent_pieces = if heard || !heard_once { 0 } else { silent_pieces + 1 };
            worst_pieces = worst_pieces.max(silent_pieces);
        }
        let delay = playout.stats().delay_ms;
        if tick > 500 {
            deepest_ms = deepest_ms.max(delay);
        }
        if tick + 1000 > ticks {
            last_ms += delay / 1000.0;
        }
    }
    let stats = playout.stats();
    let loss = Loss::of(reception.lost() + stats.late, packets as u64, reception.loss_runs());
    let mos = quality::mos(Robustness::G711, loss, stats.delay_ms);
    Outcome { gap_ms: worst_pieces * 10, deepest_ms, last_ms, mos, loss }
}

/// Ten minutes of every loss up to 10 %, at random and in bursts, over a line of this jitter and drift.
fn over_all_losses(jitter_ms: f64, drift_ppm: f64) {
    for pattern in [Pattern::Random, Pattern::Bursts] {
        let mut scores = Vec::new();
        for loss in [0.0, 0.01, 0.03, 0.05, 0.1] {
            let network = Network { loss, pattern, jitter_ms, drift_ppm, ..Network::default() };
            let outcome = listen(&network, 600);
            let line = format!("{network:?}: {outcome:?}");
            println!("{line}");
            assert!(outcome.gap_ms <= 60, "{line}");
            // The floor is 20 to 45 ms; packets up to 40 ms late ask for some more in the worst moments.
            assert!(outcome.last_ms <= 45.0 && outcome.deepest_ms <= 60.0, "{line}");
            // Nearly nothing that came is left out.
            assert!(outcome.loss.percent as f64 <= loss * 100.0 + 0.5, "{line}");
            scores.push(outcome.mos);
        }
        assert!(scores.is_sorted_by(|less_loss, more_loss| less_loss > more_loss), "{pattern:?}: {scores:?}");
    }
}

#[test]
fn a_line_of_even_delay_and_any_loss_up_to_10_percent_leaves_no_gap_over_60_ms() {
    over_all_losses(0.0, 0.0);
}

#[test]
fn neither_do_40_ms_of_jitter_and_packets_out_of_order() {
    over_all_losses(40.0, 0.0);
}

#[test]
fn nor_a_sender_whose_clock_is_200_ppm_fast() {
    over_all_losses(0.0, 200.0);
    over_all_losses(40.0, 200.0);
}

#[test]
fn nor_one_whose_clock_is_200_ppm_slow() {
    over_all_losses(0.0, -200.0);
    over_all_losses(40.0, -200.0);
}

#[test]
fn the_same_loss_in_bursts_scores_less_than_at_random_whatever_the_order() {
    for jitter_ms in [0.0, 40.0] {
        for loss in [0.03, 0.1] {
            let score = |pattern| listen(&Network { loss, pattern, jitter_ms, ..Network::default() }, 300).mos;
            let (random, bursts) = (score(Pattern::Random), score(Pattern::Bursts));
            assert!(bursts < random, "{loss} lost, {jitter_ms} ms: {bursts} in bursts, {random} at random");
        }
    }
}
