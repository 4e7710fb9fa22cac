//! What every answer carries besides its content: security headers, what pages may load, which origins may ask.
//! Pure text; `dispatch` puts it on.

use crate::limits::Quota;

/// How long a browser remembers a preflight, s.
const PREFLIGHT_S: &str = "7200";
const REQUEST_HEADERS: &str = "authorization, content-type, range, x-tandem-account";
const EXPOSED_HEADERS: &str =
    "content-range, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-request-id";
const TURNSTILE: &str = "https://challenges.cloudflare.com";

/// What the headers depend on, apart from the answer.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// A development machine speaks plain HTTP.
    pub dev: bool,
    /// Origins whose pages may ask with credentials, separated by commas.
    pub allowed_origins: String,
    /// The `Origin` of the request.
    pub origin: Option<String>,
    /// Host and port of the request.
    pub host: String,
    /// Origins of the sign-in service the dashboard loads, separated by commas.
    pub sign_in: String,
    /// Whether the dashboard shows Turnstile's challenge.
    pub turnstile: bool,
}

/// A header to set.
pub type Header = (&'static str, String);

// === impl Setting ===

impl Setting {
    /// For all answers, errors too. `document` is for the dashboard's own pages, the others show nothing.
    pub fn security(&self, document: bool) -> Vec<Header> {
        let policy =
            if document { self.page_policy() } else { "default-src 'none'; frame-ancestors 'none'".to_owned() };
        let mut headers = vec![
            ("content-security-policy", policy),
            ("x-content-type-options", "nosniff".to_owned()),
            ("x-frame-options", "DENY".to_owned()),
            ("referrer-policy", "strict-origin-when-cross-origin".to_owned()),
            ("permissions-policy", "camera=(), geolocation=(), microphone=(self), payment=(), usb=()".to_owned()),
        ];
        if !self.dev {
            headers.push(("strict-transport-security", "max-age=31536000; includeSubDomains".to_owned()));
        }
        headers
    }

    /// What the dashboard may load: its own files, its own WebSocket, recordings, a sign-in service; no inline script.
    fn page_policy(&self) -> String {
        let socket = if self.dev { "ws:" } else { "wss:" };
        // A Host that is not plain text is not ours to name.
        let plain = !self.host.is_empty()
            && self.host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        let socket = if plain { format!(" {socket}//{}", self.host) } else { String::new() };
        let sign_in: String = self.sign_in_origins().map(|origin| format!(" {origin}")).collect();
        let turnstile = if self.turnstile { format!(" {TURNSTILE}") } else { String::new() };
        let frames = format!("{turnstile}{sign_in}");
        let frames = if frames.is_empty() { " 'none'" } else { &frames };
        [
            "default-src 'none'".to_owned(),
            format!("script-src 'self'{turnstile}{sign_in}"),
            "style-src 'self'".to_owned(),
            format!("img-src 'self' data:{sign_in}"),
            "font-src 'self'".to_owned(),
            format!("connect-src 'self'{socket}{sign_in}"),
            "media-src 'self' blob:".to_owned(),
            "worker-src 'self' blob:".to_owned(),
            "manifest-src 'self'".to_owned(),
            format!("frame-src{frames}"),
            "base-uri 'none'".to_owned(),
            "form-action 'self'".to_owned(),
            "frame-ancestors 'none'".to_owned(),
        ]
        .join("; ")
    }

    /// For a page of another origin, if that origin is allowed. Caches are told that the answer depends on it.
    pub fn cross_origin(&self) -> Vec<Header> {
        let mut headers = vec![("vary", "origin".to_owned())];
        if let Some(origin) = self.allowed_origin() {
            headers.push(("access-control-allow-origin", origin.to_owned()));
            headers.push(("access-control-allow-credentials", "true".to_owned()));
            headers.push(("access-control-expose-headers", EXPOSED_HEADERS.to_owned()));
        }
        headers
    }

    /// The answer to `OPTIONS` for a path with these methods.
    pub fn preflight(&self, methods: &[&str]) -> Vec<Header> {
        let mut methods = methods.to_vec();
        methods.push("OPTIONS");
        let methods = methods.join(", ");
        let mut headers = vec![("allow", methods.clone())];
        if self.allowed_origin().is_some() {
            headers.push(("access-control-allow-methods", methods));
            headers.push(("access-control-allow-headers", REQUEST_HEADERS.to_owned()));
            headers.push(("access-control-max-age", PREFLIGHT_S.to_owned()));
        }
        headers
    }

    /// Those that are an origin and nothing more.
    fn sign_in_origins(&self) -> impl Iterator<Item = &str> {
        self.sign_in.split(',').map(str::trim).filter(|origin| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://").filter(|_| self.dev));
            host.is_some_and(|host| {
                !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
            })
        })
    }

    fn allowed_origin(&self) -> Option<&str> {
        let origin = self.origin.as_deref()?;
        self.allowed_origins.split(',').map(str::trim).find(|allowed| !allowed.is_empty() && *allowed == origin)
    }
}

/// What the tightest limit leaves. The reset is in seconds since the Unix epoch.
pub fn rate_limit(quota: &Quota) -> Vec<Header> {
    vec![
        ("x-ratelimit-limit", quota.limit.to_string()),
        ("x-ratelimit-remaining", quota.remaining.to_string()),
        ("x-ratelimit-reset", quota.reset_at_ms.div_ceil(1000).to_string()),
    ]
}

#[cfg(test)]
mod tests;
