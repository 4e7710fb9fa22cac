//! One call as a pure state machine: packets, speech and time go in, packets, commands and facts come out.
//! No socket, no clock and no async here; a shard, a test or a simulation drives it.

mod barge_in;
mod chat;
mod command;
mod company;
mod completeness;
mod conversation;
mod diagnosis;
mod ears;
mod endpointing;
mod frame_leg;
mod history;
mod key_sender;
mod key_sources;
mod keys;
mod leg;
mod line;
mod listener;
mod marks;
mod media;
mod outbox;
mod replies;
mod settings;
mod setup;
mod source_lock;
mod speaker;
mod speculation;
mod speech_link;
mod tools;
mod turn;
pub(crate) mod usage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{CallEvent, Direction, EndCause, EventKind, MediaQuality, ProviderUsage, SipStatus};

pub use chat::{ChatMessage, ToolCall, ToolDefinition};
pub use command::CallCommand;
pub use company::{Crossing, PcmFrame, WhenLeft};
pub use conversation::LAST_WORD;
pub use endpointing::Endpointing;
pub use frame_leg::LawFrame;
pub use history::UNCLEAR;
pub use key_sender::{EVENT_MS as KEY_MS, KeysError};
pub use leg::{MAX_PACKET_BYTES, StreamSeed, Transmit};
pub use media::{KeysBy, MediaSecurity, MediaSession, MediaSetup, SrtpKeys};
pub use outbox::{Cue, Wish};
pub use replies::{Reply, ReplyError};
pub use settings::{AgentSettings, Interruptible, SpeechLimits};
pub use setup::{CallFacts, CallSetup, Tenant};
pub use speaker::BYTES_PER_LETTER;
pub use speculation::SpeculationSettings;
pub use speech_link::{HearingId, Pipeline, SoFar, SpeechCommand, SpeechEvent, TurnId, UtteranceId};
pub use tools::{
    BUILT_IN, MAX_TOOL_NAME, McpServer, Reach, Tool, ToolRun, ToolSecret, ToolService, TransferTarget, TransferWish,
};

use crate::audio::FRAME_SAMPLES;
use crate::audio::denoise::{self, NoiseSuppressor};
use crate::audio::dtmf::Digit;
use crate::audio::dtmf_tones::ToneDetector;
use crate::audio::g711::Law;
use crate::clock::Moment;
use company::Company;
use conversation::{CallerFrame, Conversation};
use diagnosis::Diagnosis;
use ears::{CallerVoice, Ears};
use frame_leg::FrameLeg;
use key_sender::{KeySender, KeyWay, Pressed};
use key_sources::{KeySource, KeySources};
use leg::{Audio, Leg, LegInput};
use line::Line;
use outbox::Outbox;
use tools::Toolbox;

/// Without packets for so long the other side pauses (DTX), and what is played says nothing of its level.
const PAUSE: Duration = Duration::from_millis(100);

/// One call, from the first packet to the last.
pub struct Call {
    line: Line,
    /// If the agent wants it: what is listened to passes here, what is recorded does not.
    noise: Option<Box<NoiseSuppressor>>,
    diagnosis: Diagnosis,
    /// Made when keys can only come as tones.
    tones: Option<Box<ToneDetector>>,
    key_sources: KeySources,
    key_sender: KeySender,
    /// Made when there is somebody to be heard: a call that rests from the start needs none.
    ears: Option<Box<Ears>>,
    conversation: Conversation,
    company: Company,
    out: Outbox,
    agent: Arc<AgentSettings>,
    started: Moment,
    /// Since when the line costs something, and how much a minute, microcredits.
    answered: Option<Moment>,
    minute_microcredits: u64,
    /// Law of everything inside the call, as it began; the leg's codec may be another and change with a new offer.
    law: Law,
    /// The 20 ms heard and said in the last tick, law-encoded: what a recording takes.
    caller_frame: [u8; FRAME_SAMPLES],
    agent_frame: [u8; FRAME_SAMPLES],
    /// Why nobody took an outbound call.
    not_taken: Option<SipStatus>,
    /// `agent_frame` is voice.
    agent_speaks: bool,
    ended: bool,
}

