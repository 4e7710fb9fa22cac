//! What 20 ms of a whole call cost: one packet in, one tick, one packet out, in each state a call is in.
//! No socket and no thread: this is the work of the call itself.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use edge_protocol::Direction;
use engine::audio::g711::Law;
use engine::call::{
    AgentSettings, Call, CallFacts, CallSetup, MAX_PACKET_BYTES, MediaSession, MediaSetup, SpeechCommand, SpeechEvent,
    StreamSeed, Wish,
};
use engine::clock::Moment;
use engine::rtp::write_header;

const SPEECH: &[u8] = include_bytes!("../../engine/tests/fixtures/speech_rms.ul");
const QUIET: &[u8] = &[0xFF; 320];
const CALLER: ([u8; 4], u16) = ([192, 0, 2, 10], 4000);

struct Running {
    call: Call,
    now: Moment,
    n: u32,
}

impl Running {
    fn new(greeting: &str) -> Self {
        let remote = CALLER.into();
        let agent = AgentSettings {
            greeting: greeting.to_owned(),
            silence_after: Duration::from_secs(1 << 30),
            max_call: Duration::from_secs(1 << 30),
            ..AgentSettings::default()
        };
        let setup = CallSetup {
            call_id: "bench".to_owned(),
            started_at_ms: 0,
            facts: CallFacts {
                direction: Direction::Inbound,
                from: String::new(),
                to: String::new(),
                sip_call_id: String::new(),
                node: String::new(),
                headers: Vec::new(),
                tenant: None,
                identity: None,
            },
            media: MediaSetup::Rtp {
                session: MediaSession { telephone_event: Some(101), ..MediaSession::new(Law::Mu.into(), 0, remote) },
                seed: StreamSeed { ssrc: 1, sequence: 0, timestamp: 0, cname: "bench".to_owned(), started_at_ms: 0 },
            },
            agent: Arc::new(agent),
        };
        Self { call: Call::new(Moment::default(), setup), now: Moment::default(), n: 0 }
    }

    /// Starts a greeting so long that no bench reaches its end; a slice of one buffer, so it costs no memory.
    fn speaking() -> Self {
        let mut running = Self::new("on and on");
        let hour = Bytes::from(vec![0x21; 8000 * 3600]);
        let text = "on and on".to_owned();
        running.call.handle_speech(running.now, SpeechEvent::Sentence { utterance: 1, text });
        for _ in 0..1000 {
            running.call.handle_speech(running.now, SpeechEvent::Voice { utterance: 1, audio: hour.clone() });
        }
        running
    }

    /// Every turn is understood at once and answered with nothing, so that turns go on at no cost of their own.
    fn answer(&mut self, wish: Wish) {
        let event = match wish {
            Wish::Speech(SpeechCommand::Transcribe { hearing, .. }) => {
                SpeechEvent::Transcribed { hearing, text: "yes".to_owned() }
            }
            Wish::Speech(SpeechCommand::Respond { utterance, .. }) => SpeechEvent::Said { utterance },
            _ => return,
        };
        self.call.handle_speech(self.now, event);
    }

    fn step(&mut self, audio: &[u8]) {
        self.n += 1;
        self.now = self.now + Duration::from_millis(20);
        let mut datagram = [0; 172];
        if let Some((header, payload)) = datagram.split_first_chunk_mut() {
            write_header(header, false, 0, self.n as u16, self.n.wrapping_mul(160), 7);
            let at = self.n as usize * 160 % (audio.len() - 160);
            payload.copy_from_slice(&audio[at..at + 160]);
        }
        black_box(self.call.handle_rtp(self.now, CALLER.into(), &datagram));
        let mut packet = [0; MAX_PACKET_BYTES];
        black_box(self.call.tick(self.now, &mut packet));
        while let Some(wish) = self.call.pop_wish() {
            self.answer(wish);
        }
        while let Some(fact) = self.call.pop_fact() {
            black_box(fact);
        }
    }
}

fn calls(c: &mut Criterion) {
    let states = [
        ("call listening to a quiet line", Running::new(""), QUIET),
        ("call listening to speech", Running::new(""), SPEECH),
        ("call in which the agent speaks", Running::speaking(), QUIET),
    ];
    for (name, mut running, audio) in states {
        c.bench_function(name, |b| b.iter(|| running.step(audio)));
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
