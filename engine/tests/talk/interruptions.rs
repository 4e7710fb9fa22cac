//! The caller makes itself heard while the agent speaks: an interruption stops it, everything else does not.
//! The agent's own echo is in `echo`.

use engine::clock::Moment;

use crate::figures::{Figures, percent};
use crate::recordings::{Recording, long_reply, sentences, words};
use crate::scene::{Scene, settings, understands};
use crate::sounds::none_of_them_speech;

/// The agent answers a question at length and has spoken for `spoken_ms`.
fn agent_speaks(question: &Recording, spoken_ms: u64, phase: u64) -> Scene {
    let mut scene = Scene::new(settings(), understands("What is new?"), &long_reply().samples, phase);
    assert!(scene.ask(question), "{}", question.name);
    scene.run_for(spoken_ms);
    scene
}

/// From the onset of the caller's voice to the agent's last sound before half a second of silence.
fn silent_after(scene: &Scene, onset: Moment) -> Option<u64> {
    let mut last = onset;
    for at in scene.agent_heard.iter().copied().filter(|at| *at > onset) {
        if at.millis_since(last) > 500 {
            break;
        }
        last = at;
    }
    (scene.call.now.millis_since(last) > 500).then(|| last.millis_since(onset) + 20)
}

#[test]
fn an_interruption_stops_the_agent_at_once() {
    let question = &sentences()[2];
    let mut stops = Figures::default();
    let (mut stopped, mut all) = (0, 0);
    for (n, voice) in sentences().iter().filter(|s| s.ms() >= 700).enumerate() {
        for spoken_ms in [300, 2900] {
            let mut scene = agent_speaks(question, spoken_ms + n as u64 * 20, n as u64 * 3 % 20);
            let onset = scene.call.now;
            scene.say(&voice.samples);
            scene.run_for(700);
            all += 1;
            if scene.barge_ins() == 1 {
                stopped += 1;
            } else {
                println!("not stopped by {}, {} ms", voice.name, voice.ms());
            }
            if let Some(ms) = silent_after(&scene, onset) {
                if ms > 250 {
                    println!("{ms} ms by {}, {} ms", voice.name, voice.ms());
                }
                stops.push(ms);
            }
        }
    }
    stops.print("interruption to silence");
    percent("interruptions that stop the agent", stopped, all);
    assert_eq!(stopped, all);
    assert!(stops.percentile(50) <= 150 && stops.percentile(95) <= 250);
}

#[test]
fn a_word_in_passing_does_not_end_the_agents_turn() {
    let question = &sentences()[2];
    let (mut ended, mut resumed, mut all) = (0, 0, 0);
    for (n, word) in words().iter().enumerate() {
        for spoken_ms in [700, 2600, 5100] {
            let mut scene = agent_speaks(question, spoken_ms + n as u64 * 20, n as u64 * 3 % 20);
            scene.say(&word.samples);
            let over = scene.call.now;
            scene.run_for(1000);
            all += 1;
            resumed += usize::from(scene.heard_since(over));
            if scene.barge_ins() > 0 {
                println!("ended by {}, {} ms", word.name, word.ms());
                ended += 1;
            }
        }
    }
    assert!(percent("words in passing that end the agent's turn", ended, all) <= 10.0);
    assert!(percent("words after which it goes on within a second", resumed, all) >= 90.0);
}

#[test]
fn nothing_but_speech_stops_the_agent_for_good() {
    let voices = sentences();
    let question = &voices[2];
    let (mut stopped, mut silent, mut all) = (0, 0, 0);
    for (n, sound) in none_of_them_speech(&voices).iter().enumerate() {
        let mut scene = agent_speaks(question, 1000 + n as u64 * 40, n as u64 * 3 % 20);
        scene.say(&sound.samples);
        let over = scene.call.now;
        scene.run_for(1500);
        all += 1;
        silent += usize::from(!scene.heard_since(over));
        if scene.barge_ins() > 0 {
            println!("stopped by {}", sound.name);
            stopped += 1;
        }
    }
    percent("sounds that stop the agent for good", stopped, all);
    percent("sounds after which the agent is silent", silent, all);
    assert!(stopped <= 1 && silent <= 1);
}