// === impl Call ===

impl Call {
    /// An inbound call was just answered: its greeting is on its way. An outbound one is being made: its agent waits.
    pub fn new(now: Moment, setup: CallSetup) -> Self {
        let outbound = setup.facts.direction == Direction::Outbound;
        let (law, codec) = (setup.media.law(), setup.media.codec());
        let line = match setup.media {
            MediaSetup::Rtp { session, seed } => Line::Rtp(Leg::new(session, seed, now)),
            MediaSetup::Frames { law } => Line::Frames(FrameLeg::new(law, now)),
        };
        let toolbox = Toolbox::new(&setup.agent);
        let mut call = Self {
            noise: setup.agent.noise_suppression.then(Box::default),
            diagnosis: Diagnosis::new(now),
            tones: None,
            key_sources: KeySources::default(),
            key_sender: KeySender::new(),
            ears: None,
            conversation: Conversation::new(setup.agent.clone(), setup.limits, toolbox, law, now),
            company: if outbound { Company::Nobody } else { Company::Agent },
            out: Outbox::new(setup.call_id, setup.started_at_ms, now),
            agent: setup.agent,
            started: now,
            answered: (!outbound).then_some(now),
            minute_microcredits: setup.minute_microcredits,
            law,
            caller_frame: [law.silence(); FRAME_SAMPLES],
            agent_frame: [law.silence(); FRAME_SAMPLES],
            not_taken: None,
            agent_speaks: false,
            ended: false,
            line,
        };
        if call.line.frames().is_some() {
            call.out.keep_cues();
        }
        call.out.event(now, setup.facts.into_started(codec, call.agent.name.clone()));
        if !outbound {
            call.conversation.begin(&mut call.out);
        }
        call
    }

    /// Tandem's id of the call.
    pub fn id(&self) -> &str {
        self.out.call_id()
    }

    /// An RTP datagram arrived for this call. False if it was not the other side's.
    pub fn handle_rtp(&mut self, now: Moment, from: SocketAddr, datagram: &[u8]) -> bool {
        let Some(leg) = self.line.rtp_mut() else { return false };
        match leg.handle_rtp(now, from, datagram) {
            LegInput::Ignored => return false,
            LegInput::Key(key) => self.key_pressed(now, key, KeySource::Events),
            LegInput::SsrcChanged(ssrc) => self.out.event(now, EventKind::SsrcChanged { ssrc }),
            LegInput::Taken => {}
        }
        true
    }

    /// An RTCP datagram arrived for this call.
    pub fn handle_rtcp(&mut self, now: Moment, from: SocketAddr, datagram: &[u8]) {
        if let Some(leg) = self.line.rtp_mut() {
            leg.handle_rtcp(now, from, datagram);
        }
    }

    /// The next 20 ms of the caller arrived, law-encoded, for a call whose media are frames.
    pub fn handle_frame(&mut self, now: Moment, frame: &LawFrame) {
        if self.line.frames_mut().is_some_and(|leg| leg.push(now, frame)) {
            self.out.cue(|| Cue::Overrun);
        }
    }

    /// The caller pressed a key, as whoever carries the call's frames or its signalling (SIP INFO) says.
    pub fn handle_key(&mut self, now: Moment, key: Digit) {
        if let Some(leg) = self.line.frames_mut() {
            leg.heard_from(now);
        }
        self.key_pressed(now, key, KeySource::Signalling);
    }

    /// Presses keys, one after the other; the agent's voice waits meanwhile.
    ///
    /// # Errors
    /// [`KeysError`] names what is no key, or that too many wait.
    pub fn send_keys(&mut self, keys: &str) -> Result<(), KeysError> {
        self.key_sender.press(keys)
    }

