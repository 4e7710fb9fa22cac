//! Why a call has no audio, or bad audio, in one direction: looked into once a second, told once a call with a name.
//! It only reads what the leg and the level meter counted; nothing here changes how packets are treated.

use std::time::Duration;

use edge_protocol::{EventKind, MediaProblem};

use super::leg::Leg;
use super::outbox::Outbox;
use crate::audio::FRAME_SAMPLES;
use crate::audio::level::LevelMeter;
use crate::clock::Moment;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(1);

/// Time without a packet that is no pause any more; also what a new call is given to begin.
const NO_PACKETS: Duration = Duration::from_secs(5);

/// Packets from elsewhere (100 ms) that are no stragglers of an earlier call.
const FOREIGN_PACKETS: u32 = 5;

/// Packets in a row of another payload type (500 ms): phones announce a change of codec in mid-stream for less.
const OTHER_PAYLOAD: u32 = 25;

/// Encrypted packets in a row (500 ms) that cannot be authenticated: the keys are wrong, not the line.
const UNAUTHENTIC_PACKETS: u64 = 25;

/// Reports in a row, and the time they span, by which nothing of ours arrives: one can cross our first packet.
const DEAF_REPORTS: u32 = 2;
const DEAF_FOR: Duration = Duration::from_secs(4);
/// Without any block about us it takes one more: some phones report on nobody until they have heard for a while.
const UNMENTIONED_REPORTS: u32 = 3;

/// Frames (15 s) without a sound: who listens to a greeting and thinks is heard by then, if only by the line's noise.
const SILENT_FRAMES: u32 = 750;
/// In a call that is over, 5 s without a sound are enough: it is the whole of it.
const SILENT_FRAMES_AT_THE_END: u32 = 250;

/// One call's diagnosis.
#[derive(Debug)]
pub struct Diagnosis {
    level: LevelMeter,
    next_look: Moment,
    /// A bit for each [`MediaProblem`] that was told.
    told: u16,
}

// === impl Diagnosis ===

impl Diagnosis {
    pub fn new(now: Moment) -> Self {
        Self { level: LevelMeter::new(), next_look: now + EVERY, told: 0 }
    }

    /// A frame of the other side's that came, not one made up.
    pub fn hear(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        self.level.push(frame);
    }

    /// Looks for what is wrong, if it is time to.
    pub fn look(&mut self, now: Moment, leg: Option<&mut Leg>, out: &mut Outbox) {
        if now >= self.next_look {
            self.next_look = now + EVERY;
            self.look_at_all(now, leg, SILENT_FRAMES, out);
        }
    }

    /// The call is over: what can be said by now has to be.
    pub fn conclude(&mut self, now: Moment, leg: Option<&mut Leg>, out: &mut Outbox) {
        self.look_at_all(now, leg, SILENT_FRAMES_AT_THE_END, out);
    }

    fn look_at_all(&mut self, now: Moment, leg: Option<&mut Leg>, silent_frames: u32, out: &mut Outbox) {
        if let Some(leg) = leg {
            self.look_at_packets(now, leg, out);
            self.look_at_reports(now, leg, out);
        }
        let level = &self.level;
        let (silent, clipped) = (level.is_silence() && level.frames() >= silent_frames, level.is_clipped());
        let (loudest, seconds, percent) = (level.loudest_dbov(), level.frames() / 50, level.clipped_percent());
        if silent {
            self.tell(now, MediaProblem::CallerSilent, out, || {
                format!("the caller is silent: nothing above {loudest:.0} dBov in {seconds} s")
            });
        }
        if clipped {
            self.tell(now, MediaProblem::Clipping, out, || {
                format!("the caller is overdriven: {percent} % of the loud frames are clipped")
            });
        }
    }

    fn look_at_packets(&mut self, now: Moment, leg: &mut Leg, out: &mut Outbox) {
        let (signalled, agreed) = (leg.session().remote_rtp, leg.session().payload_type);
        let (ignored, silent) = (*leg.ignored(), leg.silent_for(now));
        if let (Some(from), Some(to)) = (leg.take_moved_from(), leg.learned_source()) {
            self.tell(now, MediaProblem::SourceMoved, out, || format!("RTP moved from {from} to {to}"));
        }
        let ours = leg.learned_source().unwrap_or(signalled);
        // While the call's own source is silent, the other may turn out to be its new address.
        if let Some(foreign) = ignored.foreign_source.filter(|_| silent < EVERY && ignored.foreign >= FOREIGN_PACKETS) {
            self.tell(now, MediaProblem::ForeignSource, out, || {
                format!("RTP came from {foreign}, not from {ours}; ignored")
            });
        }
        if ignored.payload >= OTHER_PAYLOAD {
            let came = ignored.payload_type;
            self.tell(now, MediaProblem::PayloadType, out, || format!("payload type {came} instead of {agreed}"));
            return;
        }
        let unauthentic = leg.unauthentic_in_a_row();
        if unauthentic >= UNAUTHENTIC_PACKETS {
            self.tell(now, MediaProblem::SrtpKeys, out, || {
                format!("SRTP keys do not match: none of the last {unauthentic} packets can be authenticated")
            });
            return;
        }
        if leg.session().on_hold() || silent < NO_PACKETS {
            return;
        }
        if leg.packets_received() == 0 {
            self.tell(now, MediaProblem::NoRtp, out, || format!("no RTP from {signalled}"));
        } else {
            let why = if leg.reports().said_bye { ": it said goodbye (RTCP BYE)" } else { "" };
            self.tell(now, MediaProblem::RtpStopped, out, || format!("RTP from {ours} stopped{why}"));
        }
    }

    fn look_at_reports(&mut self, now: Moment, leg: &Leg, out: &mut Outbox) {
        let (reports, sent) = (leg.reports(), leg.packets_sent());
        let needed = if reports.highest.is_some() { DEAF_REPORTS } else { UNMENTIONED_REPORTS };
        if reports.deaf >= needed && now.since(reports.deaf_since) >= DEAF_FOR {
            self.tell(now, MediaProblem::NotReceived, out, || {
                format!("our packets do not arrive: {sent} sent, none of late in the other side's reports")
            });
        }
    }

    /// Tells a problem, once.
    fn tell(&mut self, now: Moment, problem: MediaProblem, out: &mut Outbox, detail: impl FnOnce() -> String) {
        let bit = 1 << problem as u16;
        if self.told & bit == 0 {
            self.told |= bit;
            out.event(now, EventKind::MediaProblem { problem, detail: detail() });
        }
    }
}
