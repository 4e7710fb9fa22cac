//! Sentry's protocol, as much of it as an alert needs: the DSN and an envelope with one event.
//! <https://develop.sentry.dev/sdk/foundations/transport/envelopes>. Sending it is `alert`'s.

use serde_json::{Map, Value, json};
use thiserror::Error;
use url::Url;

/// Where events go, and as whom: `https://<key>@<host>/<project>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dsn {
    text: String,
    key: String,
    /// Scheme, host, port and path before the project.
    base: String,
    project: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the Sentry DSN is not of the form https://key@host/project")]
pub struct DsnError;

/// An alert as Sentry takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub url: String,
    /// Value of `X-Sentry-Auth`.
    pub auth: String,
    pub body: String,
}

const CLIENT: &str = concat!("tandem-edge/", env!("CARGO_PKG_VERSION"));

// === impl Dsn ===

impl Dsn {
    /// # Errors
    /// If the text is no DSN.
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        let url = Url::parse(text).map_err(|_| DsnError)?;
        let (path, project) = url.path().rsplit_once('/').ok_or(DsnError)?;
        let host = url.host_str().ok_or(DsnError)?;
        if !matches!(url.scheme(), "http" | "https") || url.username().is_empty() || project.is_empty() {
            return Err(DsnError);
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self {
            text: text.to_owned(),
            key: url.username().to_owned(),
            base: format!("{}://{host}{port}{path}", url.scheme()),
            project: project.to_owned(),
        })
    }

    /// One event. `event_id`: 32 digits of hex. The message groups events; the facts tell them apart.
    pub fn envelope(
        &self,
        event_id: &str,
        environment: &str,
        message: &str,
        facts: &[(&str, &str)],
        now_ms: u64,
    ) -> Envelope {
        let facts: Map<String, Value> = facts
            .iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let event = json!({
            "event_id": event_id,
            "timestamp": now_ms as f64 / 1000.0,
            "platform": "other",
            "level": "fatal",
            "logger": "edge",
            "environment": environment,
            "release": CLIENT.replace('/', "@"),
            "message": { "formatted": message },
            "fingerprint": [message, facts.get("kind").cloned().unwrap_or_default(), facts.get("endpoint").cloned().unwrap_or_default()],
            "extra": facts,
        })
        .to_string();
        let header = json!({ "event_id": event_id, "dsn": self.text });
        let item = json!({ "type": "event", "length": event.len(), "content_type": "application/json" });
        Envelope {
            url: format!("{}/api/{}/envelope/", self.base, self.project),
            auth: format!("Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={}", self.key),
            body: format!("{header}\n{item}\n{event}\n"),
        }
    }
}

#[cfg(test)]
mod tests;
