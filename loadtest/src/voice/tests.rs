//! The callers' voice, cut to the speech in it.
//! Needs flite only where it says so.

use super::*;

#[test]
fn silence_around_the_words_is_cut_to_whole_frames() {
    let mut samples = vec![0i16; 800];
    samples.extend(vec![4000; 400]);
    samples.extend(vec![0; 1000]);
    let utterance = Utterance::from_samples(&samples, "test").unwrap();
    assert_eq!(utterance.samples().len(), 3 * FRAME_SAMPLES);
    assert_eq!(utterance.duration(), Duration::from_millis(60));
    assert_eq!(utterance.frame(0), Some(&[4000; FRAME_SAMPLES][..]));
    assert_eq!(utterance.frame(3), None);
}

#[test]
fn quiet_consonants_at_both_ends_are_part_of_the_words() {
    let frames = |count: usize, level: i16| vec![level; count * FRAME_SAMPLES];
    let (silence, consonant, vowel) = (4, 60, 4000);
    let recording =
        [frames(5, silence), frames(3, consonant), frames(4, vowel), frames(2, consonant), frames(5, silence)];
    let utterance = Utterance::from_samples(&recording.concat(), "thanks").unwrap();
    assert_eq!(utterance.samples(), [frames(3, consonant), frames(4, vowel), frames(2, consonant)].concat());
}

#[test]
fn a_hiss_around_the_words_is_not_taken_for_a_long_consonant() {
    let frames = |count: usize, level: i16| vec![level; count * FRAME_SAMPLES];
    let recording = [frames(50, 60), frames(4, 4000), frames(50, 60)].concat();
    let utterance = Utterance::from_samples(&recording, "hiss").unwrap();
    assert_eq!(utterance.samples().len(), (8 + 4 + 8) * FRAME_SAMPLES);
}

#[test]
fn a_silent_recording_is_refused_by_name() {
    let error = Utterance::from_samples(&[3; 1600], "quiet.wav").unwrap_err();
    assert_eq!(error.to_string(), "there is nothing to be heard in quiet.wav");
}
