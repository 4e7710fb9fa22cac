//! A call driven in virtual time: a caller's packets in, the agent's packets and events out, speech answered by a script.
//! No thread, no socket and no clock; a minute of conversation takes milliseconds.
#![allow(dead_code, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edge_protocol::{CallEvent, Direction, EndCause, EventKind};
use engine::audio::g711::Law;
use engine::call::{
    AgentSettings, Call, CallFacts, CallSetup, Cue, LawFrame, MAX_PACKET_BYTES, MediaSession, MediaSetup,
    SpeculationSettings, SpeechCommand, SpeechEvent, SpeechLimits, StreamSeed, ToolCall, TransferWish, Wish,
};
use engine::clock::Moment;
use engine::rtp::srtp::{MAX_TRAILER_BYTES, SendContext};
use engine::rtp::write_header;

/// Half a sentence by a synthetic voice, µ-law, 8 kHz; the voice detector knows it for speech.
pub const SPEECH: &[u8] = include_bytes!("../fixtures/speech_rms.ul");

/// What a minute of the line costs.
pub const MINUTE_MICROCREDITS: u64 = 6000;

pub const CALLER: &str = "192.0.2.10:4000";

/// What comes back from speech, and after how many milliseconds.
pub type Reaction = Vec<(u64, SpeechEvent)>;

/// Gets the agent's last frame and the caller's next.
pub type OnTheLine = Box<dyn FnMut(&LawFrame, &mut LawFrame)>;

/// The call, its caller and its script.
pub struct VirtualCall {
    pub call: Call,
    pub now: Moment,
    /// Every RTP packet the agent sent.
    pub packets: Vec<Vec<u8>>,
    pub events: Vec<CallEvent>,
    pub commands: Vec<SpeechCommand>,
    pub hang_up: Option<EndCause>,
    /// Whom the agent wanted the caller put through to.
    pub transfers: Vec<TransferWish>,
    /// Orders to say something that are done.
    pub orders_said: u32,
    /// Keys that went through the signalling, and when.
    pub signalled: Vec<(Moment, char)>,
    /// What a call over frames sent, in order, and when.
    pub sent: Vec<(Moment, Sent)>,
    /// Marks a call over frames sent, and when.
    pub marks: Vec<(Moment, u32)>,
    /// How long a client of a call over frames takes to play what it was sent, ms, if it sends marks back.
    pub plays_after_ms: Option<u64>,
    /// Source and SSRC of the caller's stream.
    pub from: SocketAddr,
    pub ssrc: u32,
    /// False: the caller's packets stop.
    pub sending: bool,
    /// The caller encrypts.
    pub protect: Option<SendContext>,
    /// How long before a tick the caller's packet comes.
    pub phase: Duration,
    /// What the line adds to the caller's frame: noise, or the agent's frame of the tick before.
    pub on_the_line: Option<OnTheLine>,
    /// Whether the caller's next packet gets lost.
    pub lost: Option<Box<dyn Iterator<Item = bool>>>,
    brain: Box<dyn FnMut(&SpeechCommand) -> Reaction>,
    due: VecDeque<(Moment, SpeechEvent)>,
    mouth: VecDeque<u8>,
    sequence: u16,
    timestamp: u32,
}

/// What a call over frames sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Frame(Box<LawFrame>),
    Cue(Cue),
}

pub fn agent() -> AgentSettings {
    AgentSettings {
        name: "test".to_owned(),
        instructions: "Be brief.".to_owned(),
        silence_prompts: vec!["Are you there?".to_owned()],
        ..AgentSettings::default()
    }
}

/// An agent that does nothing ahead of the end of the caller's turn.
pub fn patient_agent() -> AgentSettings {
    AgentSettings { speculation: SpeculationSettings { per_turn: 0, per_call: 0 }, ..agent() }
}

pub fn session() -> MediaSession {
    MediaSession { telephone_event: Some(101), ..MediaSession::new(Law::Mu.into(), 0, CALLER.parse().unwrap()) }
}

/// Audio that is easy to tell from silence: every byte `value`.
pub fn voice(value: u8, ms: usize) -> Bytes {
    Bytes::from(vec![value; ms * 8])
}

/// Everything an answer or prompt consists of, at once after `delay`.
pub fn spoken(delay: u64, utterance: u32, text: &str, ms: usize, hang_up: bool) -> Reaction {
    let mut all = vec![
        (delay, SpeechEvent::FirstToken { utterance }),
        (delay, SpeechEvent::Sentence { utterance, text: text.to_owned() }),
        (delay, SpeechEvent::Voice { utterance, audio: voice(0x21, ms) }),
    ];
    if hang_up {
        let call = ToolCall { id: "call_1".to_owned(), name: "hang_up".to_owned(), arguments: "{}".to_owned() };
        all.push((delay, SpeechEvent::ToolsCalled { utterance, calls: vec![call] }));
    }
    all.push((delay, SpeechEvent::Said { utterance }));
    all
}

