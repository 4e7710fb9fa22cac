//! Why a call of ours was not answered, as the other side put it (RFC 3261 21, 20.33, 20.43, RFC 3326).
//! Not here: trying elsewhere (`invite_client`, `redirect`).

use crate::message::headers;
use rsipstack::sip::Response;
use std::time::Duration;

/// The final answer to an INVITE that was not answered with 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// 300 to 699. Ours are 408 (nobody answered), 487 (cancelled), 502 (a 200 that is no use), 503 (the
    /// connection broke).
    pub code: u16,
    /// Reason phrase.
    pub reason: String,
    /// When it makes sense to try again.
    pub retry_after: Option<Duration>,
    /// Cause of a Reason header with protocol Q.850: 17 busy, 18 no response, 1 unallocated number and so on.
    pub cause: Option<u8>,
    /// Text of the first Warning.
    pub warning: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), retry_after: None, cause: None, warning: None }
    }

    pub(crate) fn of(response: &Response) -> Self {
        let reason = response.wire_reason.clone().unwrap_or_else(|| response.status_code.text().to_owned());
        let value = |name| headers::value(&response.headers, name);
        Self {
            retry_after: value("Retry-After").as_deref().and_then(retry_after),
            cause: headers::values(&response.headers, "Reason").find_map(q850),
            warning: value("Warning").as_deref().and_then(warning),
            ..Self::new(response.status_code.code(), reason)
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.reason)?;
        match self.cause {
            Some(cause) => write!(f, " (Q.850 {cause})"),
            None => Ok(()),
        }
    }
}

/// Seconds, before a comment or parameters: `18 (in a meeting);duration=60`.
fn retry_after(value: &str) -> Option<Duration> {
    let digits = value.trim().split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().map(Duration::from_secs)
}

/// The cause in `Q.850;cause=17;text="busy"`, which may stand beside other protocols' reasons.
fn q850(value: &str) -> Option<u8> {
    value.split(',').find_map(|reason| {
        let (protocol, params) = reason.trim().split_once(';')?;
        if !protocol.trim().eq_ignore_ascii_case("Q.850") {
            return None;
        }
        params.split(';').find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim().eq_ignore_ascii_case("cause").then(|| value.trim().parse().ok())?
        })
    })
}

/// The quoted text of `399 host "text"`.
fn warning(value: &str) -> Option<String> {
    let (_, quoted) = value.split_once('"')?;
    let text = quoted.rsplit_once('"').map_or(quoted, |(text, _)| text);
    (!text.is_empty()).then(|| text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_waits_and_warnings_are_read_beside_others() {
        assert_eq!(q850("Q.850;cause=17;text=\"User busy\""), Some(17));
        assert_eq!(q850("SIP;cause=486, q.850 ; text=\"x\" ; cause = 31"), Some(31));
        assert_eq!(q850("SIP;cause=486"), None);
        assert_eq!(q850("Q.850;cause=999"), None);
        assert_eq!(retry_after("18 (in a meeting);duration=60"), Some(Duration::from_secs(18)));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(warning("399 a.example \"no \\\"money\\\"\"").as_deref(), Some("no \"money\""));
    }
}
