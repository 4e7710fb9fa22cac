//! From a request to its feature and back.
//! Which routes there are is `routes`; who the caller is, `auth`; how often they may ask, `limits`.

use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use worker::{Context, Delay, Env, Headers, Request, Response, Url};

use super::body::{self, Body};
use super::headers::{Setting, rate_limit};
use super::routes::{self, Access, Match, Route, RouteId};
use super::{Answer, ApiError, Call};
use crate::auth::settings;
use crate::limits::{self, Quota};
use crate::observe::{RequestPoint, Timings};
use crate::{accounts, auth, cache, calls, clock, id, jobs, live, nodes, observe, recordings};

/// How long an answer may take. WebSockets are excepted.
const PATIENCE: Duration = Duration::from_secs(10);
/// For uploads: a part of 5 MiB over a thin line, or a large recording read back.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(90);

/// A request on its way, and what its answer will have to say.
struct Passage {
    env: Env,
    address: String,
    now_ms: u64,
    setting: Setting,
    /// Whether the answer is one of the dashboard's files.
    document: bool,
    /// The tightest limit met.
    quota: Option<Quota>,
    /// What the statistics will say of it.
    point: RequestPoint,
    timings: Timings,
}

/// Answers a request, whatever it is.
///
/// # Errors
/// Only if no response can be made at all.
pub async fn serve(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let request_id = id::random("req");
    let upgrade = header(&request, "upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    let uploads = request.path().starts_with("/v1/engine/recordings/");
    let patience = if uploads { UPLOAD_PATIENCE } else { PATIENCE };
    let mut passage = Passage::new(&request, env);
    let context = Rc::new(context);
    let answer = let_in(&mut passage, request, Rc::clone(&context)).boxed_local();
    let answer = if upgrade {
        answer.await
    } else {
        match select(answer, Delay::from(patience)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, unfinished)) => {
                drop(unfinished);
                Err(ApiError::new(504, "timeout", "the answer took too long"))
            }
        }
    };
    let response = match answer {
        Ok(response) => response,
        Err(error) => {
            passage.note(error.quota);
            error.to_response()?
        }
    };
    let response = passage.let_out(response, &request_id)?;
    let cache = response.headers().get(cache::HEADER)?.unwrap_or_default();
    let point = RequestPoint { request_id, status: response.status_code(), cache, ..passage.point };
    observe::request_served(&passage.env, &context, point, &passage.timings);
    Ok(response)
}

async fn let_in(passage: &mut Passage, mut request: Request, context: Rc<Context>) -> Answer {
    let url = request.url().map_err(|error| ApiError::bad_request(error.to_string()))?;
    let method = request.method();
    let (route, params) = match routes::find(method.as_ref(), url.path()) {
        Match::Found(route, params) if route.access != Access::Dev || passage.setting.dev => (route, params),
        Match::WrongMethod(allowed) if passage.setting.dev || !url.path().starts_with("/dev/") => {
            if method.as_ref() == "OPTIONS" {
                return passage.preflight(&allowed);
            }
            passage.count_address().await?;
            let allow = allowed.join(", ");
            return Err(ApiError::new(405, "method_not_allowed", format!("use {allow}")).with_header("allow", allow));
        }
        _ if !routes::is_api(url.path()) && matches!(method.as_ref(), "GET" | "HEAD") => {
            passage.document = true;
            return Ok(passage.env.assets("ASSETS")?.fetch_request(request).await?);
        }
        _ => {
            passage.count_address().await?;
            return Err(ApiError::not_found("there is nothing here"));
        }
    };
    passage.point.endpoint = route.path.to_owned();
    passage.point.call_id = params.get("call_id").to_owned();
    // Whoever proves to be an engine or an admin is not counted; who only says so is.
    let signed = signs(route) && auth::is_signed(&request);
    if !signed {
        passage.count_address().await?;
    }
    let admitted = admit(passage, route, &url, &mut request).await;
    let (body, caller) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => {
            if signed && (error.status < 500 || error.code == body::BROKEN) {
                passage.count_address().await?;
            }
            return Err(error);
        }
    };
    let query = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    passage.point.account_id = caller.account_id().unwrap_or_default().to_owned();
    let (env, address, now_ms) = (passage.env.clone(), passage.address.clone(), passage.now_ms);
    let timings = passage.timings.clone();
    answer(route.id, Call { env, context, request, params, query, body, caller, address, now_ms, timings }).await
}

fn signs(route: &Route) -> bool {
    matches!(route.access, Access::Engine | Access::Admin)
}

