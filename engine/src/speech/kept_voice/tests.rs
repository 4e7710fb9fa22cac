//! What is kept, for whom, and what goes when there is no more room.
//! Nothing here runs outside tests.

use super::*;

fn line(text: &str) -> Line {
    Line::new("main", None, Law::Mu, text)
}

fn audio(bytes: usize) -> Bytes {
    Bytes::from(vec![0x21; bytes])
}

#[test]
fn a_sentence_is_kept_for_its_provider_voice_and_law_and_however_it_is_spaced() {
    let kept = KeptVoice::new(1000);
    kept.put(line("We are open."), audio(10));
    assert_eq!(kept.get(&line("  We are\nopen. ")), Some(audio(10)));
    let others = [
        line("We are open?"),
        Line::new("other", None, Law::Mu, "We are open."),
        Line::new("main", Some("rms".into()), Law::Mu, "We are open."),
        Line::new("main", None, Law::A, "We are open."),
    ];
    for other in others {
        assert_eq!(kept.get(&other), None, "{other:?}");
    }
}

#[test]
fn what_was_not_used_for_longest_goes_when_there_is_no_room() {
    let kept = KeptVoice::new(1000);
    for text in ["one", "two", "three"] {
        kept.put(line(text), audio(300));
    }
    kept.get(&line("one"));
    kept.put(line("four"), audio(300));
    let is_kept = |text| kept.get(&line(text)).is_some();
    assert_eq!(["one", "two", "three", "four"].map(is_kept), [true, false, true, true]);
    // The same again takes no more room.
    for _ in 0..10 {
        kept.put(line("four"), audio(300));
    }
    assert_eq!(["one", "three", "four"].map(is_kept), [true; 3]);
    kept.put(line("too long"), audio(1001));
    assert_eq!(["one", "three", "four", "too long"].map(is_kept), [true, true, true, false]);
}

#[test]
fn a_sentence_is_worth_keeping_the_second_time() {
    let kept = KeptVoice::new(1000);
    assert!(!kept.said_again(&line("Hello.")));
    assert!(!kept.said_again(&line("Goodbye.")));
    assert!(kept.said_again(&line("Hello.")));
}
