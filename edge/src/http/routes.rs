//! Every route in one table: method, path, who may. Requests are matched against it, and so are the tests.
//! What a route does is its feature's.

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    Public,
    /// A signed engine request.
    Engine,
    /// A signed admin request.
    Admin,
    /// A person with a session, with or without an account.
    Person,
    /// A person, for one account.
    Owner,
    /// A person or an API key, for one account.
    Member,
    /// A per-call token.
    CallToken,
    /// Anybody, but only in the dev environment; elsewhere the route does not exist.
    Dev,
}

/// Names a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteId {
    Health,
    Metrics,
    OpenApi,
    RecordingLink,
    DevToken,
    DevJwks,
    Admission,
    AdmissionWithdraw,
    Events,
    Link,
    UploadBegin,
    UploadPart,
    UploadComplete,
    AdminAccounts,
    AdminAccountCreate,
    AdminAccountChange,
    AdminGrant,
    AdminRefund,
    AdminCalls,
    AdminNumber,
    AdminTrunk,
    AdminFailedJobs,
    AdminReplayJob,
    AdminDrain,
    AdminUndrain,
    AdminTransfer,
    AdminRollout,
    AdminRolloutChange,
    AdminCron,
    AdminRevokeSession,
    SignUp,
    Me,
    AccountRead,
    Ledger,
    Profiles,
    ProfileCreate,
    ProfileRead,
    ProfileChange,
    ProfileDelete,
    Numbers,
    NumberCreate,
    NumberDelete,
    ApiKeys,
    ApiKeyCreate,
    ApiKeyDelete,
    Webhook,
    WebhookChange,
    WebhookDelete,
    Calls,
    Call,
    CallRecording,
    CallHangUp,
    CallPress,
    CallTokenCreate,
    Nodes,
    Live,
    CallSession,
}

/// One route. In `path`, `{name}` stands for one segment.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub id: RouteId,
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    /// Largest body, bytes.
    pub max_body: usize,
}

/// Largest body of an ordinary request: 64 KiB.
pub const BODY: usize = 64 * 1024;
/// Batches of events and parts of recordings.
const EVENTS: usize = edge_protocol::delivery::MAX_BATCH_BYTES;
const PART: usize = edge_protocol::recordings::PART_BYTES as usize;

const fn route(id: RouteId, method: &'static str, path: &'static str, access: Access, max_body: usize) -> Route {
    Route { id, method, path, access, max_body }
}

