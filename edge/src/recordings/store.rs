//! An upload from begin to complete: its state in D1, its parts in one R2 multipart upload, checked as a whole.
//! R2 keeps no checksum of a whole multipart object, so `complete` reads it back through the platform's own SHA-256
//! before it counts as stored: what was checked is what is there. Nothing larger than a part is held in memory.

use std::{mem, slice};

use edge_protocol::recordings::{UploadRequest, UploadStatus};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::crypto::{DigestStream, DigestStreamAlgorithm};
use worker::wasm_bindgen::JsValue;
use worker::{Bucket, Env, HttpMetadata, ResponseBody, UploadedPart};

use super::fault::{Fault, fault};
use super::row::{Recording, announce, announced, recording};
use super::upload::{self, UploadError};
use super::uploads::{Part, Upload, find, forget, forget_parts, parts};
use crate::cache::{self, Source};
use crate::http::{Answer, ApiError, Call, ok};
use crate::jobs::{self, Job, JobKind};
use crate::objects;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Whose call it is, and when it began.
#[derive(Deserialize)]
struct Owner {
    account_id: String,
    started_at_ms: u64,
}

/// What a call's object says of it, as far as it matters here.
#[derive(Deserialize)]
struct Known {
    summary: Owner,
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// `POST /v1/engine/recordings/{call_id}`: begins an upload or finds the one begun before.
///
/// # Errors
/// 400 for what no recording can be, 404 `call_unknown` for a call nobody knows (yet): its events come first.
pub async fn begin(call: &Call) -> Answer {
    let request: UploadRequest = call.json()?;
    let call_id = call.params.get("call_id");
    upload::check(&request, call_id)?;
    let upload_id = upload::upload_id(call_id, &request.sha256);
    if let Some(stored) = stored(call, call_id, &request.sha256).await? {
        return ok(&complete_status(upload_id, &stored));
    }
    if find(&call.env, &upload_id, call_id).await?.is_none() {
        open(call, &upload_id, call_id, &request).await?;
    }
    ok(&UploadStatus {
        parts: parts(&call.env, &upload_id).await?.iter().map(|part| part.part).collect(),
        upload_id,
        complete: false,
    })
}

/// `PUT …/{upload_id}/parts/{part}`: takes one part, as often as it is sent.
///
/// # Errors
/// 400 for a part of the wrong size, 404 for an upload that is not open.
pub async fn part(call: &mut Call) -> Answer {
    let upload = opened(call).await?;
    let number: u16 = call.params.get("part").parse().map_err(|_| ApiError::bad_request("the part is no number"))?;
    let expected = upload::part_bytes(upload.bytes, number)
        .ok_or_else(|| ApiError::bad_request(format!("there is no part {number}: {} bytes", upload.bytes)))?;
    if call.body.len() as u64 != expected {
        let given = call.body.len();
        return Err(ApiError::bad_request(format!("part {number} has {expected} bytes, not {given}")));
    }
    let multipart = bucket(&call.env)?.resume_multipart_upload(&upload.object_key, &upload.r2_upload_id)?;
    let etag = match call.timings.clone().step("r2", multipart.upload_part(number, mem::take(&mut call.body))).await {
        Ok(part) => part.etag(),
        Err(error) if fault(&error.to_string()) == Fault::Gone => {
            forget(&call.env, &upload.upload_id).await?;
            return Err(not_open());
        }
        Err(error) => return Err(ApiError::unavailable(format!("part {number} was not stored: {error}"))),
    };
    call.env
        .d1("DB")?
        .prepare(
            "INSERT INTO upload_parts (upload_id, part, etag) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET etag = ?3",
        )
        .bind(&[upload.upload_id.clone().into(), number.into(), etag.into()])?
        .run()
        .await?;
    let parts = parts(&call.env, &upload.upload_id).await?.iter().map(|part| part.part).collect();
    ok(&UploadStatus { upload_id: upload.upload_id, parts, complete: false })
}

/// `POST …/{upload_id}/complete`: makes the parts one object, checks it, tells the call. Harmless when repeated.
///
/// # Errors
/// 409 while parts are missing, if R2 refuses them, or if the whole is not what was announced: begin again, and see
/// which parts are to be sent.
pub async fn complete(call: &Call) -> Answer {
    let request: UploadRequest = call.json()?;
    let (call_id, upload_id) = (call.params.get("call_id"), call.params.get("upload_id"));
    upload::check(&request, call_id)?;
    if upload_id != upload::upload_id(call_id, &request.sha256) {
        return Err(ApiError::bad_request("the upload is of another recording"));
    }
    if let Some(stored) = stored(call, call_id, &request.sha256).await? {
        return ok(&complete_status(upload_id.to_owned(), &stored));
    }
    let upload = opened(call).await?;
    if upload.bytes != request.bytes {
        return Err(ApiError::bad_request(format!("the upload was begun with {} bytes", upload.bytes)));
    }
    let parts = parts(&call.env, upload_id).await?;
    let count = upload::part_count(upload.bytes);
    if parts.len() != usize::from(count) {
        let message = format!("{} of {count} parts are there", parts.len());
        return Err(ApiError::new(409, "parts_missing", message));
    }
    call.timings.step("join", join(&call.env, &upload, parts)).await?;
    call.timings.step("verify", verify(&call.env, &upload)).await?;
    let recording = keep(call, upload).await?;
    tell(call, &recording).await?;
    ok(&complete_status(upload_id.to_owned(), &recording))
}

fn complete_status(upload_id: String, recording: &Recording) -> UploadStatus {
    UploadStatus { upload_id, parts: (1..=upload::part_count(recording.bytes)).collect(), complete: true }
}

/// The recording, if it is in R2 already; its call is told if it does not know.
async fn stored(call: &Call, call_id: &str, sha256: &str) -> Result<Option<Recording>, ApiError> {
    let found = recording(&call.env, call_id).await?.filter(|recording| recording.sha256 == sha256);
    if let Some(recording) = found.as_ref().filter(|recording| recording.announced_at_ms.is_none()) {
        tell(call, recording).await?;
    }
    Ok(found)
}

async fn open(call: &Call, upload_id: &str, call_id: &str, request: &UploadRequest) -> Result<(), ApiError> {
    let owner = owner(&call.env, call_id).await?;
    let key = upload::object_key(&owner.account_id, owner.started_at_ms, call_id, upload_id);
    let metadata = HttpMetadata { content_type: Some(request.content_type.clone()), ..HttpMetadata::default() };
    let multipart = bucket(&call.env)?
        .create_multipart_upload(&key)
        .http_metadata(metadata)
        .custom_metadata([("sha256".to_owned(), request.sha256.clone()), ("node".to_owned(), request.node.clone())])
        .execute()
        .await?;
    let inserted = call
        .env
        .d1("DB")?
        .prepare("INSERT OR IGNORE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING upload_id")
        .bind(&[
            upload_id.into(),
            call_id.into(),
            owner.account_id.into(),
            key.into(),
            multipart.upload_id().await.into(),
            number(request.bytes),
            request.sha256.clone().into(),
            request.content_type.clone().into(),
            number(request.duration_ms),
            number(call.now_ms),
        ])?
        .first::<Value>(None)
        .await?;
    if inserted.is_none() {
        // The same request came twice at once; the other one's upload is the one to use.
        multipart.abort().await?;
    }
    Ok(())
}

/// Ended calls are in the database; others are known to their object.
async fn owner(env: &Env, call_id: &str) -> Result<Owner, ApiError> {
    let statement = env.d1("DB")?.prepare("SELECT account_id, started_at_ms FROM calls WHERE call_id = ?");
    if let Some(owner) = statement.bind(&[call_id.into()])?.first(None).await? {
        return Ok(owner);
    }
    let answer: Result<Known, ApiError> = objects::ask(env, "CALL_SESSIONS", call_id, "read", &json!({})).await;
    match answer {
        Ok(known) => Ok(known.summary),
        Err(error) if error.status == 404 => {
            Err(ApiError::new(404, "call_unknown", "nobody knows the call: deliver its events first"))
        }
        Err(error) => {
            worker::console_error!("call {call_id}: {} {}", error.status, error.message);
            Err(ApiError::unavailable("whose call it is cannot be told now"))
        }
    }
}

/// Makes the parts one object. If that was done before, and the answer was lost, the object is there.
async fn join(env: &Env, upload: &Upload, parts: Vec<Part>) -> Result<(), ApiError> {
    let bucket = bucket(env)?;
    let multipart = bucket.resume_multipart_upload(&upload.object_key, &upload.r2_upload_id)?;
    let parts = parts.into_iter().map(|part| UploadedPart::new(part.part, part.etag));
    let Err(error) = multipart.complete(parts).await else { return Ok(()) };
    let object = bucket.head(&upload.object_key).await?;
    let sha256 = object.map(|object| object.custom_metadata()).transpose()?.and_then(|mut data| data.remove("sha256"));
    if sha256.as_ref() == Some(&upload.sha256) {
        return Ok(());
    }
    match fault(&error.to_string()) {
        Fault::Gone => {
            forget(env, &upload.upload_id).await?;
            Err(not_open())
        }
        Fault::Refused => {
            forget_parts(env, &upload.upload_id).await?;
            Err(ApiError::new(409, "parts_refused", format!("the parts do not join, send them again: {error}")))
        }
        Fault::Passing => Err(ApiError::unavailable(format!("the parts were not joined: {error}"))),
    }
}

/// Reads the object back and compares it with what was announced.
async fn verify(env: &Env, upload: &Upload) -> Result<(), ApiError> {
    let bucket = bucket(env)?;
    let object = bucket.get(&upload.object_key).execute().await?;
    let object = object.ok_or_else(|| ApiError::unavailable("the recording cannot be read back"))?;
    let body = object.body().ok_or_else(|| ApiError::unavailable("the recording cannot be read back"))?;
    let digest = DigestStream::new(DigestStreamAlgorithm::Sha256);
    if let ResponseBody::Stream(stream) = body.response_body()? {
        // Its end, good or bad, is the digest's too.
        let _ = stream.pipe_to(digest.raw());
    }
    let sha256: String = digest.digest().await?.to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
    if object.size() == upload.bytes && sha256 == upload.sha256 {
        return Ok(());
    }
    // What was accepted before stays: the same request may have been served twice at once.
    let accepted = recording(env, &upload.call_id).await?.is_some_and(|kept| kept.object_key == upload.object_key);
    if !accepted {
        bucket.delete(&upload.object_key).await?;
    }
    forget(env, &upload.upload_id).await?;
    Err(ApiError::new(409, "wrong_content", format!("the recording has SHA-256 {sha256}, not {}", upload.sha256)))
}

/// Puts the recording into the database and the upload out of it. The object it replaces is deleted.
async fn keep(call: &Call, upload: Upload) -> Result<Recording, ApiError> {
    #[derive(Deserialize)]
    struct Retention {
        retention_days: u64,
    }
    #[derive(Deserialize)]
    struct Replaced {
        object_key: String,
    }
    let database = call.env.d1("DB")?;
    let account = database.prepare("SELECT retention_days FROM accounts WHERE account_id = ?");
    let retention: Option<Retention> = account.bind(&[upload.account_id.clone().into()])?.first(None).await?;
    let days = retention.map_or(super::retention::DEFAULT_DAYS, |retention| retention.retention_days);
    let recording = Recording {
        call_id: upload.call_id,
        account_id: upload.account_id,
        object_key: upload.object_key,
        bytes: upload.bytes,
        sha256: upload.sha256,
        content_type: upload.content_type,
        duration_ms: upload.duration_ms,
        stored_at_ms: call.now_ms,
        delete_after_ms: call.now_ms.saturating_add(days.saturating_mul(DAY_MS)),
        announced_at_ms: None,
    };
    let replaced = database.prepare("SELECT object_key FROM recordings WHERE call_id = ? AND object_key <> ?");
    let replaced = replaced.bind(&[recording.call_id.clone().into(), recording.object_key.clone().into()])?;
    let insert = database
        .prepare(
            "INSERT OR REPLACE INTO recordings (call_id, account_id, object_key, bytes, sha256, content_type, duration_ms, \
             stored_at_ms, delete_after_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&[
            recording.call_id.clone().into(),
            recording.account_id.clone().into(),
            recording.object_key.clone().into(),
            number(recording.bytes),
            recording.sha256.clone().into(),
            recording.content_type.clone().into(),
            number(recording.duration_ms),
            number(recording.stored_at_ms),
            number(recording.delete_after_ms),
        ])?;
    let upload_id: JsValue = upload.upload_id.into();
    let parts = database.prepare("DELETE FROM upload_parts WHERE upload_id = ?").bind(slice::from_ref(&upload_id))?;
    let upload = database.prepare("DELETE FROM uploads WHERE upload_id = ?").bind(slice::from_ref(&upload_id))?;
    let answers = database.batch(vec![replaced, insert, parts, upload]).await?;
    let replaced = answers.first().map(|answer| answer.results::<Replaced>()).transpose()?.unwrap_or_default();
    for Replaced { object_key } in replaced {
        if let Err(error) = bucket(&call.env)?.delete(&object_key).await {
            worker::console_error!("{object_key} is replaced and was not deleted: {error}");
        }
    }
    cache::purge(&call.env, &Source::Recording { call_id: recording.call_id.clone() }).await;
    Ok(recording)
}

/// Tells the call's object; if it does not answer, a job will.
async fn tell(call: &Call, recording: &Recording) -> Result<(), ApiError> {
    if announce(&call.env, recording, call.now_ms).await.is_ok() {
        return Ok(());
    }
    let kind = JobKind::RecordingStored { call_id: recording.call_id.clone() };
    jobs::enqueue(&call.env, Job::new(&recording.account_id, kind)).await?;
    announced(&call.env, &recording.call_id, call.now_ms).await
}

/// The upload a path names.
async fn opened(call: &Call) -> Result<Upload, ApiError> {
    let (call_id, upload_id) = (call.params.get("call_id"), call.params.get("upload_id"));
    find(&call.env, upload_id, call_id).await?.ok_or_else(not_open)
}

fn not_open() -> ApiError {
    ApiError::new(404, "upload_not_open", "there is no such upload open: begin again")
}

fn bucket(env: &Env) -> Result<Bucket, ApiError> {
    Ok(env.bucket("RECORDINGS")?)
}

fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}
