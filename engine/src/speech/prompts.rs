//! The agent's fixed texts as audio: synthesised once, kept in memory, with a recorded apology for the worst case.
//! Which text is said when is the conversation's business.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;

use super::ports::{SpeechError, Synthesizer};
use super::voice::VoiceEncoder;
use crate::audio::g711::Law;

/// Said when nothing else can be; recorded, so that it needs no provider.
pub const APOLOGY: &str = "Sorry, something went wrong on our side. Please try again.";

/// `APOLOGY`, µ-law, 8 kHz.
const APOLOGY_AUDIO: &[u8] = include_bytes!("../../assets/apology.ulaw");

/// Most fixed texts kept; agents have a handful each.
const MOST_KEPT: usize = 1024;

/// Longest a caller waits for a fixed text that is not kept yet; then the apology is played.
const PATIENCE: Duration = Duration::from_secs(3);

/// Pause between attempts to synthesise the fixed texts ahead of the first call.
const WARM_RETRY: Duration = Duration::from_secs(2);

/// Fixed texts and their audio.
#[derive(Debug, Default)]
pub struct Prompts {
    kept: Mutex<HashMap<(Law, String), Bytes>>,
}

// === impl Prompts ===

impl Prompts {
    /// A fixed text's audio, and the text it is: the apology's if the provider fails or is slow.
    pub async fn audio(&self, text: &str, law: Law, synthesizer: &dyn Synthesizer) -> (String, Bytes) {
        match tokio::time::timeout(PATIENCE, self.get_or_synthesize(text, law, synthesizer)).await {
            Ok(Ok(audio)) => return (text.to_owned(), audio),
            Ok(Err(error)) => {
                tracing::warn!(%error, text, "cannot speak a fixed text; the recorded apology is played instead");
            }
            Err(_) => tracing::warn!(text, "a fixed text takes too long; the recorded apology is played instead"),
        }
        (APOLOGY.to_owned(), apology(law))
    }

    /// Synthesises `texts` ahead of the first call; goes on trying while the provider is away.
    pub async fn warm(&self, texts: &[String], synthesizer: &dyn Synthesizer) {
        for text in texts.iter().filter(|t| !t.is_empty()) {
            for law in [Law::Mu, Law::A] {
                while let Err(error) = self.get_or_synthesize(text, law, synthesizer).await {
                    tracing::warn!(%error, text, "cannot synthesise a fixed text yet");
                    tokio::time::sleep(WARM_RETRY).await;
                }
            }
        }
    }

    async fn get_or_synthesize(
        &self,
        text: &str,
        law: Law,
        synthesizer: &dyn Synthesizer,
    ) -> Result<Bytes, SpeechError> {
        let place = (law, text.to_owned());
        if let Some(audio) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(audio.clone());
        }
        let audio = synthesize(text, law, synthesizer).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_KEPT {
            kept.insert(place, audio.clone());
        }
        Ok(audio)
    }
}

async fn synthesize(text: &str, law: Law, synthesizer: &dyn Synthesizer) -> Result<Bytes, SpeechError> {
    let mut voice = synthesizer.speak(text.to_owned()).await?;
    let mut encoder = VoiceEncoder::new(synthesizer.sample_rate_hz(), law)?;
    let mut audio = BytesMut::new();
    while let Some(pcm) = voice.try_next().await? {
        audio.extend_from_slice(&encoder.push(&pcm));
    }
    audio.extend_from_slice(&encoder.finish());
    Ok(audio.freeze())
}

fn apology(law: Law) -> Bytes {
    match law {
        Law::Mu => Bytes::from_static(APOLOGY_AUDIO),
        Law::A => APOLOGY_AUDIO.iter().map(|&byte| law.encode(Law::Mu.decode(byte))).collect(),
    }
}