/// Hears `heard`, answers `answer` with a second of voice, says prompts with half a second of voice.
pub fn obedient(heard: &'static str, answer: &'static str) -> impl FnMut(&SpeechCommand) -> Reaction {
    move |command| match command {
        SpeechCommand::Transcribe { hearing, .. } => {
            vec![(100, SpeechEvent::Transcribed { hearing: *hearing, text: heard.to_owned() })]
        }
        SpeechCommand::Respond { utterance, .. } => spoken(200, *utterance, answer, 1000, false),
        SpeechCommand::Say { utterance, text, .. } => spoken(50, *utterance, text, 500, false),
        _ => Vec::new(),
    }
}

impl VirtualCall {
    pub fn new(agent: AgentSettings, brain: impl FnMut(&SpeechCommand) -> Reaction + 'static) -> Self {
        Self::with_session(session(), agent, brain)
    }

    /// A call over RTP as `session` has it.
    pub fn with_session(
        session: MediaSession,
        agent: AgentSettings,
        brain: impl FnMut(&SpeechCommand) -> Reaction + 'static,
    ) -> Self {
        let seed = StreamSeed {
            ssrc: 0x1234_5678,
            sequence: 65_530,
            timestamp: u32::MAX - 1000,
            cname: "test@tandem".to_owned(),
            started_at_ms: 1_700_000_000_000,
        };
        Self::over(MediaSetup::Rtp { session, seed }, agent, brain)
    }

    /// A call whose media are frames.
    pub fn over_frames(agent: AgentSettings, brain: impl FnMut(&SpeechCommand) -> Reaction + 'static) -> Self {
        Self::over(MediaSetup::Frames { law: Law::Mu }, agent, brain)
    }

    fn over(media: MediaSetup, agent: AgentSettings, brain: impl FnMut(&SpeechCommand) -> Reaction + 'static) -> Self {
        let setup = CallSetup {
            call_id: "01890000-0000-7000-8000-000000000001".to_owned(),
            started_at_ms: 1_700_000_000_000,
            facts: CallFacts {
                direction: Direction::Inbound,
                from: "sip:caller@192.0.2.10".to_owned(),
                to: "sip:agent@192.0.2.1".to_owned(),
                sip_call_id: "abc@192.0.2.10".to_owned(),
                node: "test-node".to_owned(),
                headers: vec![("X-Campaign".to_owned(), "spring".to_owned())],
                tenant: None,
                identity: None,
            },
            media,
            agent: Arc::new(agent),
            limits: SpeechLimits::default(),
            minute_microcredits: MINUTE_MICROCREDITS,
        };
        let now = Moment::from_millis(1000);
        let mut call = Self {
            call: Call::new(now, setup),
            now,
            packets: Vec::new(),
            events: Vec::new(),
            commands: Vec::new(),
            hang_up: None,
            transfers: Vec::new(),
            orders_said: 0,
            signalled: Vec::new(),
            sent: Vec::new(),
            marks: Vec::new(),
            plays_after_ms: None,
            from: CALLER.parse().unwrap(),
            ssrc: 0xCAFE,
            sending: true,
            protect: None,
            phase: Duration::ZERO,
            on_the_line: None,
            lost: None,
            brain: Box::new(brain),
            due: VecDeque::new(),
            mouth: VecDeque::new(),
            sequence: 100,
            timestamp: 5000,
        };
        call.drain();
        call
    }

    /// The caller begins to say `audio` (law bytes).
    pub fn caller_says(&mut self, audio: &[u8]) {
        self.mouth.extend(audio);
    }

    pub fn caller_is_quiet(&self) -> bool {
        self.mouth.is_empty()
    }

    /// Presses a key: seven RFC 4733 packets, the last three its end.
    pub fn caller_presses(&mut self, event: u8) {
        for n in 1..=7_u16 {
            let end = if n > 4 { 0x80 } else { 0 };
            let [high, low] = (n.min(5) * 160).to_be_bytes();
            self.send_packet(n == 1, 101, &[event, end | 10, high, low]);
        }
        self.timestamp = self.timestamp.wrapping_add(800);
    }

