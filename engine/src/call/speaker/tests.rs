//! What of an utterance counts as heard when its text and its audio do not come in step.
//! How it is held and goes on is tested with whole calls, in `engine/tests`.

use super::*;

fn voice(ms: usize) -> Bytes {
    vec![0x21; ms * 8].into()
}

/// Plays so much of the utterance.
fn play(speaker: &mut Speaker, ms: usize) {
    let mut frame = [0; FRAME_SAMPLES];
    for _ in 0..ms / 20 {
        speaker.next_frame(&mut frame);
    }
}

#[test]
fn audio_before_the_first_text_is_the_first_sentence_s() {
    let mut speaker = Speaker::new(Law::Mu);
    speaker.begin(1);
    speaker.add_voice(1, voice(1000));
    play(&mut speaker, 200);
    speaker.add_sentence(1, "One two three.".to_owned());
    speaker.add_voice(1, voice(1000));
    speaker.add_sentence(1, "Four.".to_owned());
    speaker.add_voice(1, voice(1000));
    speaker.complete(1);
    play(&mut speaker, 1800);
    let heard = speaker.stop().unwrap();
    assert_eq!((heard.heard_ms, heard.heard_text.as_str()), (2000, "One two three."));
}

#[test]
fn a_last_sentence_without_audio_of_its_own_is_heard_with_the_one_before() {
    let mut speaker = Speaker::new(Law::Mu);
    speaker.begin(1);
    speaker.add_sentence(1, "One two three.".to_owned());
    speaker.add_voice(1, voice(1000));
    speaker.add_sentence(1, "Four.".to_owned());
    speaker.complete(1);
    play(&mut speaker, 1000);
    assert_eq!(speaker.take_finished().unwrap().heard_text, "One two three. Four.");
}

#[test]
fn of_an_utterance_that_made_no_sound_nothing_was_heard() {
    let mut speaker = Speaker::new(Law::Mu);
    speaker.begin(1);
    speaker.add_sentence(1, "One two three.".to_owned());
    speaker.complete(1);
    assert_eq!(speaker.take_finished().unwrap().heard_text, "");
}
