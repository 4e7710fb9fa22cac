//! Vars and secrets as this feature reads them: one that is empty is not set.
//! What they are called is in wrangler.toml.

use worker::Env;

use super::loopback;

/// A var or secret; `None` if it is not set or empty.
pub fn text(env: &Env, name: &str) -> Option<String> {
    env.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty())
}

/// Whether this is somebody's own machine: it says so, and it is reached at this machine's address only. A deployment
/// that was left at dev by mistake is none.
pub fn is_dev(env: &Env) -> bool {
    text(env, "ENVIRONMENT").as_deref() == Some("dev")
        && text(env, "PUBLIC_URL").is_some_and(|url| loopback::is_loopback(&url))
}