    /// 20 ms of both sides.
    pub fn step(&mut self) {
        while self.due.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, event) = self.due.pop_front().unwrap();
            self.call.handle_speech(self.now, event);
            self.drain();
        }
        if self.sending {
            let mut payload = [Law::Mu.silence(); 160];
            for byte in &mut payload {
                *byte = self.mouth.pop_front().unwrap_or(Law::Mu.silence());
            }
            if let Some(line) = self.on_the_line.as_mut() {
                line(self.call.last_frames().1, &mut payload);
            }
            let tick = self.now;
            self.now = Moment(tick.0 - self.phase.as_micros() as u64);
            self.call.handle_frame(self.now, &payload);
            if self.lost.as_mut().and_then(Iterator::next).unwrap_or(false) {
                self.skip_packet();
            } else {
                self.send_packet(false, 0, &payload);
                self.timestamp = self.timestamp.wrapping_add(160);
            }
            self.now = tick;
        }
        for (at, mark) in &self.marks {
            if self.plays_after_ms.is_some_and(|after| self.now.millis_since(*at) == after) {
                self.call.handle_played(self.now, *mark);
            }
        }
        let mut packet = [0; MAX_PACKET_BYTES];
        let mut sent = self.call.tick(self.now, &mut packet);
        while let Some(one) = sent {
            self.packets.push(packet[..one.bytes].to_vec());
            sent = self.call.send_more(&mut packet);
        }
        while let Some(cue) = self.call.pop_cue() {
            self.sent.push((self.now, Sent::Cue(cue)));
        }
        if let Some(frame) = self.call.frame_to_send() {
            self.sent.push((self.now, Sent::Frame(Box::new(*frame))));
        }
        self.marks.extend(self.call.mark_to_send().map(|mark| (self.now, mark)));
        self.drain();
        self.now = self.now + Duration::from_millis(20);
    }

    pub fn run_for(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.step();
        }
    }

    /// Steps until `done` says so.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..60_000 / 20 {
            if done(self) {
                return;
            }
            self.step();
        }
        panic!("no {what} within a minute; events: {:#?}", self.kinds());
    }

    /// Sends a valid RTP packet of the caller's stream from wherever `from` says.
    pub fn send_packet(&mut self, marker: bool, payload_type: u8, payload: &[u8]) -> bool {
        let mut header = [0; 12];
        write_header(&mut header, marker, payload_type, self.sequence, self.timestamp, self.ssrc);
        self.sequence = self.sequence.wrapping_add(1);
        let mut datagram = [&header, payload].concat();
        if let Some(sender) = &mut self.protect {
            let plain = datagram.len();
            datagram.resize(plain + MAX_TRAILER_BYTES, 0);
            let protected = sender.protect_rtp(&mut datagram, plain).unwrap();
            datagram.truncate(protected);
        }
        let taken = self.call.handle_rtp(self.now, self.from, &datagram);
        self.drain();
        taken
    }

    /// A packet of the caller's stream is lost on the way.
    pub fn skip_packet(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
    }

    pub fn end(&mut self, cause: EndCause) {
        let mut packet = [0; MAX_PACKET_BYTES];
        self.call.end(self.now, cause, &mut packet);
        self.drain();
    }

    pub fn kinds(&self) -> Vec<&EventKind> {
        self.events.iter().map(|e| &e.kind).collect()
    }

    pub fn has(&self, wanted: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|e| wanted(&e.kind))
    }

    /// What a call over frames told its caller beside audio.
    pub fn cues(&self) -> Vec<&Cue> {
        let cues = self.sent.iter().map(|(_, sent)| if let Sent::Cue(cue) = sent { Some(cue) } else { None });
        cues.flatten().collect()
    }

    /// Payload bytes of voice (not silence) in the packets sent so far.
    pub fn voice_bytes(&self) -> usize {
        self.packets.iter().flat_map(|p| &p[12..]).filter(|&&b| b == 0x21).count()
    }

    pub fn drain(&mut self) {
        while let Some(wish) = self.call.pop_wish() {
            match wish {
                Wish::HangUp(cause) => self.hang_up = Some(cause),
                Wish::Transfer(wish) => self.transfers.push(wish),
                Wish::Said => self.orders_said += 1,
                Wish::Press(key) => self.signalled.push((self.now, key)),
                Wish::Speech(command) => {
                    if command == SpeechCommand::Cancel {
                        // Tools run on.
                        self.due.retain(|(_, event)| matches!(event, SpeechEvent::ToolFinished { .. }));
                    }
                    for (delay, event) in (self.brain)(&command) {
                        let at = self.now + Duration::from_millis(delay);
                        let after = self.due.partition_point(|(due, _)| *due <= at);
                        self.due.insert(after, (at, event));
                    }
                    self.commands.push(command);
                }
            }
        }
        while let Some(fact) = self.call.pop_fact() {
            self.events.push(fact);
        }
    }
}
