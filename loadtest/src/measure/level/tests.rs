//! Where speech begins and ends, by its level.
//! The engine's own voice detector is another.

use super::*;

const LOUD: [i16; 160] = [3000; 160];
const QUIET: [i16; 160] = [8; 160];

/// Runs frames 20 ms apart through a finder and lists what changed.
fn changes(frames: &[[i16; 160]]) -> Vec<Change> {
    let mut finder = SpeechFinder::default();
    frames.iter().zip(0..).filter_map(|(frame, n)| finder.push(Moment::from_millis(n * 20), frame)).collect()
}

#[test]
fn full_scale_is_zero_dbov_and_digital_silence_the_floor() {
    assert!(level_dbov(&[i16::MIN; 160]).abs() < 0.001);
    assert!((level_dbov(&[0; 160]) + 127.0).abs() < f32::EPSILON);
    assert!((level_dbov(&[]) + 127.0).abs() < f32::EPSILON);
}

#[test]
fn speech_starts_at_its_first_frame_and_ends_at_its_last() {
    let mut frames = vec![QUIET; 5];
    frames.extend(vec![LOUD; 10]);
    frames.extend(vec![QUIET; 12]);
    assert_eq!(
        changes(&frames),
        [Change::Started { at: Moment::from_millis(100) }, Change::Ended { last: Moment::from_millis(280) }]
    );
}

#[test]
fn a_click_is_not_speech() {
    assert_eq!(changes(&[QUIET, LOUD, QUIET, QUIET, LOUD, QUIET]), []);
}

#[test]
fn a_pause_between_words_does_not_end_speech() {
    let mut frames = vec![LOUD; 5];
    frames.extend(vec![QUIET; 9]);
    frames.extend(vec![LOUD; 5]);
    assert_eq!(changes(&frames), [Change::Started { at: Moment(0) }]);
}
