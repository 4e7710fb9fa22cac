//! A share of a load run as it travels: whom to call, how often, and what to say, voices included.
//! Running it is `fleet`.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sip_bridge::sdp::Codec;
use thiserror::Error;

use crate::caller::{Manners, Prepared, Target};
use crate::fleet::Fleet;
use crate::script::Line;
use crate::voice::Utterance;

/// What one worker is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub target: JobTarget,
    pub calls: usize,
    /// New calls a second.
    pub rate: f64,
    pub ramp_ms: u64,
    pub hold_ms: u64,
    pub answer_within_ms: u64,
    /// Media threads.
    pub threads: usize,
    pub lines: Vec<JobLine>,
}

/// Whom to call, see [`Target`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobTarget {
    pub uri: String,
    pub from: String,
    pub via: Option<SocketAddr>,
    pub tcp: bool,
    pub srtp: bool,
    pub headers: Vec<(String, String)>,
    pub codecs: Vec<String>,
    pub patience_ms: u64,
}

/// A line of the script with its voice, so that workers need no speech of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobLine {
    pub title: String,
    /// Samples at 8 kHz, 16 bits each, the low byte first, in base64; `None`: only keys are pressed.
    pub audio: Option<String>,
    pub barge_in_after_ms: Option<u64>,
    pub dtmf: String,
    pub agent_hangs_up: bool,
}

/// Why a job cannot be run.
#[derive(Debug, Error)]
pub enum BadJob {
    #[error("{0:?} is no codec")]
    Codec(String),
    #[error("the audio of {0:?} is not base64 of 16-bit samples")]
    Audio(String),
    #[error("{0} is no number of calls a second")]
    Rate(f64),
    #[error("it has no line to say")]
    NoLine,
}

// === impl Job ===

impl Job {
    pub fn new(fleet: &Fleet, threads: usize) -> Self {
        Self {
            target: JobTarget::from(&fleet.target),
            calls: fleet.calls,
            rate: fleet.rate,
            ramp_ms: fleet.ramp.as_millis() as u64,
            hold_ms: fleet.hold.as_millis() as u64,
            answer_within_ms: fleet.manners.answer_within.as_millis() as u64,
            threads,
            lines: fleet.lines.iter().map(JobLine::from).collect(),
        }
    }

    /// The share of worker `n` of `workers`: the calls are divided, and so is the rate.
    pub fn share(&self, n: usize, workers: usize) -> Self {
        let more = usize::from(n < self.calls % workers.max(1));
        Self { calls: self.calls / workers.max(1) + more, rate: self.rate / workers.max(1) as f64, ..self.clone() }
    }

    /// # Errors
    /// [`BadJob`] names what makes no sense.
    pub fn fleet(self) -> Result<Fleet, BadJob> {
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Err(BadJob::Rate(self.rate));
        }
        if self.lines.is_empty() {
            return Err(BadJob::NoLine);
        }
        Ok(Fleet {
            calls: self.calls,
            rate: self.rate,
            ramp: Duration::from_millis(self.ramp_ms),
            hold: Duration::from_millis(self.hold_ms),
            lines: self.lines.into_iter().map(JobLine::prepared).collect::<Result<_, _>>()?,
            target: self.target.target()?,
            manners: Manners { answer_within: Duration::from_millis(self.answer_within_ms), ..Manners::default() },
        })
    }
}

// === impl JobTarget ===

impl From<&Target> for JobTarget {
    fn from(target: &Target) -> Self {
        Self {
            uri: target.uri.clone(),
            from: target.from.clone(),
            via: target.via,
            tcp: target.tcp,
            srtp: target.srtp,
            headers: target.headers.clone(),
            codecs: target.codecs.iter().map(|codec| codec.name().to_owned()).collect(),
            patience_ms: target.patience.as_millis() as u64,
        }
    }
}

impl JobTarget {
    fn target(self) -> Result<Target, BadJob> {
        let codecs = self.codecs.into_iter().map(|name| name.parse::<Codec>().map_err(|_| BadJob::Codec(name)));
        Ok(Target {
            uri: self.uri,
            from: self.from,
            via: self.via,
            tcp: self.tcp,
            srtp: self.srtp,
            headers: self.headers,
            codecs: codecs.collect::<Result<_, _>>()?,
            patience: Duration::from_millis(self.patience_ms),
            keep_audio: false,
        })
    }
}

// === impl JobLine ===

impl From<&Prepared> for JobLine {
    fn from(prepared: &Prepared) -> Self {
        let bytes = |utterance: &Utterance| -> Vec<u8> {
            utterance.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect()
        };
        Self {
            title: prepared.line.title(),
            audio: prepared.utterance.as_ref().map(|utterance| STANDARD.encode(bytes(utterance))),
            barge_in_after_ms: prepared.line.barge_in_after_ms,
            dtmf: prepared.line.dtmf.clone(),
            agent_hangs_up: prepared.line.agent_hangs_up,
        }
    }
}

impl JobLine {
    fn prepared(self) -> Result<Prepared, BadJob> {
        let utterance = match &self.audio {
            Some(audio) => {
                let bytes = STANDARD.decode(audio).map_err(|_| BadJob::Audio(self.title.clone()))?;
                let (samples, odd) = bytes.as_chunks::<2>();
                if !odd.is_empty() {
                    return Err(BadJob::Audio(self.title));
                }
                let samples: Vec<i16> = samples.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect();
                Some(Utterance::whole(&samples))
            }
            None => None,
        };
        let line = Line {
            say: utterance.is_some().then_some(self.title),
            barge_in_after_ms: self.barge_in_after_ms,
            dtmf: self.dtmf,
            agent_hangs_up: self.agent_hangs_up,
            ..Line::default()
        };
        Ok(Prepared { line, utterance })
    }
}
