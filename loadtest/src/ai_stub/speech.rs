//! `POST /v1/audio/speech`: something with the rhythm and length of the text, 24 kHz 16-bit PCM, streamed.
//! Every answer is cut from one minute made in advance, so that the stub costs next to nothing.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde::Deserialize;

use super::Stub;
use super::faults::{self, Stage, Treatment, refusal};

pub const RATE_HZ: usize = 24_000;
/// A person speaks some 16 characters a second.
const MS_PER_CHARACTER: usize = 60;
const LONGEST_MS: usize = 60_000;
/// 100 ms of PCM.
const PIECE: usize = RATE_HZ / 10 * 2;
/// A provider is faster than speech, but not infinitely: ten times.
const BETWEEN_PIECES: Duration = Duration::from_millis(10);
/// Half a second is said before the connection is cut.
const PIECES_BEFORE_CUT: usize = 5;

pub static VOICE: LazyLock<Bytes> = LazyLock::new(voice);

#[derive(Debug, Deserialize)]
pub struct SpeechRequest {
    input: String,
    #[serde(default = "pcm")]
    response_format: String,
}

pub async fn answer(State(stub): State<Arc<Stub>>, Json(request): Json<SpeechRequest>) -> Response {
    if request.response_format != "pcm" || request.input.is_empty() {
        return refusal(StatusCode::BAD_REQUEST, "invalid_request_error");
    }
    let treatment = faults::treat(stub.faults.as_ref(), Stage::Tts, stub.speech_after).await;
    let length = length_bytes(&request.input);
    let pieces = stream::iter((0..length).step_by(PIECE)).then(move |start| async move {
        if start > 0 {
            tokio::time::sleep(BETWEEN_PIECES).await;
        }
        VOICE.slice(start..length.min(start + PIECE))
    });
    let body = match treatment {
        Treatment::Refuse(response) => return response,
        Treatment::Cut => faults::cut(pieces, PIECES_BEFORE_CUT),
        Treatment::Normal => faults::whole(pieces),
    };
    ([(header::CONTENT_TYPE, "audio/pcm")], body).into_response()
}

/// How long `text` takes to say, ms.
pub fn length_ms(text: &str) -> usize {
    (text.chars().count() * MS_PER_CHARACTER).min(LONGEST_MS)
}

/// The same in bytes of PCM.
fn length_bytes(text: &str) -> usize {
    length_ms(text) * RATE_HZ / 1000 * 2
}

fn pcm() -> String {
    "pcm".to_owned()
}

/// A minute of vowel-like sound: a gliding voice with harmonics, four syllables a second, never quite silent.
fn voice() -> Bytes {
    let mut phase = 0.0f64;
    let samples = (0..LONGEST_MS * RATE_HZ / 1000).flat_map(|n| {
        let t = n as f64 / RATE_HZ as f64;
        phase += (120.0 + 25.0 * (t * 2.3).sin()) / RATE_HZ as f64 * std::f64::consts::TAU;
        let vowel = phase.sin() + 0.6 * (3.0 * phase).sin() + 0.35 * (7.0 * phase).sin();
        let syllable = 0.55 + 0.45 * (t * 4.0 * std::f64::consts::TAU).cos();
        ((vowel * syllable * 6000.0) as i16).to_le_bytes()
    });
    samples.collect()
}
