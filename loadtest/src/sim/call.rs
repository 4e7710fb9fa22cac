//! One call of the simulation: the engine's own, its caller, and what is on its way from the providers.
//! Which node it is on, and when it ends, is not known here.

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{Direction, EndCause};
use engine::audio::g711::Law;
use engine::call::{
    AgentSettings, Call, CallFacts, CallSetup, MAX_PACKET_BYTES, MediaSession, MediaSetup, SpeechCommand, SpeechEvent,
    SpeechLimits, StreamSeed, Wish,
};
use engine::clock::Moment;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::caller::{Caller, Noticed, PACKET_BYTES, PAYLOAD_TYPE};
use super::counts::{Counts, Samples};
use super::plan::Plan;
use super::provider;

const FRAME: Duration = Duration::from_millis(20);
/// A caller who heard nothing by then hangs up.
const HEARS_WITHIN: Duration = Duration::from_secs(10);
/// Wall-clock time of the simulation's start, ms since the Unix epoch; only sender reports tell it.
const EPOCH_MS: u64 = 1_800_000_000_000;

/// A call that is to be set up on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCall {
    /// Of all calls, from 0: what is random about it depends on this alone.
    pub number: u64,
    pub starts: Moment,
    pub ends: Moment,
}

/// A direction of a call that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dead {
    ToCaller,
    FromCaller,
}

/// What became of a call's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Media,
    /// Both directions are proven, and it is not one that converses.
    Idle,
    /// The call is over.
    Over,
}

pub struct SimCall {
    pub number: u64,
    /// When the caller hangs up.
    pub ends: Moment,
    started: Moment,
    /// How long before a tick the caller's packet comes.
    phase: Duration,
    call: Call,
    caller: Caller,
    rng: SmallRng,
    /// What providers have for it, in order.
    due: Vec<(Moment, SpeechEvent)>,
    converses: bool,
    dead: Option<Dead>,
    proven: bool,
}

/// The agent of all calls.
pub fn agent(plan: &Plan) -> Arc<AgentSettings> {
    Arc::new(AgentSettings {
        name: "sim".to_owned(),
        instructions: "Answer in one short sentence.".to_owned(),
        greeting: "Hello, this is Blue Door Books. How can I help you?".to_owned(),
        silence_prompts: vec!["Are you still there?".to_owned()],
        max_call: plan.longest_call() * 2,
        ..AgentSettings::default()
    })
}

// === impl SimCall ===

