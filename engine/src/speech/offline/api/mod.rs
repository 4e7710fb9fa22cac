//! The HTTP face of the offline speech: OpenAI's routes, limits and error shape.
//! Each endpoint has its own file; what they call is beside this folder.

mod chat;
mod error;
mod speech;
mod transcriptions;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::Uri;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::ears::Ears;
use super::flite::Flite;
use super::script::ScriptedAgent;
use error::ApiError;

/// A minute of 24 kHz WAV, and the form around it.
const MAX_AUDIO_BYTES: usize = 60 * 48_000 + 16_384;
/// A long conversation, as JSON.
const MAX_JSON_BYTES: usize = 1024 * 1024;

/// The model that each endpoint says it is. Any name is accepted in requests.
const MODELS: [&str; 3] = ["pocketsphinx", "script", "flite"];

/// What all endpoints share.
pub struct Speech {
    pub ears: Ears,
    pub flite: Flite,
    pub agent: ScriptedAgent,
}

pub fn router(speech: Arc<Speech>) -> Router {
    let audio = post(transcriptions::create).layer(DefaultBodyLimit::max(MAX_AUDIO_BYTES));
    Router::new()
        .route("/v1/chat/completions", post(chat::create))
        .route("/v1/audio/speech", post(speech::create))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .route("/v1/audio/transcriptions", audio)
        .route("/v1/models", get(models))
        .route("/health", get(health))
        .fallback(unknown_url)
        .method_not_allowed_fallback(unknown_method)
        .with_state(speech)
}

async fn health(State(speech): State<Arc<Speech>>) -> Json<Value> {
    Json(json!({ "status": "ok", "agent": speech.agent.file().name }))
}

async fn models() -> Json<Value> {
    let models = MODELS.map(|id| json!({ "id": id, "object": "model", "created": 0, "owned_by": "offline" }));
    Json(json!({ "object": "list", "data": models }))
}

async fn unknown_url(uri: Uri) -> ApiError {
    ApiError::not_found(format!("Unknown request URL: {}", uri.path()))
}

async fn unknown_method(uri: Uri) -> ApiError {
    ApiError::method_not_allowed(format!("Not allowed to {} in this way", uri.path()))
}
