//! A recording is transcribed after the call, by whoever speaks OpenAI's `POST /audio/transcriptions`.
//! Off where `TRANSCRIPTION_URL` is not set. The recording is streamed past, never held.

use std::time::Duration;

use futures::future::{Either, ready, select};
use futures::stream::once;
use futures::{FutureExt, StreamExt};
use serde::Deserialize;
use worker::worker_sys::FixedLengthStream as PlatformStream;
use worker::{
    AbortController, Delay, Env, Fetch, FixedLengthStream, Headers, Method, Request, RequestInit, RequestRedirect,
};

use super::form::Form;
use super::{Outcome, retry};
use crate::http::ApiError;
use crate::id;
use crate::recordings::{self, Recording};

/// How long the provider may take for one recording; less than a try may take in `ledger`.
const PATIENCE: Duration = Duration::from_secs(50);
const MODEL: &str = "whisper-1";

/// What the provider answers, of which there may be more.
#[derive(Deserialize)]
struct Transcript {
    text: String,
}

/// Transcribes the recording of a call.
pub async fn transcribe(env: &Env, call_id: &str, now_ms: u64) -> Outcome {
    let setting = |name| env.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty());
    let Some(base) = setting("TRANSCRIPTION_URL") else { return Outcome::Done };
    let recording = match recordings::recording(env, call_id).await {
        Ok(Some(recording)) => recording,
        // Deleted in the meantime.
        Ok(None) => return Outcome::Done,
        Err(error) => return error.into(),
    };
    let url = format!("{}/audio/transcriptions", base.trim_end_matches('/'));
    let model = setting("TRANSCRIPTION_MODEL").unwrap_or_else(|| MODEL.to_owned());
    let abort = AbortController::default();
    let signal = abort.signal();
    let asked = async {
        let request = request(env, &recording, &url, setting("TRANSCRIPTION_KEY"), &model).await?;
        let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
        let status = response.status_code();
        Ok::<_, ApiError>((status, response.text().await?))
    };
    let (status, text) = match select(asked.boxed_local(), Delay::from(PATIENCE)).await {
        Either::Left((Ok(answer), _)) => answer,
        Either::Left((Err(error), _)) => return error.into(),
        Either::Right(_) => {
            abort.abort();
            return Outcome::Retry(format!("the transcriber did not answer within {} s", PATIENCE.as_secs()));
        }
    };
    match retry::outcome("the transcriber", status) {
        Outcome::Done => match serde_json::from_str::<Transcript>(&text) {
            Ok(transcript) => match keep(env, &recording, &transcript.text, now_ms).await {
                Ok(()) => Outcome::Done,
                Err(error) => error.into(),
            },
            Err(error) => Outcome::Retry(format!("the transcriber's answer is no transcript: {error}")),
        },
        outcome => outcome,
    }
}

async fn request(
    env: &Env,
    recording: &Recording,
    url: &str,
    key: Option<String>,
    model: &str,
) -> Result<Request, ApiError> {
    let boundary = id::random("form");
    let fields = [("model", model), ("response_format", "json")];
    let form = Form::new(&boundary, &fields, &format!("{}.ogg", recording.call_id), "audio/ogg");
    let object = env.bucket("RECORDINGS")?.get(&recording.object_key).execute().await?;
    let object = object.ok_or_else(|| ApiError::not_found("the recording is not there any more"))?;
    let body = object.body().ok_or_else(|| ApiError::unavailable("the recording cannot be read"))?;
    let length = form.bytes(object.size());
    let stream = once(ready(Ok(form.before))).chain(body.stream()?).chain(once(ready(Ok(form.after))));
    let body: PlatformStream = FixedLengthStream::wrap(stream, length).into();

    let headers = Headers::new();
    headers.set("content-type", &form.content_type)?;
    if let Some(key) = key {
        headers.set("authorization", &format!("Bearer {key}"))?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers).with_redirect(RequestRedirect::Manual);
    init.with_body(Some(body.readable().into()));
    Ok(Request::new_with_init(url, &init)?)
}

/// A recording that was deleted meanwhile has no transcript.
async fn keep(env: &Env, recording: &Recording, text: &str, now_ms: u64) -> Result<(), ApiError> {
    env.d1("DB")?
        .prepare(
            "INSERT OR REPLACE INTO transcripts (call_id, account_id, text, created_at_ms) \
             SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM recordings WHERE call_id = ?1)",
        )
        .bind(&[
            recording.call_id.clone().into(),
            recording.account_id.clone().into(),
            text.into(),
            (now_ms as f64).into(),
        ])?
        .run()
        .await?;
    Ok(())
}
