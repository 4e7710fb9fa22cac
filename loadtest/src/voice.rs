//! The caller's voice: text spoken by flite, or a WAV file, as 20 ms frames ready to be sent.
//! Made before the call; nothing here runs while packets are being sent.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use engine::audio::FRAME_SAMPLES;
use thiserror::Error;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::measure::level;
use crate::wav::{self, WavError};

/// Something to say: whole frames of 8 kHz samples without the silence around them, so that "the last frame
/// sent" is the last one spoken.
#[derive(Debug, Clone)]
pub struct Utterance {
    samples: Arc<[i16]>,
}

#[derive(Debug, Error)]
pub enum VoiceError {
    #[error("cannot start flite (Debian package `flite`): {0}")]
    NoFlite(std::io::Error),
    #[error("flite cannot say {text:?} with voice {voice}: {reason}")]
    Refused { text: String, voice: String, reason: String },
    #[error("flite has no voice {voice:?}, only {}", .installed.join(", "))]
    NoVoice { voice: String, installed: Vec<String> },
    #[error("there is nothing to be heard in {0}")]
    Silent(String),
    #[error(transparent)]
    Wav(#[from] WavError),
    #[error("no place for flite's output: {0}")]
    Scratch(std::io::Error),
}

/// Consonants at either end of an utterance are far quieter than vowels (the "th" of "thank", the "x" of "six"):
/// as loud as this and as close to voice, they are speech.
const CONSONANT_DBOV: f32 = -65.0;
const CONSONANT_FRAMES: usize = 8;

/// flite takes a tenth of a second for a sentence; this much means that it hangs.
const FLITE_LIMIT: Duration = Duration::from_secs(20);

/// flite's voices, asked for once.
static INSTALLED: OnceCell<Vec<String>> = OnceCell::const_new();

// === impl Utterance ===

impl Utterance {
    /// Speaks `text` with a flite voice (`rms`, `kal16`, …).
    pub async fn spoken(text: &str, voice: &str) -> Result<Self, VoiceError> {
        let installed = INSTALLED.get_or_try_init(installed_voices).await?;
        if !installed.iter().any(|name| name == voice) {
            return Err(VoiceError::NoVoice { voice: voice.to_owned(), installed: installed.clone() });
        }
        let refused = |reason: String| VoiceError::Refused { text: text.to_owned(), voice: voice.to_owned(), reason };
        let file = tempfile::Builder::new().suffix(".wav").tempfile().map_err(VoiceError::Scratch)?;
        let run = Command::new("flite")
            .args(["-voice", voice, "-t", text, "-o"])
            .arg(file.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = match tokio::time::timeout(FLITE_LIMIT, run).await {
            Ok(output) => output.map_err(VoiceError::NoFlite)?,
            Err(_) => return Err(refused(format!("no result within {} s", FLITE_LIMIT.as_secs()))),
        };
        if !output.status.success() {
            return Err(refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Self::from_samples(&wav::read(file.path(), 0)?, text)
    }

    /// Plays a recording: the first channel of a WAV file.
    pub fn recorded(path: &Path) -> Result<Self, VoiceError> {
        Self::from_samples(&wav::read(path, 0)?, &path.display().to_string())
    }

    /// Takes 8 kHz samples, cut to whole frames of speech at both ends; `name` is for the error.
    pub fn from_samples(samples: &[i16], name: &str) -> Result<Self, VoiceError> {
        let mut frames: Vec<[i16; FRAME_SAMPLES]> = Vec::with_capacity(samples.len() / FRAME_SAMPLES + 1);
        for chunk in samples.chunks(FRAME_SAMPLES) {
            let mut frame = [0; FRAME_SAMPLES];
            frame.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            frames.push(frame);
        }
        let first = frames.iter().position(|frame| level::is_voiced(frame));
        let last = frames.iter().rposition(|frame| level::is_voiced(frame));
        let is_consonant = |frame: &&[i16; FRAME_SAMPLES]| level::level_dbov(*frame) > CONSONANT_DBOV;
        let speech = first.zip(last).and_then(|(first, last)| {
            let before = frames.iter().take(first).rev().take(CONSONANT_FRAMES).take_while(is_consonant).count();
            let after = frames.iter().skip(last + 1).take(CONSONANT_FRAMES).take_while(is_consonant).count();
            frames.get(first - before..=last + after)
        });
        match speech {
            Some(speech) => Ok(Self { samples: speech.concat().into() }),
            None => Err(VoiceError::Silent(name.to_owned())),
        }
    }

    /// Takes 8 kHz samples as they are, silence and all; what does not fill a last frame is silence.
    pub fn whole(samples: &[i16]) -> Self {
        let missing = samples.len().next_multiple_of(FRAME_SAMPLES) - samples.len();
        Self { samples: samples.iter().copied().chain(std::iter::repeat_n(0, missing)).collect() }
    }

    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Frame `n` of 160 samples, while there is one.
    pub fn frame(&self, n: usize) -> Option<&[i16]> {
        self.samples.chunks_exact(FRAME_SAMPLES).nth(n)
    }

    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.samples.len() as u64 / 8)
    }
}

/// The answer to `flite -lv`: `Voices available: kal awb_time kal16 …`. With a name it does not know,
/// flite takes another voice and says nothing about it.
async fn installed_voices() -> Result<Vec<String>, VoiceError> {
    let output = Command::new("flite").arg("-lv").stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = String::from_utf8_lossy(&output.map_err(VoiceError::NoFlite)?.stdout).into_owned();
    let names = output.split_once(':').map_or("", |(_, names)| names);
    Ok(names.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
