//! The line to the other side: an RTP leg, or a leg of frames. The call asks both the same questions.
//! What is different about them (packets, reports, offers) the call asks the one it concerns.

use std::time::Duration;

use edge_protocol::MediaQuality;

use super::frame_leg::FrameLeg;
use super::leg::{Key, Leg};
use crate::audio::FRAME_SAMPLES;
use crate::clock::Moment;

#[expect(clippy::large_enum_variant, reason = "one a call, inside a box; the larger one is the one of most calls")]
pub(super) enum Line {
    Rtp(Leg),
    Frames(FrameLeg),
}

// === impl Line ===

impl Line {
    pub fn rtp(&self) -> Option<&Leg> {
        match self {
            Self::Rtp(leg) => Some(leg),
            Self::Frames(_) => None,
        }
    }

    pub fn rtp_mut(&mut self) -> Option<&mut Leg> {
        match self {
            Self::Rtp(leg) => Some(leg),
            Self::Frames(_) => None,
        }
    }

    pub fn frames(&self) -> Option<&FrameLeg> {
        match self {
            Self::Rtp(_) => None,
            Self::Frames(leg) => Some(leg),
        }
    }

    pub fn frames_mut(&mut self) -> Option<&mut FrameLeg> {
        match self {
            Self::Rtp(_) => None,
            Self::Frames(leg) => Some(leg),
        }
    }

    /// Audio does not flow both ways, on purpose or for want of keys.
    pub fn on_hold(&self) -> bool {
        self.rtp().is_some_and(|leg| leg.session().on_hold() || !leg.is_ready())
    }

    /// No audio flows, either way.
    pub fn rests(&self) -> bool {
        self.rtp().is_some_and(|leg| !leg.session().sends && !leg.session().receives && leg.is_ready())
    }

    /// A key that was pressed and whose end was lost.
    pub fn key_released(&mut self) -> Option<Key> {
        self.rtp_mut()?.key_released()
    }

    /// The next 20 ms of the other side's audio.
    pub fn next_frame(&mut self, now: Moment, out: &mut [i16; FRAME_SAMPLES]) {
        match self {
            Self::Rtp(leg) => {
                leg.next_frame(now, out);
            }
            Self::Frames(leg) => leg.next_frame(out),
        }
    }

    /// Time since the other side was heard of.
    pub fn silent_for(&self, now: Moment) -> Duration {
        match self {
            Self::Rtp(leg) => leg.silent_for(now),
            Self::Frames(leg) => leg.silent_for(now),
        }
    }

    /// How long the other side's audio lies here before it is played.
    pub fn playout_delay(&self) -> Duration {
        match self {
            Self::Rtp(leg) => leg.playout_delay(),
            Self::Frames(leg) => leg.playout_delay(),
        }
    }

    /// How much of what was sent the other side has not played yet, as far as it tells.
    pub fn unplayed(&self, now: Moment) -> Duration {
        self.frames().map_or(Duration::ZERO, |leg| leg.unplayed(now))
    }

    pub fn quality(&self) -> MediaQuality {
        match self {
            Self::Rtp(leg) => leg.quality(),
            Self::Frames(leg) => leg.quality(),
        }
    }
}
