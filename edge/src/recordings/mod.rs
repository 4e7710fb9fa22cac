//! Recordings in R2: taken in parts from the engine, given out by signed links, deleted when their time is over.
//! How they are made is the engine's.

mod fault;
mod link;
mod playback;
mod range;
pub mod retention;
mod row;
mod store;
mod upload;
mod uploads;

pub use row::{Recording, announce, recording};

use worker::Env;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call, ok};

pub async fn serve(id: RouteId, mut call: Call) -> Answer {
    match id {
        RouteId::UploadBegin => store::begin(&call).await,
        RouteId::UploadPart => store::part(&mut call).await,
        RouteId::UploadComplete => store::complete(&call).await,
        RouteId::CallRecording => give_link(&call).await,
        RouteId::RecordingLink => playback::serve(&call).await,
        _ => Err(ApiError::not_found("there is nothing here")),
    }
}

/// `GET /v1/calls/{call_id}/recording`: a link to listen with.
async fn give_link(call: &Call) -> Answer {
    let (call_id, account_id) = (call.params.get("call_id"), call.account_id()?);
    let recording = recording(&call.env, call_id).await?.filter(|recording| recording.account_id == account_id);
    if recording.is_none() {
        return Err(ApiError::not_found("there is no recording of this call"));
    }
    let public_url = call.env.var("PUBLIC_URL")?.to_string();
    ok(&link::Link::new(&public_url, &secret(&call.env)?, call_id, call.now_ms))
}

/// What links are signed with.
fn secret(env: &Env) -> Result<Vec<u8>, ApiError> {
    Ok(env.secret("TOKEN_SECRET")?.to_string().into_bytes())
}