    /// The other side has played all it was sent before this mark.
    pub fn handle_played(&mut self, now: Moment, mark: u32) {
        if let Some(leg) = self.line.frames_mut() {
            leg.played(now, mark);
        }
    }

    fn key_pressed(&mut self, now: Moment, key: Digit, source: KeySource) {
        if !self.key_sources.is_new(now, key.char, source) {
            return;
        }
        if matches!(self.company, Company::Agent) {
            return self.conversation.key_pressed(now, key.char, key.duration_ms, &mut self.out);
        }
        self.out.event(now, EventKind::Dtmf { digit: key.char, duration_ms: key.duration_ms });
        if let Some(bridge) = self.company.bridge() {
            bridge.press(key.char);
        }
    }

    /// Speech has something for this call.
    pub fn handle_speech(&mut self, now: Moment, event: SpeechEvent) {
        if !self.ended {
            self.conversation.handle_speech(now, event, &mut self.out);
        }
    }

    /// The media session was changed by a new offer and answer.
    pub fn change_media(&mut self, now: Moment, session: MediaSession) {
        let Some(leg) = self.line.rtp_mut() else { return };
        let (codec, on_hold) = (session.codec.name().to_owned(), session.on_hold());
        leg.change(now, session);
        self.out.event(now, EventKind::MediaChanged { codec, on_hold });
    }

    /// One 20 ms slot: hears a frame, says a frame. The packet is in `packet` when one is to be sent; a call whose
    /// media are frames sends none, see `frame_to_send`.
    pub fn tick(&mut self, now: Moment, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        let law = self.law;
        if let Some(key) = self.line.key_released() {
            self.key_pressed(now, key, KeySource::Events);
        }
        let mut pcm = [0_i16; FRAME_SAMPLES];
        self.line.next_frame(now, &mut pcm);
        law.encode_into(&pcm, &mut self.caller_frame);
        // What another call says, if that is what this one hears.
        let mut peer = None;
        let speaks = match &mut self.company {
            Company::Peer(bridge) => {
                let audio = peer.insert(bridge.exchange(&pcm));
                law.encode_into(audio, &mut self.agent_frame);
                self.conversation.tick_aside(now, &mut self.out);
                true
            }
            Company::Waiting(waiting) => {
                let (early, sounds) = waiting.next_frame(&mut self.agent_frame);
                if let Some(audio) = early {
                    law.encode_into(peer.insert(audio), &mut self.agent_frame);
                }
                self.conversation.tick_aside(now, &mut self.out);
                sounds
            }
            Company::Nobody => {
                self.agent_frame.fill(law.silence());
                self.conversation.tick_aside(now, &mut self.out);
                false
            }
            Company::Agent if self.line.on_hold() => {
                self.agent_frame.fill(law.silence());
                self.conversation.tick_on_hold(now, &mut self.out);
                false
            }
            Company::Agent => {
                self.listen_beside_the_conversation(now, &pcm);
                let (mut audio, mut delay) = (self.caller_frame, self.line.playout_delay());
                if let Some(noise) = self.noise.as_mut() {
                    noise.process(&mut pcm);
                    law.encode_into(&pcm, &mut audio);
                    delay += denoise::DELAY;
                }
                let said = self.agent_speaks.then(|| self.agent_frame.map(|byte| law.decode(byte)));
                let CallerVoice { voiced, near, pitched } =
                    self.ears.get_or_insert_default().hear(&pcm, said.as_ref(), self.conversation.is_saying());
                let caller = CallerFrame { audio: &audio, voiced, near, pitched, delay };
                if let Some(keys) = self.conversation.take_keys_to_press() {
                    // More keys than may wait are more than anybody presses.
                    let _ = self.key_sender.press(&keys);
                }
                self.conversation.let_voice_wait(self.key_sender.is_busy());
                self.conversation.know_unplayed(self.line.unplayed(now));
                self.conversation.tick(now, caller, &mut self.agent_frame, &mut self.out)
            }
        };
        self.agent_speaks = speaks;
        self.end_if_nobody_is_there(now);
        self.diagnosis.look(now, self.line.rtp_mut(), &mut self.out);
        let pressed = self.press_keys();
        // A key's tone takes the place of whatever was to be heard.
        let peer = peer.filter(|_| pressed != Pressed::Audio);
        let leg = match &mut self.line {
            Line::Rtp(leg) => leg,
            Line::Frames(leg) => {
                leg.send_frame(now, speaks || pressed == Pressed::Audio || self.conversation.is_saying());
                return None;
            }
        };
        if let Pressed::Event(event) = pressed {
            return leg.send_event(&event, packet);
        }
        match peer {
            // Through the call's own law it would lose twice.
            Some(audio) => leg.send_frame(Audio::Linear(&audio), speaks, packet),
            None => leg.send_frame(Audio::Law(law, &self.agent_frame), speaks, packet),
        }
    }

