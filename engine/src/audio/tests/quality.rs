//! The E-model against published figures.
//! The narrow-band scale, each codec.

use crate::audio::quality::{Loss, Robustness, mos};

fn g711(percent: f32, delay_ms: f32) -> f32 {
    mos(Robustness::G711, Loss { percent, burst_ratio: 1.0 }, delay_ms)
}

#[test]
fn a_perfect_call_scores_what_g_107_says() {
    // R = 93.2 is a MOS of 4.41.
    assert!((g711(0.0, 0.0) - 4.41).abs() < 0.01, "{}", g711(0.0, 0.0));
}

#[test]
fn loss_and_delay_lower_the_score_and_never_raise_it() {
    for step in 0..100 {
        let step = step as f32;
        assert!(g711(step + 1.0, 50.0) <= g711(step, 50.0));
        assert!(g711(1.0, step * 10.0 + 10.0) <= g711(1.0, step * 10.0));
    }
    assert!(g711(5.0, 50.0) < 4.0);
    assert!(g711(0.0, 150.0) > 4.2, "150 ms are hardly noticed (G.114)");
    assert!(g711(0.0, 400.0) < 3.8, "400 ms are (G.114)");
}

#[test]
fn the_same_loss_in_bursts_is_worse_and_a_weaker_codec_suffers_more() {
    let loss = |burst_ratio| Loss { percent: 5.0, burst_ratio };
    assert!(mos(Robustness::G711, loss(2.0), 50.0) < mos(Robustness::G711, loss(1.0), 50.0));
    let scores = [Robustness::G711, Robustness::OPUS, Robustness::G722].map(|codec| mos(codec, loss(1.0), 50.0));
    assert!(scores.is_sorted_by(|better, worse| better > worse), "{scores:?}");
}

#[test]
fn runs_of_loss_are_compared_with_chance() {
    assert_eq!(Loss::of(0, 1000, 0), Loss::NONE);
    assert_eq!(Loss::of(100, 1000, 100), Loss { percent: 10.0, burst_ratio: 1.0 }, "each for itself, as 1 / 0.9");
    let bursts = Loss::of(100, 1000, 25);
    assert!((bursts.burst_ratio - 3.6).abs() < 0.01, "runs of four: {bursts:?}");
    assert_eq!(Loss::of(2000, 1000, 1).percent, 100.0);
}

#[test]
fn nonsense_stays_within_the_scale() {
    for value in [g711(-5.0, -100.0), g711(1e9, 1e9), g711(100.0, 0.0)] {
        assert!((1.0..=4.5).contains(&value), "{value}");
    }
}
