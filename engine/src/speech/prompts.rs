//! The agents' fixed texts as audio: synthesised once, kept in memory, with a recorded apology for the worst case.
//! Which text is said when is the conversation's business.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use super::kept_voice::{KeptVoice, Line};
use super::ports::{SpeechError, Synthesizer, VoiceStream};
use super::route::{Route, Served};
use super::voice::VoiceEncoder;
use crate::audio::g711::Law;

/// Said when nothing else can be; recorded, so that it needs no provider.
pub const APOLOGY: &str = "Sorry, something went wrong on our side. Please try again.";

/// `APOLOGY`, µ-law, 8 kHz.
const APOLOGY_AUDIO: &[u8] = include_bytes!("../../assets/apology.ulaw");

/// Longest a caller waits for a fixed text that is not kept yet; then the apology is played.
const PATIENCE: Duration = Duration::from_secs(3);

/// The same, when synthesis has just failed, or the text is urgent: the caller has waited already.
const LITTLE_PATIENCE: Duration = Duration::from_millis(300);

/// Pause between attempts to synthesise the fixed texts ahead of the first call.
const WARM_RETRY: Duration = Duration::from_secs(2);

/// A fixed text as one caller hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// `None`: the node's voice.
    pub voice: Option<Arc<str>>,
    pub text: String,
    pub law: Law,
}

/// A fixed text as it is heard.
#[derive(Debug)]
pub struct Said {
    /// The text wanted, or the apology's.
    pub text: String,
    pub audio: Bytes,
    pub by: By,
}

/// Where the audio of a fixed text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// It was spoken before.
    Kept,
    /// The place in the order of who has just spoken it.
    Provider(usize),
    /// It is the recorded apology.
    Nobody,
}

/// Says fixed texts.
#[derive(Debug)]
pub struct Prompts {
    kept: Arc<KeptVoice>,
}

// === impl Prompts ===

impl Prompts {
    pub fn new(kept: Arc<KeptVoice>) -> Self {
        Self { kept }
    }

    /// A fixed text's audio, and the text it is: the apology's if the provider fails or is slow.
    pub async fn audio(&self, prompt: &Prompt, urgent: bool, synthesizer: &Route<dyn Synthesizer>) -> Said {
        let text = prompt.text.as_str();
        let patience = if synthesizer.is_well() && !urgent { PATIENCE } else { LITTLE_PATIENCE };
        match tokio::time::timeout(patience, self.get_or_synthesize(prompt, synthesizer)).await {
            Ok(Ok((audio, by))) => return Said { text: text.to_owned(), audio, by },
            Ok(Err(error)) => {
                tracing::warn!(%error, text, "cannot speak a fixed text; the recorded apology is played instead");
            }
            Err(_) => tracing::warn!(text, "a fixed text takes too long; the recorded apology is played instead"),
        }
        Said { text: APOLOGY.to_owned(), audio: apology(prompt.law), by: By::Nobody }
    }

    /// Whether the text is kept, as it is to be heard.
    pub fn have(&self, prompt: &Prompt, synthesizer: &Route<dyn Synthesizer>) -> bool {
        self.kept.get(&line(prompt, synthesizer)).is_some()
    }

    /// Has a text kept for when nobody can speak it.
    pub async fn prepare(&self, prompt: &Prompt, synthesizer: &Route<dyn Synthesizer>) -> By {
        match self.get_or_synthesize(prompt, synthesizer).await {
            Ok((_, by)) => by,
            Err(error) => {
                tracing::warn!(%error, text = prompt.text, "cannot synthesise a fixed text ahead");
                By::Nobody
            }
        }
    }

    /// Synthesises `texts` in the node's voice ahead of the first call; goes on trying while the provider is away.
    pub async fn warm(&self, texts: &[String], synthesizer: &Route<dyn Synthesizer>) {
        for text in texts.iter().filter(|t| !t.is_empty()) {
            for law in [Law::Mu, Law::A] {
                let prompt = Prompt { voice: None, text: text.clone(), law };
                while let Err(error) = self.get_or_synthesize(&prompt, synthesizer).await {
                    tracing::warn!(%error, text, "cannot synthesise a fixed text yet");
                    tokio::time::sleep(WARM_RETRY).await;
                }
            }
        }
    }

    async fn get_or_synthesize(
        &self,
        prompt: &Prompt,
        synthesizer: &Route<dyn Synthesizer>,
    ) -> Result<(Bytes, By), SpeechError> {
        let line = line(prompt, synthesizer);
        if let Some(audio) = self.kept.get(&line) {
            return Ok((audio, By::Kept));
        }
        let Served { by, what } = synthesize(prompt, synthesizer).await?;
        // Another voice than the agent's own is for when there is no other.
        if by == 0 {
            self.kept.put(line, what.clone());
        }
        Ok((what, By::Provider(by)))
    }
}

/// In the voice of who is asked first.
fn line(prompt: &Prompt, synthesizer: &Route<dyn Synthesizer>) -> Line {
    Line::new(synthesizer.name(0), prompt.voice.clone(), prompt.law, &prompt.text)
}

async fn synthesize(prompt: &Prompt, synthesizer: &Route<dyn Synthesizer>) -> Result<Served<Bytes>, SpeechError> {
    let Served { by, what } = synthesizer.speak(prompt.voice.clone(), prompt.text.clone()).await?;
    let VoiceStream { sample_rate_hz, mut pcm } = what;
    let mut encoder = VoiceEncoder::new(sample_rate_hz, prompt.law)?;
    let mut audio = BytesMut::new();
    while let Some(pcm) = pcm.try_next().await? {
        audio.extend_from_slice(&encoder.push(&pcm));
    }
    audio.extend_from_slice(&encoder.finish());
    Ok(Served { by, what: audio.freeze() })
}

fn apology(law: Law) -> Bytes {
    match law {
        Law::Mu => Bytes::from_static(APOLOGY_AUDIO),
        Law::A => APOLOGY_AUDIO.iter().map(|&byte| law.encode(Law::Mu.decode(byte))).collect(),
    }
}

#[cfg(test)]
mod tests;
