//! flite as a voice: one short-lived process an utterance, its text in a file, its audio kept for the next time.
//! Which voices there are is `voices`; HTTP is `api`.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::sound::{SoundError, resample, wav_samples};
use super::voice_cache::VoiceCache;
use super::voices::Voice;

/// What [`Flite::speak`] gives, as OpenAI's `pcm` format has it.
pub const SAMPLE_RATE_HZ: u32 = 24_000;

/// OpenAI's own limit on `input`.
pub const MAX_CHARACTERS: usize = 4096;

/// A minute of speech takes flite about a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Utterances that may wait for a process; more are refused.
const MAX_WAITING: usize = 256;

/// Audio kept: ten minutes.
const CACHE_BYTES: usize = 10 * 60 * 2 * SAMPLE_RATE_HZ as usize;

#[derive(Debug, Error)]
pub enum FliteError {
    #[error("cannot start {program}: {reason}; install the Debian package flite")]
    Missing { program: String, reason: std::io::Error },
    #[error("flite did not finish within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("flite failed ({status}): {message}")]
    Failed { status: String, message: String },
    #[error("flite's audio: {0}")]
    Audio(#[from] SoundError),
    #[error("a file for flite: {0}")]
    File(std::io::Error),
    #[error("{MAX_WAITING} utterances are waiting already")]
    Busy,
}

/// Speaks, a few utterances at a time.
#[derive(Clone)]
pub struct Flite {
    program: Arc<str>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    cache: Arc<VoiceCache>,
}

impl Flite {
    /// `program` is flite, by its name or path; `at_once` how many of it may run side by side.
    pub fn new(program: &str, at_once: usize) -> Self {
        Self {
            program: program.into(),
            running: Arc::new(Semaphore::new(at_once)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            cache: Arc::new(VoiceCache::new(CACHE_BYTES)),
        }
    }

    /// Fails if flite cannot be started.
    pub async fn check(&self) -> Result<(), FliteError> {
        self.phones("hello").await.map(drop)
    }

    /// 16-bit little-endian mono PCM at [`SAMPLE_RATE_HZ`]. `speed` 1.0 is the voice's own pace.
    pub async fn speak(&self, voice: Voice, text: &str, speed: f32) -> Result<Bytes, FliteError> {
        let key = (voice, speed.to_bits(), text.to_owned());
        if let Some(pcm) = self.cache.get(&key) {
            return Ok(pcm);
        }
        let _place = self.waiting.try_acquire().map_err(|_| FliteError::Busy)?;
        let _turn = self.running.acquire().await.map_err(|_| FliteError::Busy)?;
        let directory = tempfile::tempdir().map_err(FliteError::File)?;
        let (input, output) = (directory.path().join("text"), directory.path().join("speech.wav"));
        tokio::fs::write(&input, one_line(text)).await.map_err(FliteError::File)?;
        let mut command = Command::new(&*self.program);
        command.args(["-voice", voice.flite_name(), "--setf", &format!("duration_stretch={}", 1.0 / speed)]);
        command.arg("-f").arg(&input).arg("-o").arg(&output);
        run(command).await?;
        let wav = tokio::fs::read(&output).await.map_err(FliteError::File)?;
        let (samples, rate_hz) = wav_samples(&wav)?;
        let samples = without_first_pause(&samples, rate_hz);
        let pcm: Bytes = resample(samples, rate_hz, SAMPLE_RATE_HZ).iter().flat_map(|s| s.to_le_bytes()).collect();
        self.cache.put(key, pcm.clone());
        Ok(pcm)
    }

    /// The phones that flite would speak, such as `pau hh ax l ow pau`.
    pub async fn phones(&self, word: &str) -> Result<String, FliteError> {
        let _turn = self.running.acquire().await.map_err(|_| FliteError::Busy)?;
        let directory = tempfile::tempdir().map_err(FliteError::File)?;
        let input = directory.path().join("text");
        tokio::fs::write(&input, one_line(word)).await.map_err(FliteError::File)?;
        let mut command = Command::new(&*self.program);
        command.args(["-voice", "kal16", "-ps", "-o", "none", "-f"]).arg(&input);
        run(command).await
    }
}

/// flite begins with some 200 ms of silence, which on the telephone is only waiting; 60 ms of it are kept,
/// so that a soft beginning stays whole.
fn without_first_pause(samples: &[i16], rate_hz: u32) -> &[i16] {
    const AUDIBLE: u16 = 200;
    let begins = samples.iter().position(|s| s.unsigned_abs() > AUDIBLE).unwrap_or(0);
    let kept = usize::try_from(rate_hz * 3 / 50).unwrap_or(0);
    samples.get(begins.saturating_sub(kept)..).unwrap_or(samples)
}

/// Ends with a newline, or flite takes the last word for unfinished; holds no control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).chain(['\n']).collect()
}

/// Runs to the end, or kills. Gives what was printed.
async fn run(mut command: Command) -> Result<String, FliteError> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(|reason| FliteError::Missing { program: program.clone(), reason })?;
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .map_err(|_| FliteError::TimedOut)?
        .map_err(FliteError::File)?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).chars().take(200).collect();
        return Err(FliteError::Failed { status: output.status.to_string(), message });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests;
