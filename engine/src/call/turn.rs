//! One turn of the conversation: the caller's words, where its answer stands, and where its time went.
//! Nothing here decides; the conversation does.

use edge_protocol::TurnLatency;

use super::conversation::Errand;
use super::listener::CallerTurn;
use super::speech_link::{HearingId, TurnId, UtteranceId};
use crate::clock::Moment;

/// A caller's turn from its end to the end of its answer.
#[derive(Debug)]
pub struct Turn {
    pub id: TurnId,
    /// The transcript asked for; 0 for a turn made of pressed keys.
    pub hearing: HearingId,
    /// What was heard; `None` for a turn made of pressed keys.
    pub heard: Option<CallerTurn>,
    /// What the caller said, once it is known.
    pub text: String,
    /// The answer, once it was asked for.
    pub answer: Option<UtteranceId>,
    /// The turn cut the agent off.
    pub barged_in: bool,
    /// The caller's line stands in the history.
    pub in_history: bool,
    /// Tools the answer called.
    pub errand: Errand,
    pub times: TurnTimes,
}

/// The moments of a turn's stages.
#[derive(Debug, Clone, Copy)]
pub struct TurnTimes {
    /// The last voiced packet (or key) arrived.
    pub last_voiced: Moment,
    /// The turn was taken as ended.
    pub ended: Moment,
    pub transcribed: Option<Moment>,
    pub first_token: Option<Moment>,
    /// The first synthesised audio arrived.
    pub first_audio: Option<Moment>,
    /// The first packet of the answer was sent.
    pub first_packet: Option<Moment>,
}

// === impl TurnTimes ===

impl TurnTimes {
    pub fn new(last_voiced: Moment, ended: Moment) -> Self {
        Self { last_voiced, ended, transcribed: None, first_token: None, first_audio: None, first_packet: None }
    }

    /// The split; a stage that was never reached, or was over before the turn had ended, counts zero.
    pub fn latency(&self) -> TurnLatency {
        let after = |stage: Option<Moment>, before: Moment| stage.unwrap_or(before).max(before);
        let transcribed = after(self.transcribed, self.ended);
        let first_token = after(self.first_token, transcribed);
        let first_audio = after(self.first_audio, first_token);
        let first_packet = after(self.first_packet, first_audio);
        TurnLatency {
            endpointing_ms: ms(self.last_voiced, self.ended),
            transcription_ms: ms(self.ended, transcribed),
            first_token_ms: ms(transcribed, first_token),
            first_audio_ms: ms(first_token, first_audio),
            playout_ms: ms(first_audio, first_packet),
            caller_heard_ms: self.first_packet.map_or(0, |at| ms(self.last_voiced, at)),
        }
    }
}

fn ms(from: Moment, to: Moment) -> u32 {
    u32::try_from(to.millis_since(from)).unwrap_or(u32::MAX)
}
