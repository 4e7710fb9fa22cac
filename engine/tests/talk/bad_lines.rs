//! Whole sentences over bad lines, of which packets get lost or on which it is loud: each is answered, and how soon.
//! What the audio itself suffers is `tests/bad_line.rs`'s business.

use crate::figures::{Figures, percent};
use crate::netem::{Network, Pattern};
use crate::recordings::{long_reply, sentences};
use crate::scene::{QUIET_MS, Scene, add, settings, understands};
use crate::sounds::{babble, pink};

/// Of all sentences every third is said: there are many lines.
const EVERY: usize = 3;
/// Packets of a call, more than it has.
const PACKETS: usize = 3000;
/// Length of a line's noise, ms: longer than any of these calls.
const NOISE_MS: usize = 20_000;

/// Says the sentences, each in a call of its own on such a line; how soon each was answered. At most `early_percent` of
/// them before their end.
fn heard_over(line: &str, early_percent: usize, bad: impl Fn(&mut Scene, usize)) -> Figures {
    let reply = long_reply().samples;
    let mut figures = Figures::default();
    let (mut inside, mut missed, mut all) = (0, 0, 0);
    for (n, sentence) in sentences().iter().enumerate().step_by(EVERY) {
        let mut scene = Scene::answering(settings(), understands(&sentence.text), &reply, n as u64 * 3 % 20);
        bad(&mut scene, n);
        scene.run_for(QUIET_MS);
        all += 1;
        if !scene.ask(sentence) {
            println!("missed on {line}: {}", sentence.name);
            missed += 1;
        } else if scene.agent_heard[0] <= scene.last_speech {
            inside += 1;
        } else {
            figures.push(scene.agent_heard[0].millis_since(scene.last_speech));
        }
    }
    figures.print(line);
    percent("of these answered before their end", inside, all);
    assert_eq!(missed, 0, "{line}");
    assert!(inside * 100 <= all * early_percent, "{line}: {inside} of {all} are answered before their end");
    figures
}

#[test]
fn no_turn_is_missed_when_packets_get_lost() {
    for pattern in [Pattern::Random, Pattern::Bursts] {
        for loss in [0.01, 0.03, 0.05, 0.1] {
            let figures = heard_over(&format!("{:.0} % loss, {pattern:?}", loss * 100.0), 5, |scene, n| {
                let network = Network { seed: n as u64 + 1, loss, pattern, ..Network::default() };
                let mut comes = vec![false; PACKETS];
                for arrival in network.carry(PACKETS, 20.0) {
                    comes[arrival.index] = true;
                }
                scene.call.lost = Some(Box::new(comes.into_iter().map(|comes| !comes)));
            });
            assert!(figures.percentile(95) <= 1200);
        }
    }
}

#[test]
fn no_turn_is_missed_in_noise_and_babble() {
    let voices = sentences();
    let babbles = |n: usize| babble(&voices, n + 1, NOISE_MS).into_iter().map(f32::from).collect::<Vec<f32>>();
    for kind in ["pink noise", "babble"] {
        // At 5 dB a soft word in the middle drowns, and half a second is a pause.
        for (quieter_db, early_percent) in [(20, 5), (10, 5), (5, 15)] {
            let figures = heard_over(&format!("{kind}, {quieter_db} dB below"), early_percent, |scene, n| {
                let noise = if kind == "babble" { babbles(n) } else { pink(n as u64, NOISE_MS) };
                let gain = 10f32.powf(-(quieter_db as f32) / 20.0) * rms(&voices[n].samples) / rms(&noise);
                let mut at = 0;
                scene.add_to_line(move |_, frame| {
                    add(frame, |within| gain * noise[(at + within) % noise.len()]);
                    at += frame.len();
                });
            });
            assert!(kind != "babble" || quieter_db != 5 || figures.percentile(95) <= 1200);
        }
    }
}

fn rms<S: Copy + Into<f32>>(samples: &[S]) -> f32 {
    let energy: f32 = samples.iter().map(|sample| (*sample).into().powi(2)).sum();
    (energy / samples.len() as f32).sqrt()
}
