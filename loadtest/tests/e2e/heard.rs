//! What a phone hears against what was synthesised, and the recording against what both sides said.
//! Likeness is measured by `loadtest`'s comparison; the reference comes from the node's own voice.

use std::path::Path;
use std::time::Duration;

use edge_protocol::EventKind;
use loadtest::measure::alignment::{Comparison, compare};
use loadtest::measure::level::is_voiced;
use loadtest::voice::Utterance;
use loadtest::wav;
use serde_json::json;

use crate::caller::{Phone, assert_unbroken};
use crate::ports::free_port;
use crate::stack::Stack;

/// The voice the reception asks for.
const VOICE: &str = "nova";
const GREETING: &str = "Hello, this is Blue Door Books. How can I help you?";
const QUESTION: &str = "what can you do";
/// The reception's answer as it is synthesised: its first clause at once, the rest sentence by sentence.
const ANSWER: [&str; 3] = [
    "You can ask me for our opening hours,",
    "our address, the date and the time.",
    "I can also take a message, or read back a number.",
];

/// The call's G.711 at 8 kHz.
const RATE_HZ: f64 = 8000.0;
/// Samples of a 20 ms frame.
const FRAME: usize = 160;

#[tokio::test]
async fn the_phone_hears_what_was_synthesised_and_the_recording_holds_both_sides() {
    let speech = free_port().expect("a port for the node's voice");
    let settings = vec![("TANDEM_SPEECH__OFFLINE", format!("127.0.0.1:{speech}"))];
    let stack = Stack::start_with(1, &settings).await.expect("Kamailio and a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let question = Utterance::spoken(QUESTION, "rms").await.expect("a question");

    let mut call = phone.dial().await.expect("a call");
    assert!(call.greeting().await.expect("a call that stays up"), "the agent greets");
    let heard = call.ask(QUESTION, &question).await.expect("a call that stays up");
    assert!(heard.answered, "the question is answered");
    let over = call.hang_up().await.expect("a recording");
    assert_unbroken(&over.media, "the phone");

    let greeting = synthesised(speech, GREETING).await;
    faithful("the greeting", &over.media.heard, &greeting);
    let mut answer = Vec::new();
    for sentence in ANSWER {
        answer.extend(synthesised(speech, sentence).await);
    }
    let found = faithful("an answer of two sentences, in three pieces", &over.media.heard, &answer);

    let recording = over.events.iter().find_map(|event| match event {
        EventKind::RecordingReady { path, .. } => Some(path.clone()),
        _ => None,
    });
    let recording = recording.expect("a recording");
    let (left, right) = (channel(&recording, 0), channel(&recording, 1));
    assert_eq!(left.len(), right.len(), "both tracks are as long as the call");
    let said = faithful("the caller's line on the left track", &left, question.samples());
    let spoken = faithful("all that the phone heard, on the right track", &right, &over.media.heard);

    // The agent's first voiced frame after the question: on the recording, and as the caller timed it.
    let asked = usize::try_from(said.offset_samples).expect("the question is whole") + question.samples().len();
    let answered = right[asked..].chunks(FRAME).position(is_voiced).expect("an answer on the right track") * FRAME;
    let recorded_ms = answered as f64 / RATE_HZ * 1000.0;
    let timed_ms = heard.latency_ms.expect("a latency");
    println!(
        "question to answer: {timed_ms:.0} ms as the caller timed it, {recorded_ms:.0} ms on the recording; the phone's \
         audio begins {:.1} ms into it, the answer {:.0} ms into what the phone heard",
        spoken.offset_samples as f64 / RATE_HZ * 1000.0,
        found.offset_samples as f64 / RATE_HZ * 1000.0,
    );
    assert!((recorded_ms - timed_ms).abs() < 100.0, "the tracks are {:.0} ms apart", recorded_ms - timed_ms);
}

/// Finds `reference` in `heard` and expects it whole.
fn faithful(what: &str, heard: &[i16], reference: &[i16]) -> Comparison {
    let found = compare(heard, reference).expect("audio on both sides");
    println!(
        "{what}: correlation {:.4}, longest gap {} ms, worst click {:.3} of the peak, gain {:.3}, {:.1} s",
        found.correlation,
        found.longest_gap_ms,
        found.click,
        found.gain,
        reference.len() as f64 / RATE_HZ
    );
    assert!(found.correlation >= 0.99, "{what}: {found:?}");
    assert!(found.longest_gap_ms <= 5, "{what}: {found:?}");
    assert!(found.click <= 0.15, "{what}: {found:?}");
    found
}

fn channel(recording: &str, channel: u16) -> Vec<i16> {
    let path = crate::node::root().join(Path::new(recording));
    wav::read(&path, channel).expect("the recording")
}

/// `text` as the node's voice speaks it, at 8 kHz.
async fn synthesised(port: u16, text: &str) -> Vec<i16> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client");
    let body = json!({ "model": "tts-1", "voice": VOICE, "input": text, "response_format": "pcm" });
    let url = format!("http://127.0.0.1:{port}/v1/audio/speech");
    let answer = client.post(url).json(&body).send().await.expect("an answer");
    let pcm = answer.error_for_status().expect("speech").bytes().await.expect("all of it");
    let samples: Vec<i16> = pcm.as_chunks().0.iter().map(|&sample| i16::from_le_bytes(sample)).collect();
    every_third(&samples)
}

/// 24 kHz to 8 kHz: every third sample behind a low-pass at 3.6 kHz. A resampler of its own, so that the engine's
/// is not compared with itself.
fn every_third(samples: &[i16]) -> Vec<i16> {
    const HALF: i32 = 96;
    const CUTOFF: f64 = 0.9 / 3.0;
    let tap = |n: i32| {
        let x = std::f64::consts::PI * CUTOFF * f64::from(n);
        let sinc = if n == 0 { 1.0 } else { x.sin() / x };
        let window = 0.5 + 0.5 * (std::f64::consts::PI * f64::from(n) / f64::from(HALF)).cos();
        CUTOFF * sinc * window
    };
    let taps: Vec<f64> = (-HALF..=HALF).map(tap).collect();
    let before = vec![0.0; HALF as usize];
    let padded: Vec<f64> =
        before.iter().copied().chain(samples.iter().map(|&sample| f64::from(sample))).chain(before.clone()).collect();
    let filtered = |window: &[f64]| window.iter().zip(&taps).map(|(sample, tap)| sample * tap).sum::<f64>() as i16;
    padded.windows(taps.len()).step_by(3).map(filtered).collect()
}