    /// By what the SDPs agreed on neither side sends, and the agent waits: a tick a second is enough.
    pub fn rests(&self) -> bool {
        self.line.rests() && matches!(self.company, Company::Agent)
    }

    /// So many ticks were left out, as those of a call that rests are: our stream's time goes on.
    pub fn pass_over(&mut self, ticks: u32) {
        if let Some(leg) = self.line.rtp_mut() {
            leg.pass_over(ticks);
        }
    }

    /// Another packet of the last tick, where the other side wants shorter ones than ours; to be asked until there is
    /// none.
    pub fn send_more(&mut self, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        self.line.rtp_mut()?.send_more(packet)
    }

    /// What else the caller's frame tells: its level, and keys as tones where none come as events.
    fn listen_beside_the_conversation(&mut self, now: Moment, pcm: &[i16; FRAME_SAMPLES]) {
        if self.line.silent_for(now) < PAUSE {
            self.diagnosis.hear(pcm);
        }
        let events = self.line.rtp().is_none_or(|leg| leg.session().telephone_event.is_some());
        if !events && let Some(key) = self.tones.get_or_insert_default().push(pcm) {
            self.key_pressed(now, key, KeySource::Tones);
        }
    }

    /// The key that is being pressed, if one is: its sound takes the place of the agent's frame.
    fn press_keys(&mut self) -> Pressed {
        // On hold nobody would hear them: they wait.
        if self.line.on_hold() || !self.key_sender.is_busy() {
            return Pressed::Nothing;
        }
        let way = self.line.rtp().map_or(KeyWay::Tones, Leg::key_way);
        let mut audio = [0; FRAME_SAMPLES];
        let pressed = self.key_sender.next(way, &mut audio);
        if let Pressed::Signalled(key) = pressed {
            self.out.press(key);
        }
        if matches!(pressed, Pressed::Audio | Pressed::Signalled(_)) {
            self.law.encode_into(&audio, &mut self.agent_frame);
            return Pressed::Audio;
        }
        pressed
    }

    /// Nothing came of the other side for as long as the agent's settings have it.
    fn end_if_nobody_is_there(&mut self, now: Moment) {
        let never = self.line.rtp().is_some_and(|leg| leg.packets_received() == 0);
        let (longest, cause) = match (self.line.on_hold(), never) {
            (true, _) => (self.agent.hold_timeout, EndCause::HoldTimeout),
            (false, true) => (self.agent.rtp_timeout, EndCause::NoRtp),
            (false, false) => (self.agent.rtp_timeout, EndCause::RtpTimeout),
        };
        if self.line.silent_for(now) >= longest {
            self.out.hang_up(cause);
        }
    }

    /// The next datagram of a DTLS handshake, while one is under way; to be asked after every tick.
    pub fn send_handshake(&mut self, now: Moment, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        let leg = self.line.rtp_mut()?;
        let sent = leg.send_handshake(now, packet);
        if leg.keying_error().is_some() {
            self.out.hang_up(EndCause::DtlsFailed);
        }
        sent
    }

