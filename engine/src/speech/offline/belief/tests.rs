//! Which sentences are believed, on scores made up for the purpose.
//! Real voices are in `tests/offline_speech`.

use super::*;

fn segment(word: &str, frames: std::ops::RangeInclusive<usize>, score: i32) -> Segment {
    Segment { word: word.to_owned(), first_frame: *frames.start(), last_frame: *frames.end(), score }
}

fn phones() -> Phones {
    let words = [("what(2)", "W AH T"), ("now", "N AW")];
    words.map(|(word, phones)| (word.to_owned(), phones.split(' ').map(str::to_owned).collect())).into()
}

fn heard() -> Vec<Segment> {
    let names = [("W", 0..=19), ("AH", 20..=39), ("T", 40..=49), ("N", 50..=69), ("AW", 70..=99)];
    names.map(|(name, frames)| segment(name, frames.clone(), -30 * frames.count() as i32)).to_vec()
}

#[test]
fn a_sentence_nearly_as_good_as_free_phones_is_believed() {
    let words = [segment("(NULL)", 0..=0, 0), segment("what(2)", 0..=49, -2_000), segment("now", 50..=99, -2_200)];
    let sentence = Sentence::new(&words).unwrap();
    assert_eq!(sentence.at_first_sight(), None);
    assert_eq!(sentence.beside(&heard(), &phones()), Ok("what now".to_owned()));
}

#[test]
fn a_clear_score_needs_no_second_look() {
    let words = |score| [segment("now", 0..=99, score)];
    assert_eq!(Sentence::new(&words(-2_000)).unwrap().at_first_sight(), Some(Ok("now".to_owned())));
    assert!(matches!(Sentence::new(&words(-9_000)).unwrap().at_first_sight(), Some(Err(Doubt::Misfit { .. }))));
}

#[test]
fn one_far_off_or_with_two_bad_words_or_taking_speech_for_silence_is_not_believed() {
    for words in [
        [segment("what(2)", 0..=49, -2_900), segment("now", 50..=99, -2_900)],
        [segment("what(2)", 0..=79, -2_800), segment("now", 80..=99, -2_600)],
        [segment("what(2)", 0..=49, -2_000), segment("<sil>", 50..=99, -4_000)],
    ] {
        assert!(Sentence::new(&words).unwrap().beside(&heard(), &phones()).is_err(), "{words:?}");
    }
}

#[test]
fn a_sentence_of_other_phones_than_were_heard_is_not_believed() {
    let words = [segment("what(2)", 0..=49, -2_000), segment("now", 50..=99, -2_200)];
    let others: Vec<Segment> =
        (0..10).map(|n| segment(if n % 2 == 0 { "S" } else { "IY" }, n * 10..=n * 10 + 9, -300)).collect();
    assert!(Sentence::new(&words).unwrap().beside(&others, &phones()).is_err());
}

#[test]
fn silence_is_no_sentence() {
    assert_eq!(Sentence::new(&[segment("<sil>", 0..=199, 0)]).err(), Some(Doubt::NothingFits));
    assert_eq!(Sentence::new(&[]).err(), Some(Doubt::NothingFits));
}
