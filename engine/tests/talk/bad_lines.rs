//! Whole sentences of which packets get lost: each is answered, and how soon.
//! What the audio itself suffers is `tests/bad_line.rs`'s business.

use crate::figures::{Figures, percent};
use crate::netem::{Network, Pattern};
use crate::recordings::{long_reply, sentences};
use crate::scene::{Scene, settings, understands};

/// Of all sentences every third is said: there are many lines.
const EVERY: usize = 3;
/// Packets of a call, more than it has.
const PACKETS: usize = 3000;

/// Says the sentences, each in a call of its own on such a line; how soon each was answered.
fn heard_over(line: &str, bad: impl Fn(&mut Scene, usize)) -> Figures {
    let reply = long_reply().samples;
    let mut figures = Figures::default();
    let (mut inside, mut missed, mut all) = (0, 0, 0);
    for (n, sentence) in sentences().iter().enumerate().step_by(EVERY) {
        let mut scene = Scene::new(settings(), understands(&sentence.text), &reply, n as u64 * 3 % 20);
        bad(&mut scene, n);
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
    assert!(inside * 20 <= all, "{line}: {inside} of {all} are answered before their end");
    figures
}

#[test]
fn no_turn_is_missed_when_packets_get_lost() {
    for pattern in [Pattern::Random, Pattern::Bursts] {
        for loss in [0.01, 0.03, 0.05, 0.1] {
            let figures = heard_over(&format!("{:.0} % loss, {pattern:?}", loss * 100.0), |scene, n| {
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