    /// An RTCP report, when one is due.
    pub fn send_report(&mut self, now: Moment, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        self.line.rtp_mut()?.send_report(now, packet)
    }

    /// The agent's frame of the last tick, for a call whose media are frames, unless it is silence nobody misses.
    pub fn frame_to_send(&self) -> Option<&LawFrame> {
        self.line.frames().filter(|leg| leg.sends()).map(|_| &self.agent_frame)
    }

    /// What the other side is to be told next, before the frame of the last tick.
    pub fn pop_cue(&mut self) -> Option<Cue> {
        let cue = self.out.pop_cue()?;
        if let Some(leg) = self.line.frames_mut().filter(|_| cue == Cue::Flush) {
            leg.flush();
        }
        Some(cue)
    }

    /// The mark that goes behind the frame of the last tick, to come back once all before it was played.
    pub fn mark_to_send(&mut self) -> Option<u32> {
        self.line.frames_mut()?.mark_to_send()
    }

    /// The dialog is over. The RTCP BYE to be sent is in `packet`; nothing more is sent after it.
    pub fn end(&mut self, now: Moment, cause: EndCause, packet: &mut [u8; MAX_PACKET_BYTES]) -> Option<Transmit> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        self.conversation.end(now, &mut self.out);
        self.diagnosis.conclude(now, self.line.rtp_mut(), &mut self.out);
        let ended = EventKind::CallEnded {
            cause,
            duration_ms: now.millis_since(self.started),
            turns: self.conversation.turns(),
            quality: self.quality(),
            sip: self.not_taken.take(),
            wasted_requests: self.conversation.wasted_requests(),
            usage: self.used(now),
        };
        self.out.event(now, ended);
        self.line.rtp_mut()?.send_bye(now, packet)
    }

    /// What was used of providers, and of the line.
    fn used(&mut self, now: Moment) -> Vec<ProviderUsage> {
        let mut used = self.conversation.take_usage();
        let answered_ms = self.answered.map(|answered| now.millis_since(answered));
        used.extend(answered_ms.and_then(|ms| usage::of_line(ms, self.minute_microcredits)));
        used
    }

    /// The next thing the call wants done.
    pub fn pop_wish(&mut self) -> Option<Wish> {
        self.out.pop_wish()
    }

    /// There are facts to be journalled; they stay with the call until they are taken.
    pub fn has_fact(&self) -> bool {
        self.out.has_fact()
    }

    pub fn pop_fact(&mut self) -> Option<CallEvent> {
        self.out.pop_fact()
    }

    /// The 20 ms heard from the caller and said by the agent in the last tick, law-encoded.
    pub fn last_frames(&self) -> (&[u8; FRAME_SAMPLES], &[u8; FRAME_SAMPLES]) {
        (&self.caller_frame, &self.agent_frame)
    }

    /// Law of `last_frames`, the same for the whole call.
    pub fn law(&self) -> Law {
        self.law
    }

    /// Number the call's next event takes.
    pub fn next_seq(&self) -> u64 {
        self.out.next_seq()
    }

    /// The RTP session; `None` if the call's media are frames.
    pub fn session(&self) -> Option<&MediaSession> {
        self.line.rtp().map(Leg::session)
    }

    /// The source media is taken from, once a packet came.
    pub fn learned_source(&self) -> Option<SocketAddr> {
        self.line.rtp()?.learned_source()
    }

    /// The stream media is taken from, by its source and its synchronisation source, once a packet came.
    pub fn learned_stream(&self) -> Option<(SocketAddr, u32)> {
        let leg = self.line.rtp()?;
        leg.learned_source().zip(leg.ssrc())
    }

    pub fn quality(&self) -> MediaQuality {
        self.line.quality()
    }
}
