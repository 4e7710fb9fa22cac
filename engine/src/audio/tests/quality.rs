//! The E-model against published figures.
//! Narrow-band, G.711.

use crate::audio::quality::mos;

#[test]
fn a_perfect_call_scores_what_g_107_says() {
    // R = 93.2 is a MOS of 4.41.
    assert!((mos(0.0, 0.0) - 4.41).abs() < 0.01, "{}", mos(0.0, 0.0));
}

#[test]
fn loss_and_delay_lower_the_score_and_never_raise_it() {
    for step in 0..100 {
        let step = step as f32;
        assert!(mos(step + 1.0, 50.0) <= mos(step, 50.0));
        assert!(mos(1.0, step * 10.0 + 10.0) <= mos(1.0, step * 10.0));
    }
    assert!(mos(5.0, 50.0) < 4.0);
    assert!(mos(0.0, 150.0) > 4.2, "150 ms are hardly noticed (G.114)");
    assert!(mos(0.0, 400.0) < 3.8, "400 ms are (G.114)");
}

#[test]
fn nonsense_stays_within_the_scale() {
    for value in [mos(-5.0, -100.0), mos(1e9, 1e9), mos(100.0, 0.0)] {
        assert!((1.0..=4.5).contains(&value), "{value}");
    }
}
