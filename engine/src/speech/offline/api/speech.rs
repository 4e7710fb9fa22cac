//! `POST /v1/audio/speech`: a text, spoken, as PCM or WAV in pieces.
//! Speaking is `flite`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde::Deserialize;

use super::{ApiError, Speech};
use crate::speech::offline::flite::{MAX_CHARACTERS, SAMPLE_RATE_HZ};
use crate::speech::offline::sound::wav_header;
use crate::speech::offline::voices::Voice;

/// 100 ms at 24 kHz.
const PIECE_BYTES: usize = 4800;

#[derive(Deserialize)]
pub struct Request {
    #[expect(dead_code, reason = "required by the API, but there is one model only")]
    model: String,
    input: String,
    voice: String,
    #[serde(default)]
    response_format: Option<String>,
    #[serde(default)]
    speed: Option<f32>,
}

pub async fn create(
    State(speech): State<Arc<Speech>>,
    request: Result<Json<Request>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(request) = request?;
    let voice = Voice::named(&request.voice).ok_or_else(|| {
        ApiError::invalid("voice", format!("no voice \"{}\"; there are {}", request.voice, Voice::names()))
    })?;
    let header = match request.response_format.as_deref() {
        Some("pcm") => None,
        Some("wav") => Some(wav_header),
        other => {
            let found = other.unwrap_or("mp3, the default");
            return Err(ApiError::invalid(
                "response_format",
                format!("response_format is pcm or wav here, not {found}"),
            ));
        }
    };
    let speed = request.speed.unwrap_or(1.0);
    if !(0.25..=4.0).contains(&speed) {
        return Err(ApiError::invalid("speed", format!("speed is from 0.25 to 4.0, not {speed}")));
    }
    let input = request.input.trim();
    if input.is_empty() || input.chars().count() > MAX_CHARACTERS {
        return Err(ApiError::invalid("input", format!("input has 1 to {MAX_CHARACTERS} characters")));
    }
    let pcm = speech.flite.speak(voice, input, speed).await?;
    let content_type = if header.is_some() { "audio/wav" } else { "audio/pcm" };
    let header = header.map(|header| Bytes::copy_from_slice(&header(pcm.len(), SAMPLE_RATE_HZ)));
    let pieces = stream::iter(header.into_iter().chain(pieces(pcm)).map(Ok::<_, std::convert::Infallible>));
    Ok(([(header::CONTENT_TYPE, content_type)], Body::from_stream(pieces)).into_response())
}

fn pieces(mut pcm: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let size = pcm.len().min(PIECE_BYTES);
        (size > 0).then(|| pcm.split_to(size))
    })
}
