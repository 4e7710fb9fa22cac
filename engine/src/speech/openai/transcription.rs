//! Speech to text: one utterance uploaded as a WAV file, one text back.
//! When an utterance begins and ends was decided before.

use async_openai::types::InputSource;
use async_openai::types::audio::{AudioInput, AudioResponseFormat, CreateTranscriptionRequest};
use edge_protocol::SpeechStage;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::time::timeout;

use crate::speech::{SpeechError, Transcriber, hearing_time};

use super::{Failure, OpenAiClient};

const SAMPLE_RATE_HZ: u32 = 8000;
const WAV_HEADER_BYTES: usize = 44;

/// All that is asked of the answer, so that a provider may leave out the rest.
#[derive(Deserialize)]
struct Transcript {
    text: String,
}

// === impl OpenAiClient ===

impl Transcriber for OpenAiClient {
    fn transcribe(&self, pcm: Vec<i16>) -> BoxFuture<'static, Result<String, SpeechError>> {
        let shared = self.shared.clone();
        async move {
            let request = CreateTranscriptionRequest {
                file: AudioInput {
                    source: InputSource::VecU8 { filename: "utterance.wav".to_owned(), vec: wav(&pcm) },
                },
                model: shared.config.transcription_model.clone(),
                language: shared.config.language.clone(),
                response_format: Some(AudioResponseFormat::Json),
                ..Default::default()
            };
            let limit = shared.config.timeouts.transcription + hearing_time(pcm.len());
            let audio = shared.api.audio();
            let transcriptions = audio.transcription();
            let answer = timeout(limit, transcriptions.create_byot::<_, Transcript>(request)).await;
            match answer {
                Ok(Ok(transcript)) => Ok(transcript.text.trim().to_owned()),
                Ok(Err(error)) => Err(shared.error(SpeechStage::Transcription, Failure::from(error))),
                Err(_) => Err(shared.error(SpeechStage::Transcription, Failure::TimedOut(limit))),
            }
        }
        .boxed()
    }
}

/// A WAV file in memory: 8 kHz, mono, 16 bit. Written by hand because it cannot fail, unlike a writer to a stream.
fn wav(pcm: &[i16]) -> Vec<u8> {
    let data_bytes = (pcm.len() * 2) as u32;
    let mut file = Vec::with_capacity(WAV_HEADER_BYTES + pcm.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(data_bytes + WAV_HEADER_BYTES as u32 - 8).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16u32.to_le_bytes());
    file.extend_from_slice(&1u16.to_le_bytes()); // PCM
    file.extend_from_slice(&1u16.to_le_bytes()); // channels
    file.extend_from_slice(&SAMPLE_RATE_HZ.to_le_bytes());
    file.extend_from_slice(&(SAMPLE_RATE_HZ * 2).to_le_bytes()); // bytes a second
    file.extend_from_slice(&2u16.to_le_bytes()); // bytes a sample
    file.extend_from_slice(&16u16.to_le_bytes()); // bits a sample
    file.extend_from_slice(b"data");
    file.extend_from_slice(&data_bytes.to_le_bytes());
    file.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}
