//! A caller who pauses inside a sentence: how often the agent answers before it goes on.
//! Whole sentences are in `answers`.

use std::rc::Rc;

use crate::figures::percent;
use crate::recordings::{Recording, long_reply, long_sentences};
use crate::scene::{Scene, Transcripts, settings, understands};

/// Whether the agent was heard inside the pause of `pause_ms`.
fn is_answered_inside(sentence: &Recording, pause_ms: usize, transcripts: Transcripts, phase: u64) -> bool {
    let mut scene = Scene::new(settings(), transcripts, &long_reply().samples, phase);
    let before = sentence.before_a_pause();
    scene.say(before);
    scene.run_for(pause_ms as u64);
    !scene.agent_heard.is_empty()
}

fn answered(what: &str, transcripts: impl Fn(&Recording) -> Transcripts, bounds: [(usize, f64); 4]) {
    let sentences = long_sentences();
    for (pause_ms, most) in bounds {
        let mut inside = 0;
        for (n, sentence) in sentences.iter().enumerate() {
            let phase = n as u64 * 7 % 20;
            inside += usize::from(is_answered_inside(sentence, pause_ms, transcripts(sentence), phase));
        }
        let percent = percent(&format!("answered inside {pause_ms} ms, {what}"), inside, sentences.len());
        assert!(percent <= most, "{percent} % answered inside {pause_ms} ms {what}");
    }
}

/// The first half of the words, the last of them one that no sentence ends in, as long as only the first part was said.
fn unfinished(sentence: &Recording) -> Transcripts {
    let words: Vec<&str> = sentence.text.split(' ').collect();
    let half = format!("{} the", words[..words.len() / 2].join(" "));
    let whole = sentence.text.clone();
    let pre_roll_and_tail = 600 * 8;
    let said_before = sentence.before_a_pause().len() + pre_roll_and_tail;
    Rc::new(move |bytes| if bytes <= said_before { half.clone() } else { whole.clone() })
}

#[test]
fn a_pause_inside_a_sentence_is_waited_out_by_sound_alone() {
    answered(
        "by sound alone",
        |_| understands("words that tell nothing"),
        [(300, 0.0), (450, 0.0), (600, 5.0), (800, 50.0)],
    );
}

#[test]
fn a_pause_is_waited_out_longer_when_the_sentence_is_unfinished() {
    answered("unfinished by its words", unfinished, [(300, 0.0), (450, 0.0), (600, 3.0), (800, 20.0)]);
}

#[test]
fn a_pause_is_not_answered_however_finished_the_words_before_it_look() {
    answered(
        "finished by its words",
        |sentence| understands(&sentence.text),
        [(300, 0.0), (450, 0.0), (600, 100.0), (800, 100.0)],
    );
}
