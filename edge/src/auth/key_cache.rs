//! When an issuer's keys are fetched again: when they are old, or when a token asks for one that is not known.
//! Fetching is `jwks`'.

use jsonwebtoken::jwk::Jwk;

/// Older keys are fetched again, ms.
pub const FRESH_MS: u64 = 10 * 60 * 1000;
/// Older keys are not used even if there are no others, ms.
pub const STALE_MS: u64 = 60 * 60 * 1000;
/// Between two attempts, ms: a flood of unknown key ids is not a flood for the issuer.
pub const PAUSE_MS: u64 = 30 * 1000;

/// One issuer's keys, as this isolate knows them.
#[derive(Debug, Default)]
pub struct KeyCache {
    url: String,
    keys: Vec<Jwk>,
    fetched_at_ms: Option<u64>,
    attempted_at_ms: Option<u64>,
}

/// What to do before keys are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Use,
    /// Fetch them first. The attempt is counted already.
    Fetch,
}

// === impl KeyCache ===

impl KeyCache {
    pub fn is_empty(&self, url: &str) -> bool {
        self.url != url || self.fetched_at_ms.is_none()
    }

    /// Whether a token that asks for `kid` needs a fetch.
    pub fn next(&mut self, url: &str, kid: &str, now_ms: u64) -> Next {
        if self.url != url {
            *self = Self { url: url.to_owned(), ..Self::default() };
        }
        let fresh = self.fetched_at_ms.is_some_and(|at| now_ms.saturating_sub(at) < FRESH_MS);
        let known = self.keys.iter().any(|key| key.common.key_id.as_deref() == Some(kid));
        let paused = self.attempted_at_ms.is_some_and(|at| now_ms.saturating_sub(at) < PAUSE_MS);
        // Without any keys every request tries: nobody could be let in otherwise.
        if (fresh && known) || (paused && self.fetched_at_ms.is_some()) {
            return Next::Use;
        }
        self.attempted_at_ms = Some(now_ms);
        Next::Fetch
    }

    /// Newly fetched keys replace all that were known.
    pub fn put(&mut self, url: &str, keys: Vec<Jwk>, fetched_at_ms: u64) {
        let attempted_at_ms = if self.url == url { self.attempted_at_ms } else { None };
        *self = Self { url: url.to_owned(), keys, fetched_at_ms: Some(fetched_at_ms), attempted_at_ms };
    }

    /// The keys, if they are not too old.
    pub fn keys(&self, url: &str, now_ms: u64) -> Option<Vec<Jwk>> {
        let at = self.fetched_at_ms.filter(|_| self.url == url)?;
        (now_ms.saturating_sub(at) < STALE_MS).then(|| self.keys.clone())
    }
}

#[cfg(test)]
mod tests;
