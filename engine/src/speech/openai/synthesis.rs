//! Text to speech: raw PCM, passed on as its bytes come.
//! Resampling and law encoding happen on the way to the call, not here.

use std::sync::Arc;
use std::time::Duration;

use async_openai::config::Config;
use async_openai::middleware::HttpRequestFactory;
use bytes::Bytes;
use edge_protocol::SpeechStage;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::speech::{SpeechError, Synthesizer, VoiceStream};

use super::{Failure, OpenAiClient, Shared};
use crate::speech::http::excerpt;

/// A voice under way.
struct Voice {
    shared: Arc<Shared>,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    /// By when the next bytes must be there, and how long that wait is.
    deadline: Instant,
    patience: Duration,
    any_audio: bool,
}

// === impl OpenAiClient ===

impl Synthesizer for OpenAiClient {
    fn speak(&self, voice: Option<Arc<str>>, text: String) -> BoxFuture<'static, Result<VoiceStream, SpeechError>> {
        let shared = self.shared.clone();
        let voice = voice.unwrap_or_else(|| Arc::clone(&self.voice));
        async move {
            let patience = shared.config.timeouts.first_audio;
            let deadline = Instant::now() + patience;
            let opened =
                timeout_at(deadline, open(&shared, &voice, &text)).await.unwrap_or(Err(Failure::TimedOut(patience)));
            let response = opened.map_err(|failure| shared.error(SpeechStage::Synthesis, failure))?;
            let sample_rate_hz = shared.config.speech_rate_hz;
            let voice = Voice { shared, body: response.bytes_stream().boxed(), deadline, patience, any_audio: false };
            // `None` as state ends the stream after an error.
            let chunks = stream::unfold(Some(voice), |voice| async move {
                let mut voice = voice?;
                match voice.next().await? {
                    Ok(bytes) => Some((Ok(bytes), Some(voice))),
                    Err(failure) => Some((Err(voice.shared.error(SpeechStage::Synthesis, failure)), None)),
                }
            });
            Ok(VoiceStream { sample_rate_hz, pcm: chunks.boxed() })
        }
        .boxed()
    }
}

/// Sent through reqwest directly: async-openai 0.43 either collects the whole audio before it returns or streams
/// base64 in server-sent events, which `tts-1` and most compatible servers do not offer.
async fn open(shared: &Shared, voice: &str, text: &str) -> Result<Response, Failure> {
    let url = shared.endpoint.url("/audio/speech");
    let headers = shared.endpoint.headers();
    let body = json!({
        "model": shared.config.speech_model,
        "voice": voice,
        "input": text,
        "response_format": "pcm",
    });
    let http = shared.service.http().clone();
    let request = HttpRequestFactory::new(move || {
        let request = http.post(&url).headers(headers.clone()).json(&body).build();
        async move { Ok(request?) }
    });
    let response = shared.service.clone().send(request).await?;
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/json") || content_type.starts_with("text/") {
        let content_type = content_type.to_owned();
        let body = response.text().await.unwrap_or_default();
        return Err(Failure::Malformed(format!("{content_type} instead of audio: {:?}", excerpt(&body))));
    }
    Ok(response)
}

// === impl Voice ===

impl Voice {
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            match timeout_at(self.deadline, self.body.next()).await {
                Err(_) => return Some(Err(Failure::TimedOut(self.patience))),
                Ok(Some(Ok(bytes))) if bytes.is_empty() => {}
                Ok(Some(Ok(bytes))) => {
                    self.any_audio = true;
                    self.patience = self.shared.config.timeouts.audio_gap;
                    self.deadline = Instant::now() + self.patience;
                    return Some(Ok(bytes));
                }
                Ok(Some(Err(error))) => return Some(Err(Failure::from(&error))),
                Ok(None) if self.any_audio => return None,
                Ok(None) => return Some(Err(Failure::Malformed("an answer without audio".to_owned()))),
            }
        }
    }
}
