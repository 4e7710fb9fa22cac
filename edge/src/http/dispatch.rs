//! From a request to its feature and back.
//! Which routes there are is `routes`; who the caller is, `auth`; how often they may ask, `limits`.

use worker::{Context, Env, Request, Response};

use super::routes::{self, Access, Match, Route, RouteId};
use super::{Answer, ApiError, Call};
use crate::{accounts, auth, calls, clock, jobs, live, nodes, observe, recordings};

/// Answers a request, whatever it is.
///
/// # Errors
/// Only if no response can be made at all.
pub async fn serve(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    match let_in(request, env, context).await {
        Ok(response) => Ok(response),
        Err(error) => error.to_response(),
    }
}

async fn let_in(mut request: Request, env: Env, context: Context) -> Answer {
    let url = request.url()?;
    let (route, params) = match routes::find(request.method().as_ref(), url.path()) {
        Match::Found(route, params) => (route, params),
        Match::WrongMethod(allowed) => {
            let allow = allowed.join(", ");
            return Err(ApiError::new(405, "method_not_allowed", format!("use {allow}")).with_header("allow", allow));
        }
        Match::Unknown => return Err(ApiError::not_found("there is nothing here")),
    };
    if route.access == Access::Dev && env.var("ENVIRONMENT").map(|v| v.to_string()).unwrap_or_default() != "dev" {
        return Err(ApiError::not_found("there is nothing here"));
    }
    let query = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    let body = if route.max_body == 0 { Vec::new() } else { read_body(&mut request, route).await? };
    let now_ms = clock::now_ms();
    let caller = auth::authenticate(route.access, &request, &url, &body, &env, now_ms).await?;
    answer(route.id, Call { env, context, request, params, query, body, caller, now_ms }).await
}

async fn read_body(request: &mut Request, route: &Route) -> Result<Vec<u8>, ApiError> {
    let too_large = || ApiError::new(413, "too_large", format!("the body is larger than {} bytes", route.max_body));
    let declared = request.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > route.max_body) {
        return Err(too_large());
    }
    let body = request.bytes().await?;
    if body.len() > route.max_body { Err(too_large()) } else { Ok(body) }
}

async fn answer(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::Health | RouteId::Metrics | RouteId::OpenApi => observe::serve(id, call).await,
        RouteId::DevToken | RouteId::DevJwks | RouteId::AdminRevokeSession => auth::serve(id, call).await,
        RouteId::Admission
        | RouteId::AdminAccounts
        | RouteId::AdminAccountCreate
        | RouteId::AdminAccountChange
        | RouteId::AdminGrant
        | RouteId::AdminRefund
        | RouteId::AdminNumber
        | RouteId::AdminTrunk
        | RouteId::SignUp
        | RouteId::Me
        | RouteId::AccountRead
        | RouteId::Ledger
        | RouteId::Profiles
        | RouteId::ProfileCreate
        | RouteId::ProfileRead
        | RouteId::ProfileChange
        | RouteId::ProfileDelete
        | RouteId::Numbers
        | RouteId::NumberCreate
        | RouteId::NumberDelete
        | RouteId::ApiKeys
        | RouteId::ApiKeyCreate
        | RouteId::ApiKeyDelete => accounts::serve(id, call).await,
        RouteId::Events
        | RouteId::Calls
        | RouteId::Call
        | RouteId::CallHangUp
        | RouteId::CallTokenCreate
        | RouteId::CallSession => calls::serve(id, call).await,
        RouteId::Live => live::serve(call).await,
        RouteId::Link
        | RouteId::Nodes
        | RouteId::AdminDrain
        | RouteId::AdminUndrain
        | RouteId::AdminRollout
        | RouteId::AdminRolloutChange => nodes::serve(id, call).await,
        RouteId::UploadBegin
        | RouteId::UploadPart
        | RouteId::UploadComplete
        | RouteId::CallRecording
        | RouteId::RecordingLink => recordings::serve(id, call).await,
        RouteId::Webhook
        | RouteId::WebhookChange
        | RouteId::WebhookDelete
        | RouteId::AdminFailedJobs
        | RouteId::AdminReplayJob
        | RouteId::AdminCron => jobs::serve(id, call).await,
    }
}