/// Reads the body, checks the credentials, counts the account.
async fn admit(
    passage: &mut Passage,
    route: &Route,
    url: &Url,
    request: &mut Request,
) -> Result<(Vec<u8>, auth::Caller), ApiError> {
    if signs(route) {
        auth::signed::precheck(request, passage.now_ms)?;
    }
    let body = passage.timings.step("body", Body::read(request, route)).await?;
    // A body may take its time, and what was good when it began may not be good any more.
    let now_ms = clock::now_ms();
    let incoming = auth::Incoming { access: route.access, request, url, body: &body.bytes, address: &passage.address };
    let authenticated = auth::authenticate(incoming, &passage.env, now_ms);
    let member = passage.timings.step("auth", authenticated).await?;
    if let (Some(account_id), Some(limit)) = (member.caller.account_id(), member.requests_per_minute) {
        let counted = limits::by_account(&passage.env, account_id, limit, passage.now_ms);
        let quota = passage.timings.step("limits", counted).await?;
        passage.note(Some(quota));
    }
    Ok((body.known(), member.caller))
}

// === impl Passage ===

impl Passage {
    fn new(request: &Request, env: Env) -> Self {
        let dev = settings::is_dev(&env);
        let setting = Setting {
            dev,
            allowed_origins: settings::text(&env, "ALLOWED_ORIGINS").unwrap_or_default(),
            origin: header(request, "origin"),
            host: header(request, "host").unwrap_or_default(),
            sign_in: settings::text(&env, "SIGN_IN_ORIGIN").unwrap_or_default(),
            turnstile: settings::text(&env, "TURNSTILE_SECRET").is_some(),
        };
        let address = limits::address(request, dev);
        let point = RequestPoint { method: request.method().to_string(), ..RequestPoint::default() };
        let timings = Timings::start(clock::now_ms);
        Self { env, address, now_ms: clock::now_ms(), setting, document: false, quota: None, point, timings }
    }

    async fn count_address(&mut self) -> Result<(), ApiError> {
        let counted = limits::by_address(&self.env, &self.address, self.now_ms);
        let quota = self.timings.step("limits", counted).await?;
        self.note(Some(quota));
        Ok(())
    }

    /// Keeps the limit that leaves least.
    fn note(&mut self, quota: Option<Quota>) {
        self.quota = match (self.quota, quota) {
            (Some(one), Some(other)) => Some(if other.remaining <= one.remaining { other } else { one }),
            (one, other) => one.or(other),
        };
    }

    fn preflight(&self, methods: &[&str]) -> Answer {
        let response = Response::empty()?.with_status(204);
        for (name, value) in self.setting.preflight(methods) {
            response.headers().set(name, &value)?;
        }
        Ok(response)
    }

    /// Puts the headers on that every answer has. What a feature set itself stays.
    fn let_out(&self, response: Response, request_id: &str) -> worker::Result<Response> {
        if response.status_code() == 101 {
            return Ok(response);
        }
        // Headers of an answer that came from elsewhere cannot be changed: these are new ones.
        let headers = Headers::new();
        for (name, value) in response.headers().entries() {
            headers.append(&name, &value)?;
        }
        for (name, value) in self.setting.security(self.document) {
            headers.set(name, &value)?;
        }
        for (name, value) in self.setting.cross_origin() {
            if name == "vary" { headers.append(name, &value)? } else { headers.set(name, &value)? }
        }
        for (name, value) in self.quota.iter().flat_map(rate_limit) {
            headers.set(name, &value)?;
        }
        if !headers.has("cache-control")? {
            headers.set("cache-control", "no-store")?;
        }
        headers.set("x-request-id", request_id)?;
        Ok(response.with_headers(headers))
    }
}

fn header(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name).ok().flatten()
}

async fn answer(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::Health | RouteId::Metrics | RouteId::OpenApi => observe::serve(id, call).await,
        RouteId::DevToken | RouteId::DevJwks | RouteId::AdminRevokeSession => auth::serve(id, call).await,
        RouteId::Admission
        | RouteId::AdmissionWithdraw
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
        | RouteId::AdminCalls
        | RouteId::CallHangUp
        | RouteId::CallPress
        | RouteId::CallTokenCreate
        | RouteId::CallSession => calls::serve(id, call).await,
        RouteId::Live => live::serve(call).await,
        RouteId::Link
        | RouteId::Nodes
        | RouteId::AdminDrain
        | RouteId::AdminUndrain
        | RouteId::AdminTransfer
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