impl SimCall {
    pub fn new(new: NewCall, plan: &Plan, agent: &Arc<AgentSettings>, counts: &mut Counts) -> Self {
        let mut rng = SmallRng::seed_from_u64(plan.seed.wrapping_add(new.number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let dead = rng.random_bool(plan.one_way).then(|| if rng.random() { Dead::ToCaller } else { Dead::FromCaller });
        let started_at_ms = EPOCH_MS + new.starts.0 / 1000;
        let seed = StreamSeed {
            ssrc: rng.random(),
            sequence: rng.random(),
            timestamp: rng.random(),
            cname: "sim@tandem".to_owned(),
            started_at_ms,
        };
        let session = MediaSession::new(Law::Mu.into(), PAYLOAD_TYPE, Caller::address());
        let setup = CallSetup {
            call_id: format!("sim-{}", new.number),
            started_at_ms,
            facts: CallFacts {
                direction: Direction::Inbound,
                from: "sip:caller@192.0.2.10".to_owned(),
                to: "sip:agent@192.0.2.1".to_owned(),
                sip_call_id: String::new(),
                node: "sim".to_owned(),
                headers: Vec::new(),
                tenant: None,
                identity: None,
            },
            media: MediaSetup::Rtp { session, seed },
            agent: agent.clone(),
            limits: SpeechLimits::default(),
            minute_microcredits: 0,
        };
        counts.calls += 1;
        counts.one_way_made += u64::from(dead.is_some());
        let mut call = Self {
            number: new.number,
            ends: new.ends,
            started: new.starts,
            phase: Duration::from_micros(rng.random_range(0..FRAME.as_micros() as u64)),
            call: Call::new(new.starts, setup),
            caller: Caller::new(&mut rng),
            converses: rng.random_range(0..plan.media_one_in) == 0,
            rng,
            due: Vec::new(),
            dead,
            proven: false,
        };
        counts.conversing += u64::from(call.converses);
        call.take_wishes(new.starts, plan, counts);
        call
    }

    /// Lives from `from` (or its start) to `to`, or to its end.
    pub fn live(&mut self, from: Moment, to: Moment, plan: &Plan, counts: &mut Counts, samples: &mut Samples) -> State {
        let mut now = from.max(self.started);
        let to = to.min(self.ends);
        while now < to {
            if let Some(cause) = self.frame(now, plan, counts, samples) {
                self.end(now, cause);
                return State::Over;
            }
            if !self.proven && self.caller.heard_voice() && self.call.learned_source().is_some() {
                self.proven = true;
                counts.proven += 1;
            }
            if self.proven && !self.converses {
                self.due = Vec::new();
                return State::Idle;
            }
            if !self.caller.heard_voice() && now.since(self.started) >= HEARS_WITHIN {
                counts.one_way_to_caller += 1;
                counts.one_way_unexpected += u64::from(self.dead != Some(Dead::ToCaller));
                self.end(now, EndCause::CallerHungUp);
                return State::Over;
            }
            now = now + FRAME;
        }
        State::Media
    }

    /// 20 ms of both sides; why the call wants to end, if it does.
    fn frame(&mut self, now: Moment, plan: &Plan, counts: &mut Counts, samples: &mut Samples) -> Option<EndCause> {
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            let (_, event) = self.due.remove(0);
            self.call.handle_speech(now, event);
        }
        let mut datagram = [0; PACKET_BYTES];
        let sent_at = Moment(now.0.saturating_sub(self.phase.as_micros() as u64)).max(self.started);
        self.caller.send(sent_at, &mut datagram);
        if self.dead != Some(Dead::FromCaller) {
            counts.packets_in += 1;
            self.call.handle_rtp(sent_at, Caller::address(), &datagram);
        }
        let mut packet = [0; MAX_PACKET_BYTES];
        counts.ticks += 1;
        let mut sent = self.call.tick(now, &mut packet);
        while let Some(one) = sent {
            counts.packets_out += 1;
            if self.dead != Some(Dead::ToCaller) {
                let breaks = self.caller.breaks;
                let noticed = self.caller.hear(now, packet.get(..one.bytes).unwrap_or_default());
                counts.breaks += self.caller.breaks - breaks;
                note(noticed, now, counts, samples);
            }
            sent = self.call.send_more(&mut packet);
        }
        if self.call.send_report(now, &mut packet).is_some() {
            counts.packets_out += 1;
        }
        note(self.caller.think(now, &mut self.rng), now, counts, samples);
        let over = self.take_wishes(now, plan, counts);
        if over.is_some() {
            // Whether it is by `NoRtp` or by a caller who seems silent: it got nothing.
            let unheard = self.call.quality().packets_received == 0;
            counts.one_way_from_caller += u64::from(unheard);
            counts.one_way_unexpected += u64::from(unheard && self.dead != Some(Dead::FromCaller));
            counts.ended_by_call += u64::from(!unheard);
        }
        over
    }

    /// Asks the providers for what the call wants, and tells whether it wants to end.
    fn take_wishes(&mut self, now: Moment, plan: &Plan, counts: &mut Counts) -> Option<EndCause> {
        let mut over = None;
        while let Some(wish) = self.call.pop_wish() {
            match wish {
                Wish::HangUp(cause) => over = Some(cause),
                Wish::Speech(SpeechCommand::Cancel) => self.due.clear(),
                Wish::Speech(command) => {
                    counts.speech_requests += 1;
                    let slowness = plan.slowness(now.since(Moment::default()));
                    let due = &mut self.due;
                    provider::answer(&command, &plan.stages, slowness, &mut self.rng, |after, event| {
                        let at = now + after;
                        due.insert(due.partition_point(|(due, _)| *due <= at), (at, event));
                    });
                }
                Wish::Said | Wish::Press(_) | Wish::Transfer(_) => {}
            }
        }
        while self.call.pop_fact().is_some() {}
        over
    }

    /// The dialog is over, whoever ended it.
    pub fn end(&mut self, now: Moment, cause: EndCause) {
        let mut packet = [0; MAX_PACKET_BYTES];
        self.call.end(now, cause, &mut packet);
        while self.call.pop_fact().is_some() {}
    }
}

fn note(noticed: Option<Noticed>, now: Moment, counts: &mut Counts, samples: &mut Samples) {
    let Some(noticed) = noticed else { return };
    counts.questions += 1;
    match noticed {
        Noticed::Answered { after } => samples.heard.push((now, after)),
        Noticed::AnsweredInside => counts.answered_inside += 1,
        Noticed::Unanswered => counts.unanswered += 1,
    }
}
