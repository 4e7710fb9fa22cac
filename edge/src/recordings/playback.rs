//! `GET /recordings/{call_id}?expires&signature`: a recording, or the part of it a player asks for, straight from R2.
//! Nothing of it is held in memory.

use worker::{Env, Headers, Method, Range, Response};

use super::link;
use super::range::{Selection, range_counts, select, unchanged};
use super::row::{self, Recording};
use super::secret;
use crate::cache::{self, Source};
use crate::http::{Answer, ApiError, Call};

/// Answers whoever holds a signed link.
///
/// # Errors
/// 403 for a link that is wrong or expired, 404 when the recording is gone.
pub async fn serve(call: &Call) -> Answer {
    let call_id = call.params.get("call_id");
    link::check(&secret(&call.env)?, call_id, call.query("expires"), call.query("signature"), call.now_ms)
        .map_err(|error| ApiError::new(403, "link_refused", error.to_string()))?;
    // A player sends many requests for one recording: its row comes through the cache.
    let source = Source::Recording { call_id: call_id.to_owned() };
    let cached = call.timings.step("cache", cache::through(&call.env, &call.context, &source)).await?;
    let layer = cached.layer;
    let recording =
        cached.read::<Recording>()?.ok_or_else(|| ApiError::not_found("the recording is not there any more"))?;
    let mut response = answer(call, &recording).await?;
    response.headers_mut().set(cache::HEADER, layer.name())?;
    Ok(response)
}

async fn answer(call: &Call, recording: &Recording) -> Answer {
    let etag = recording.etag();
    let headers = Headers::new();
    headers.set("etag", &etag)?;
    headers.set("accept-ranges", "bytes")?;
    headers.set("cache-control", "private, no-store")?;
    headers.set("x-content-type-options", "nosniff")?;
    if unchanged(call.header("if-none-match").as_deref(), &etag) {
        return Ok(Response::empty()?.with_status(304).with_headers(headers));
    }
    headers.set("content-type", &recording.content_type)?;
    headers.set("content-disposition", &format!("inline; filename=\"{}.ogg\"", recording.call_id))?;
    let range = call.header("range").filter(|_| range_counts(call.header("if-range").as_deref(), &etag));
    let size = recording.bytes;
    let (status, offset, length) = match select(range.as_deref(), size) {
        Selection::Whole => (200, 0, size),
        Selection::Part { offset, length } => {
            headers.set("content-range", &format!("bytes {offset}-{}/{size}", offset + length - 1))?;
            (206, offset, length)
        }
        Selection::Unsatisfiable => {
            let error = ApiError::new(416, "range_not_satisfiable", format!("the recording has {size} bytes"));
            return Err(error.with_header("content-range", format!("bytes */{size}")));
        }
    };
    headers.set("content-length", &length.to_string())?;
    if call.request.method() == Method::Head {
        return Ok(Response::empty()?.with_status(status).with_headers(headers));
    }
    let body = call.timings.step("r2", body(&call.env, recording, offset, length)).await?;
    Ok(Response::from_body(body)?.with_status(status).with_headers(headers))
}

async fn body(env: &Env, recording: &Recording, offset: u64, length: u64) -> Result<worker::ResponseBody, ApiError> {
    let bucket = env.bucket("RECORDINGS")?;
    let get = bucket.get(&recording.object_key).range(Range::OffsetWithLength { offset, length });
    let Some(object) = get.execute().await? else {
        // It was deleted; or replaced a moment ago, and the row we have is of the one before.
        let kept = row::recording(env, &recording.call_id).await?;
        return Err(match kept.filter(|kept| kept.object_key != recording.object_key) {
            Some(_) => ApiError::unavailable("the recording is being replaced"),
            None => ApiError::not_found("the recording is not there any more"),
        });
    };
    let body = object.body().ok_or_else(|| ApiError::unavailable("the recording cannot be read"))?;
    Ok(body.response_body()?)
}
