//! `POST /v1/audio/transcriptions`: takes any audio, hears what it was told to hear.
//! The multipart form is read to its end, as a provider would.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Multipart, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;

use super::Stub;
use super::faults::{self, Stage, Treatment, refusal};

pub async fn answer(State(stub): State<Arc<Stub>>, mut form: Multipart) -> Response {
    let mut file = false;
    loop {
        match form.next_field().await {
            Ok(Some(field)) => {
                file |= field.name() == Some("file");
                if field.bytes().await.is_err() {
                    return refusal(StatusCode::BAD_REQUEST, "invalid_request_error");
                }
            }
            Ok(None) => break,
            Err(_) => return refusal(StatusCode::BAD_REQUEST, "invalid_request_error"),
        }
    }
    if !file {
        return refusal(StatusCode::BAD_REQUEST, "invalid_request_error");
    }
    let body = json!({"text": stub.transcript}).to_string();
    let json = [(header::CONTENT_TYPE, "application/json")];
    match faults::treat(stub.faults.as_ref(), Stage::Stt, stub.transcription_after).await {
        Treatment::Refuse(response) => response,
        Treatment::Cut => {
            let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
            (json, faults::cut(stream::iter([half]), 1)).into_response()
        }
        Treatment::Normal => (json, body).into_response(),
    }
}
