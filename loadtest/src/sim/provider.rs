//! Speech providers as far as a call notices them: what comes back for each wish, and after how long.
//! There is no audio model here: transcripts and answers are always the same.

use std::time::Duration;

use engine::call::{SpeechCommand, SpeechEvent};
use rand::Rng;
use rand::rngs::SmallRng;

use super::voices::ANSWER as VOICE;

/// What every transcript says: a finished sentence.
const TRANSCRIPT: &str = "What are your opening hours?";
const ANSWER: &str = "We are open from nine to five.";

/// How long each stage takes half of the time, and how much that varies.
#[derive(Debug, Clone, Copy)]
pub struct Stages {
    /// To a transcript.
    pub transcript: Duration,
    /// To the first token of an answer.
    pub token: Duration,
    /// To the first byte of speech.
    pub speech: Duration,
    /// Standard deviation of the time's logarithm: with 0.3 one answer in twenty takes 1.6 times as long.
    pub spread: f64,
}

/// Answers one wish: what comes, and how long after `now`. `slowness` times as long as usual.
pub fn answer(
    command: &SpeechCommand,
    stages: &Stages,
    slowness: f64,
    rng: &mut SmallRng,
    mut comes: impl FnMut(Duration, SpeechEvent),
) {
    let mut takes = |median: Duration| median.mul_f64((stages.spread * standard_normal(rng)).exp() * slowness);
    match command {
        SpeechCommand::Transcribe { hearing, .. } => {
            let text = TRANSCRIPT.to_owned();
            comes(takes(stages.transcript), SpeechEvent::Transcribed { hearing: *hearing, text });
        }
        SpeechCommand::Respond { utterance, .. } => {
            let token = takes(stages.token);
            comes(token, SpeechEvent::FirstToken { utterance: *utterance });
            spoken(*utterance, ANSWER, token + takes(stages.speech), comes);
        }
        SpeechCommand::Say { utterance, text, .. } => spoken(*utterance, text, takes(stages.speech), comes),
        _ => {}
    }
}

fn spoken(utterance: u32, text: &str, after: Duration, mut comes: impl FnMut(Duration, SpeechEvent)) {
    comes(after, SpeechEvent::Sentence { utterance, text: text.to_owned() });
    comes(after, SpeechEvent::Voice { utterance, audio: VOICE.clone() });
    comes(after, SpeechEvent::Said { utterance });
}

/// By Box and Muller.
fn standard_normal(rng: &mut SmallRng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
