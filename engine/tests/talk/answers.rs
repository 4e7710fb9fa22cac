//! How soon the caller hears the answer: last speech frame in to first voiced frame out.
//! Pauses inside a sentence are in `pauses`.

use engine::call::{AgentSettings, Endpointing, SpeculationSettings};
use std::time::Duration;

use crate::figures::Figures;
use crate::recordings::{long_reply, sentences};
use crate::scene::{STAGE_MS, Scene, fixed, settings, understands};

/// Packets come at any time between two ticks of the call.
const PHASES_MS: [u64; 3] = [1, 10, 19];

/// What the stub takes for an answer.
const STUB_MS: u64 = 3 * STAGE_MS;

fn caller_heard(settings: &AgentSettings) -> Figures {
    let reply = long_reply().samples;
    let mut figures = Figures::default();
    let (mut inside, mut all) = (0, 0);
    for sentence in sentences() {
        for phase in PHASES_MS {
            let mut scene = Scene::new(settings.clone(), understands(&sentence.text), &reply, phase);
            assert!(scene.ask(&sentence), "{} is not answered", sentence.name);
            let first = scene.agent_heard[0];
            all += 1;
            // A short wait is over inside the sentences that pause for longer by themselves.
            if first <= scene.last_speech {
                inside += 1;
            } else {
                figures.push(first.millis_since(scene.last_speech));
            }
        }
    }
    assert!(inside * 20 <= all, "{inside} of {all} are answered before their end");
    figures
}

fn ahead(endpointing_ms: u64) -> AgentSettings {
    let endpointing = Endpointing::after(Duration::from_millis(endpointing_ms));
    AgentSettings { endpointing, speculation: SpeculationSettings::default(), ..settings() }
}

#[test]
fn the_engine_adds_next_to_nothing_to_what_providers_take() {
    let figures = caller_heard(&fixed(200));
    figures.print("200 ms endpointing, nothing ahead");
    assert!(figures.percentile(50) <= 200 + STUB_MS + 20);
    assert!(figures.percentile(99) <= 200 + STUB_MS + 45);
}

#[test]
fn work_done_during_the_pause_is_not_waited_for() {
    let figures = caller_heard(&ahead(200));
    figures.print("200 ms endpointing, worked ahead");
    assert!(figures.percentile(50) <= STUB_MS + 120 && figures.percentile(95) <= STUB_MS + 180);
    let figures = caller_heard(&ahead(600));
    figures.print("600 ms endpointing, worked ahead");
    assert!(figures.percentile(95) <= 650);
}

#[test]
fn a_finished_sentence_is_answered_soon_with_default_settings() {
    let figures = caller_heard(&settings());
    figures.print("default settings, whole sentences");
    assert!(figures.percentile(50) <= 620 && figures.percentile(95) <= 800 && figures.percentile(100) <= 2000);
}
