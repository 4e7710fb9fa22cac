//! The agent's own voice comes back from the caller's telephone: it must not interrupt itself, nor be deaf to the caller.
//! Other sounds are in `interruptions`.

use std::collections::VecDeque;

use engine::audio::g711::Law;

use crate::figures::percent;
use crate::recordings::{long_reply, sentences};
use crate::scene::{Scene, add, settings, understands};

/// A scene whose line returns what the agent says, `db` quieter and `late_ms` later.
fn echoing(db: f32, late_ms: usize) -> Scene {
    let mut scene = Scene::new(settings(), understands("What is new?"), &long_reply().samples, 7);
    let gain = 10f32.powf(db / 20.0);
    let mut on_its_way: VecDeque<f32> = vec![0.0; late_ms * 8].into();
    scene.add_to_line(move |agent, frame| {
        on_its_way.extend(agent.iter().map(|byte| f32::from(Law::Mu.decode(*byte)) * gain));
        add(frame, |_| on_its_way.pop_front().unwrap_or(0.0));
    });
    scene
}

#[test]
fn the_agent_does_not_interrupt_itself_and_hears_the_caller_over_its_echo() {
    let voices = sentences();
    let (mut interrupted, mut gaps, mut deaf, mut all) = (0, 0, 0, 0);
    let clean = clean_gaps();
    for db in [-10.0, -20.0, -30.0] {
        for late_ms in [60, 110, 160, 200] {
            let mut scene = echoing(db, late_ms);
            assert!(scene.ask(&voices[2]));
            let began = scene.call.now;
            scene.run_for(12_000);
            all += 1;
            if scene.barge_ins() > 0 {
                println!("interrupts itself at {db} dB, {late_ms} ms");
                interrupted += 1;
            }
            let heard: Vec<_> = scene.agent_heard.iter().copied().filter(|at| *at > began).collect();
            let held = heard.windows(2).filter(|w| w[1].millis_since(w[0]) >= 220).count();
            gaps += usize::from(held > clean);
            let before = scene.barge_ins();
            scene.say(&voices[33].samples);
            deaf += usize::from(scene.barge_ins() == before);
        }
    }
    percent("echoes by which the agent interrupts itself", interrupted, all);
    percent("echoes at which the agent hesitates", gaps, all);
    percent("echoes over which an interruption is missed", deaf, all);
    assert_eq!((interrupted, deaf), (0, 0));
}

/// Pauses of 220 ms and more that the reply itself has in its first twelve seconds.
fn clean_gaps() -> usize {
    let mut scene = Scene::new(settings(), understands("What is new?"), &long_reply().samples, 7);
    assert!(scene.ask(&sentences()[2]));
    let began = scene.call.now;
    scene.run_for(12_000);
    let heard: Vec<_> = scene.agent_heard.iter().copied().filter(|at| *at > began).collect();
    heard.windows(2).filter(|w| w[1].millis_since(w[0]) >= 220).count()
}