/// All of them.
pub const ROUTES: &[Route] = &[
    route(RouteId::Health, "GET", "/health", Access::Public, 0),
    route(RouteId::Metrics, "GET", "/metrics", Access::Public, 0),
    route(RouteId::OpenApi, "GET", "/v1/openapi.json", Access::Public, 0),
    route(RouteId::RecordingLink, "GET", "/recordings/{call_id}", Access::Public, 0),
    route(RouteId::DevToken, "POST", "/dev/token", Access::Dev, BODY),
    route(RouteId::DevJwks, "GET", "/dev/jwks.json", Access::Dev, 0),
    route(RouteId::Admission, "POST", "/v1/engine/admissions", Access::Engine, BODY),
    route(RouteId::AdmissionWithdraw, "POST", "/v1/engine/admissions/withdraw", Access::Engine, BODY),
    route(RouteId::Events, "POST", "/v1/engine/events", Access::Engine, EVENTS),
    route(RouteId::Link, "GET", "/v1/engine/link", Access::Engine, 0),
    route(RouteId::UploadBegin, "POST", "/v1/engine/recordings/{call_id}", Access::Engine, BODY),
    route(RouteId::UploadPart, "PUT", "/v1/engine/recordings/{call_id}/{upload_id}/parts/{part}", Access::Engine, PART),
    route(
        RouteId::UploadComplete,
        "POST",
        "/v1/engine/recordings/{call_id}/{upload_id}/complete",
        Access::Engine,
        BODY,
    ),
    route(RouteId::AdminAccounts, "GET", "/v1/admin/accounts", Access::Admin, 0),
    route(RouteId::AdminAccountCreate, "POST", "/v1/admin/accounts", Access::Admin, BODY),
    route(RouteId::AdminAccountChange, "PATCH", "/v1/admin/accounts/{account_id}", Access::Admin, BODY),
    route(RouteId::AdminGrant, "POST", "/v1/admin/accounts/{account_id}/grants", Access::Admin, BODY),
    route(RouteId::AdminRefund, "POST", "/v1/admin/accounts/{account_id}/refunds", Access::Admin, BODY),
    route(RouteId::AdminCalls, "GET", "/v1/admin/accounts/{account_id}/calls", Access::Admin, 0),
    route(RouteId::AdminNumber, "POST", "/v1/admin/numbers", Access::Admin, BODY),
    route(RouteId::AdminTrunk, "POST", "/v1/admin/trunks", Access::Admin, BODY),
    route(RouteId::AdminFailedJobs, "GET", "/v1/admin/failed-jobs", Access::Admin, 0),
    route(RouteId::AdminReplayJob, "POST", "/v1/admin/failed-jobs/{job_id}/replay", Access::Admin, BODY),
    route(RouteId::AdminDrain, "POST", "/v1/admin/nodes/{node}/drain", Access::Admin, BODY),
    route(RouteId::AdminUndrain, "POST", "/v1/admin/nodes/{node}/undrain", Access::Admin, BODY),
    route(RouteId::AdminTransfer, "POST", "/v1/admin/nodes/{node}/calls/{call_id}/transfer", Access::Admin, BODY),
    route(RouteId::AdminRollout, "GET", "/v1/admin/rollout", Access::Admin, 0),
    route(RouteId::AdminRolloutChange, "PUT", "/v1/admin/rollout", Access::Admin, BODY),
    route(RouteId::AdminCron, "POST", "/v1/admin/cron/{name}", Access::Admin, BODY),
    route(RouteId::AdminRevokeSession, "POST", "/v1/admin/sessions/revoke", Access::Admin, BODY),
    route(RouteId::SignUp, "POST", "/v1/sign-up", Access::Person, BODY),
    route(RouteId::Me, "GET", "/v1/me", Access::Person, 0),
    route(RouteId::AccountRead, "GET", "/v1/account", Access::Member, 0),
    route(RouteId::Ledger, "GET", "/v1/account/ledger", Access::Member, 0),
    route(RouteId::Profiles, "GET", "/v1/profiles", Access::Member, 0),
    route(RouteId::ProfileCreate, "POST", "/v1/profiles", Access::Member, BODY),
    route(RouteId::ProfileRead, "GET", "/v1/profiles/{profile_id}", Access::Member, 0),
    route(RouteId::ProfileChange, "PUT", "/v1/profiles/{profile_id}", Access::Member, BODY),
    route(RouteId::ProfileDelete, "DELETE", "/v1/profiles/{profile_id}", Access::Member, 0),
    route(RouteId::Numbers, "GET", "/v1/numbers", Access::Member, 0),
    route(RouteId::NumberCreate, "POST", "/v1/numbers", Access::Member, BODY),
    route(RouteId::NumberDelete, "DELETE", "/v1/numbers/{number}", Access::Member, 0),
    route(RouteId::ApiKeys, "GET", "/v1/api-keys", Access::Owner, 0),
    route(RouteId::ApiKeyCreate, "POST", "/v1/api-keys", Access::Owner, BODY),
    route(RouteId::ApiKeyDelete, "DELETE", "/v1/api-keys/{key_id}", Access::Owner, 0),
    route(RouteId::Webhook, "GET", "/v1/webhook", Access::Member, 0),
    route(RouteId::WebhookChange, "PUT", "/v1/webhook", Access::Member, BODY),
    route(RouteId::WebhookDelete, "DELETE", "/v1/webhook", Access::Member, 0),
    route(RouteId::Calls, "GET", "/v1/calls", Access::Member, 0),
    route(RouteId::Call, "GET", "/v1/calls/{call_id}", Access::Member, 0),
    route(RouteId::CallRecording, "GET", "/v1/calls/{call_id}/recording", Access::Member, 0),
    route(RouteId::CallHangUp, "POST", "/v1/calls/{call_id}/hang-up", Access::Member, BODY),
    route(RouteId::CallPress, "POST", "/v1/calls/{call_id}/dtmf", Access::Member, BODY),
    route(RouteId::CallTokenCreate, "POST", "/v1/call-tokens", Access::Member, BODY),
    route(RouteId::Nodes, "GET", "/v1/nodes", Access::Member, 0),
    route(RouteId::Live, "GET", "/v1/live", Access::Member, 0),
    route(RouteId::CallSession, "GET", "/ws/call-session", Access::CallToken, 0),
];

/// What the path's `{name}` segments are, percent-decoding not applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

/// How a request meets the table.
#[derive(Debug, Clone)]
pub enum Match {
    Found(&'static Route, Params),
    /// The path exists, with these methods.
    WrongMethod(Vec<&'static str>),
    Unknown,
}

// === impl Params ===

impl Params {
    /// The segment called `name`; empty if the path has none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

/// Paths that belong to the Worker; all others are the dashboard's.
const PREFIXES: &[&str] = &["/v1", "/ws", "/dev", "/recordings", "/health", "/metrics"];

/// Whether a path is the Worker's, known or not.
pub fn is_api(path: &str) -> bool {
    PREFIXES.iter().any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Finds the route of a request. `HEAD` is taken for `GET`.
pub fn find(method: &str, path: &str) -> Match {
    let method = if method == "HEAD" { "GET" } else { method };
    let mut allowed = Vec::new();
    for route in ROUTES {
        if let Some(params) = params_of(route.path, path) {
            if route.method == method {
                return Match::Found(route, params);
            }
            allowed.push(route.method);
        }
    }
    if allowed.is_empty() { Match::Unknown } else { Match::WrongMethod(allowed) }
}

fn params_of(pattern: &'static str, path: &str) -> Option<Params> {
    let mut params = Params::default();
    let (mut expected, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(name), Some(value)) => match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !value.is_empty() => params.0.push((name, value.to_owned())),
                None if name == value => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
