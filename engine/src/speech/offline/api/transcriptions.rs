//! `POST /v1/audio/transcriptions`: a WAV file in a form, its words as JSON or text.
//! Hearing is `ears`.

use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use super::{ApiError, Speech};
use crate::speech::offline::sound::wav_samples;

pub async fn create(
    State(speech): State<Arc<Speech>>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, ApiError> {
    let form = form.map_err(|e| ApiError::invalid("file", e.body_text()))?;
    let form = Form::read(form).await?;
    let wav = form.file.ok_or_else(|| ApiError::invalid("file", "you must provide the form field file, a WAV file"))?;
    if form.model.is_none() {
        return Err(ApiError::invalid("model", "you must provide the form field model"));
    }
    let (samples, rate_hz) = wav_samples(&wav).map_err(|e| ApiError::invalid("file", e.to_string()))?;
    let seconds = samples.len() as f64 / f64::from(rate_hz);
    let text = speech.ears.hear(samples, rate_hz).await?.into_text();
    Ok(match form.format {
        Format::Text => (text + "\n").into_response(),
        Format::Json => Json(json!({ "text": text })).into_response(),
        Format::VerboseJson => Json(json!({
            "task": "transcribe",
            "language": "english",
            "duration": seconds,
            "text": text,
            "segments": [],
        }))
        .into_response(),
    })
}

/// `response_format`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Text,
    VerboseJson,
}

struct Form {
    file: Option<Bytes>,
    model: Option<String>,
    format: Format,
}

impl Form {
    /// Fields of OpenAI's that change nothing here, such as `language` and `prompt`, are passed over.
    async fn read(mut fields: Multipart) -> Result<Self, ApiError> {
        let mut form = Self { file: None, model: None, format: Format::Json };
        while let Some(field) = fields.next_field().await? {
            match field.name() {
                Some("file") => form.file = Some(field.bytes().await?),
                Some("model") => form.model = Some(field.text().await?),
                Some("response_format") => {
                    form.format = match field.text().await?.as_str() {
                        "json" => Format::Json,
                        "text" => Format::Text,
                        "verbose_json" => Format::VerboseJson,
                        other => {
                            let reason = format!("response_format is json, text or verbose_json, not \"{other}\"");
                            return Err(ApiError::invalid("response_format", reason));
                        }
                    }
                }
                _ => drop(field.bytes().await?),
            }
        }
        Ok(form)
    }
}
