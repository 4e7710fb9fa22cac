//! A whole call in one of the states it is in most of the time, without a socket and without a thread.
//! How its packets reach it and leave it is `shard` and `transport`, which the peers' benches measure.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edge_protocol::Direction;
use engine::audio::FRAME_SAMPLES;
use engine::audio::g711::Law;
use engine::call::{
    AgentSettings, Call, CallFacts, CallSetup, LawFrame, MAX_PACKET_BYTES, MediaSession, MediaSetup, SpeechCommand,
    SpeechEvent, SpeechLimits, StreamSeed, WhenLeft, Wish,
};
use engine::clock::Moment;
use engine::rtp::write_header;

const CALLER: ([u8; 4], u16) = ([192, 0, 2, 10], 4000);

/// One call, 20 ms at a time.
pub struct Running {
    call: Call,
    now: Moment,
    n: u32,
}

/// Two calls that hear each other.
pub struct Bridged([Running; 2]);

// === impl Running ===

impl Running {
    /// Over RTP, with an agent that says nothing by itself.
    pub fn listening() -> Self {
        Self::new("", over_rtp())
    }

    /// Over a WebSocket, with the same agent.
    pub fn listening_to_frames() -> Self {
        Self::new("", MediaSetup::Frames { law: Law::Mu })
    }

    /// With a greeting so long that no bench reaches its end; a slice of one buffer, so it costs no memory.
    pub fn speaking() -> Self {
        let mut running = Self::new("on and on", over_rtp());
        let hour = Bytes::from(vec![0x21; 8000 * 3600]);
        let text = "on and on".to_owned();
        running.call.handle_speech(running.now, SpeechEvent::Sentence { utterance: 1, text });
        for _ in 0..1000 {
            running.call.handle_speech(running.now, SpeechEvent::Voice { utterance: 1, audio: hour.clone() });
        }
        running
    }

    fn new(greeting: &str, media: MediaSetup) -> Self {
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
            media,
            agent: Arc::new(agent),
            limits: SpeechLimits::default(),
            minute_microcredits: 0,
        };
        Self { call: Call::new(Moment::default(), setup), now: Moment::default(), n: 0 }
    }

    /// One packet in, one tick, one packet out.
    pub fn step(&mut self, audio: &[u8]) {
        let frame = self.next_frame(audio);
        let mut datagram = [0; 172];
        if let Some((header, payload)) = datagram.split_first_chunk_mut() {
            write_header(header, false, 0, self.n as u16, self.n.wrapping_mul(160), 7);
            payload.copy_from_slice(&frame);
        }
        black_box(self.call.handle_rtp(self.now, CALLER.into(), &datagram));
        self.tick();
    }

    /// One frame in, one tick, one frame out.
    pub fn step_frames(&mut self, audio: &[u8]) {
        let frame = self.next_frame(audio);
        self.call.handle_frame(self.now, &frame);
        self.tick();
        while let Some(cue) = self.call.pop_cue() {
            black_box(cue);
        }
        black_box(self.call.frame_to_send());
        if let Some(mark) = self.call.mark_to_send() {
            self.call.handle_played(self.now, mark);
        }
    }

    fn next_frame(&mut self, audio: &[u8]) -> LawFrame {
        self.n += 1;
        self.now = self.now + Duration::from_millis(20);
        let at = self.n as usize * FRAME_SAMPLES % (audio.len() - FRAME_SAMPLES);
        audio.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; FRAME_SAMPLES])
    }

    fn tick(&mut self) {
        let mut packet = [0; MAX_PACKET_BYTES];
        black_box(self.call.tick(self.now, &mut packet));
        black_box(self.call.send_report(self.now, &mut packet));
        while let Some(wish) = self.call.pop_wish() {
            self.answer(wish);
        }
        while let Some(fact) = self.call.pop_fact() {
            black_box(fact);
        }
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
}

// === impl Bridged ===

impl Bridged {
    pub fn new() -> Self {
        let mut ends = [Running::listening(), Running::listening()];
        for end in &mut ends {
            end.call.bridge(end.now, "bench", WhenLeft::HangUp);
        }
        Self(ends)
    }

    /// 20 ms of both calls.
    pub fn step(&mut self, audio: &[u8]) {
        let [one, other] = &mut self.0;
        one.step(audio);
        if let Some(crossing) = one.call.take_crossing() {
            other.call.hear_peer(crossing);
        }
        other.step(audio);
        if let Some(crossing) = other.call.take_crossing() {
            one.call.hear_peer(crossing);
        }
    }
}

impl Default for Bridged {
    fn default() -> Self {
        Self::new()
    }
}

fn over_rtp() -> MediaSetup {
    MediaSetup::Rtp {
        session: MediaSession { telephone_event: Some(101), ..MediaSession::new(Law::Mu.into(), 0, CALLER.into()) },
        seed: StreamSeed { ssrc: 1, sequence: 0, timestamp: 0, cname: "bench".to_owned(), started_at_ms: 0 },
    }
}
