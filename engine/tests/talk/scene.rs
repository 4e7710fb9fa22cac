//! One call, one reply, and what both sides do, 20 ms at a time: who sounds when, and what the call makes of it.
//! What is said and what is expected is the tests' business.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use edge_protocol::EventKind;
use engine::audio::g711::Law;
use engine::audio::vad::level_dbov;
use engine::call::{AgentSettings, Endpointing, SpeculationSettings, SpeechCommand, SpeechEvent};
use engine::clock::Moment;

use crate::recordings::Recording;
use crate::sounds::Noise;
use crate::virtual_call::{Reaction, VirtualCall, agent};

/// What each stage of the stub takes, ms, with what HTTP on one machine adds.
pub const STAGE_MS: u64 = 102;
/// The stub's speech comes in pieces of 100 ms, ten times as fast as it is said.
const PIECE_BYTES: usize = 800;
const BETWEEN_PIECES_MS: u64 = 10;
/// A frame louder than this is heard, dBov.
const HEARD_DBOV: f32 = -50.0;
/// The line's own noise, dBov.
const LINE_DBOV: f32 = -64.0;

/// How long the caller is quiet before anything is said, ms.
pub const QUIET_MS: u64 = 1000;

/// What the transcription understands of so many bytes of audio.
pub type Transcripts = Rc<dyn Fn(usize) -> String>;

/// A call that was just answered, the caller having been quiet for a second.
pub struct Scene {
    pub call: VirtualCall,
    /// Ticks at which the agent was heard.
    pub agent_heard: Vec<Moment>,
    /// When the last frame of speech came.
    pub last_speech: Moment,
}

pub fn settings() -> AgentSettings {
    AgentSettings { silence_after: Duration::from_secs(60), silence_prompts: Vec::new(), ..agent() }
}

/// The same wait whatever is said, and nothing done ahead.
pub fn fixed(endpointing_ms: u64) -> AgentSettings {
    let wait = Duration::from_millis(endpointing_ms);
    AgentSettings {
        endpointing: Endpointing { finished: wait, unknown: wait, unfinished: wait },
        speculation: SpeculationSettings { per_turn: 0, ..SpeculationSettings::default() },
        ..settings()
    }
}

pub fn law_bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|sample| Law::Mu.encode(*sample)).collect()
}

/// Always the same text.
pub fn understands(text: &str) -> Transcripts {
    let text = text.to_owned();
    Rc::new(move |_| text.clone())
}

// === impl Scene ===

impl Scene {
    /// The agent replies with `reply`; packets come `phase_ms` before the call's tick.
    pub fn new(settings: AgentSettings, transcripts: Transcripts, reply: &[i16], phase_ms: u64) -> Self {
        let mut scene = Self::answering(settings, transcripts, reply, phase_ms);
        scene.run_for(QUIET_MS);
        scene
    }

    /// The same before the caller was quiet: the call begins.
    pub fn answering(settings: AgentSettings, transcripts: Transcripts, reply: &[i16], phase_ms: u64) -> Self {
        let reply = Bytes::from(law_bytes(reply));
        let stub = move |command: &SpeechCommand| -> Reaction {
            match command {
                SpeechCommand::Transcribe { hearing, audio, .. } => {
                    let text = transcripts(audio.len());
                    vec![(STAGE_MS, SpeechEvent::Transcribed { hearing: *hearing, text })]
                }
                SpeechCommand::Respond { utterance, .. } => spoken(*utterance, "The answer.", &reply),
                SpeechCommand::Say { utterance, text, .. } => spoken(*utterance, text, &reply),
                _ => Vec::new(),
            }
        };
        let mut call = VirtualCall::new(settings, stub);
        call.phase = Duration::from_millis(phase_ms);
        let mut noise = Noise::new(7);
        call.on_the_line = Some(Box::new(move |_, frame| add(frame, |_| noise.sample(LINE_DBOV))));
        Self { call, agent_heard: Vec::new(), last_speech: Moment::default() }
    }

    /// Adds to the caller's frames, after what is there.
    pub fn add_to_line(&mut self, mut more: impl FnMut(&[u8; 160], &mut [u8; 160]) + 'static) {
        let before = self.call.on_the_line.take();
        let mut before = before.unwrap_or_else(|| Box::new(|_, _| {}));
        self.call.on_the_line = Some(Box::new(move |agent, frame| {
            before(agent, frame);
            more(agent, frame);
        }));
    }

    pub fn step(&mut self) {
        let speaks = !self.call.caller_is_quiet();
        let now = self.call.now;
        self.call.step();
        if speaks {
            self.last_speech = Moment(now.0 - self.call.phase.as_micros() as u64);
        }
        let said: Vec<i16> = self.call.call.last_frames().1.iter().map(|byte| Law::Mu.decode(*byte)).collect();
        if level_dbov(&said) > HEARD_DBOV {
            self.agent_heard.push(now);
        }
    }

    pub fn run_for(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.step();
        }
    }

    /// Says all of it, to its last frame.
    pub fn say(&mut self, samples: &[i16]) {
        self.call.caller_says(&law_bytes(samples));
        while !self.call.caller_is_quiet() {
            self.step();
        }
    }

    /// The caller asks something and the agent begins to answer; false if it does not within three seconds.
    pub fn ask(&mut self, question: &Recording) -> bool {
        self.say(&question.samples);
        let asked = self.call.now;
        for _ in 0..150 {
            if self.heard_since(asked) {
                return true;
            }
            self.step();
        }
        false
    }

    pub fn heard_since(&self, moment: Moment) -> bool {
        self.agent_heard.last().is_some_and(|at| *at >= moment)
    }

    pub fn count(&self, wanted: impl Fn(&EventKind) -> bool) -> usize {
        self.call.events.iter().filter(|event| wanted(&event.kind)).count()
    }

    /// Interruptions the agent yielded to.
    pub fn barge_ins(&self) -> usize {
        self.count(|kind| matches!(kind, EventKind::BargeIn { .. }))
    }
}

/// Adds `more` to a law-encoded frame.
pub fn add(frame: &mut [u8; 160], mut more: impl FnMut(usize) -> f32) {
    for (at, byte) in frame.iter_mut().enumerate() {
        *byte = Law::Mu.encode((f32::from(Law::Mu.decode(*byte)) + more(at)) as i16);
    }
}

fn spoken(utterance: u32, text: &str, audio: &Bytes) -> Reaction {
    let mut all = vec![
        (STAGE_MS, SpeechEvent::FirstToken { utterance }),
        (2 * STAGE_MS, SpeechEvent::Sentence { utterance, text: text.to_owned() }),
    ];
    let mut at = 2 * STAGE_MS;
    for start in (0..audio.len()).step_by(PIECE_BYTES) {
        let piece = audio.slice(start..audio.len().min(start + PIECE_BYTES));
        all.push((at, SpeechEvent::Voice { utterance, audio: piece }));
        at += BETWEEN_PIECES_MS;
    }
    all.push((at, SpeechEvent::Said { utterance }));
    all
}
