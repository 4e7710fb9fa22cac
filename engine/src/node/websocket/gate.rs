//! Who may open a WebSocket: who signs as the edge or Twilio does, or shows the token, or is on this machine, or all if told so.
//! Whether there is room for a call, and whether the call may start, is asked after this.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, StatusCode, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge_protocol::signature::{AHEAD_MS, SIGNATURE_HEADER, TIMESTAMP_HEADER, WINDOW_MS, verify};

use super::twilio::signature::{SIGNATURE_HEADER as TWILIO_HEADER, Verifier};

/// How Telnyx shows the token its stream was given.
const TELNYX_HEADER: &str = "x-telnyx-streaming-auth-token";

/// How a client came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It holds the edge's secret, and may say what admission decided.
    Signed,
    /// It is nobody in particular.
    Unsigned,
}

/// An answer in place of the upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub reason: String,
}

/// What decides.
pub struct Gate<'a> {
    /// The edge's secret; `None` without an edge.
    pub secret: Option<&'a [u8]>,
    /// Without an edge, clients from elsewhere are welcome.
    pub open: bool,
    pub seen: &'a SeenSignatures,
    /// What clients from elsewhere show; empty: none do.
    pub token: &'a [u8],
    /// Where Twilio's signature is wanted of whoever is not on this machine.
    pub twilio: Option<Verifier<'a>>,
}

/// Signatures that were used and would still be young enough to be used again.
#[derive(Debug, Default)]
pub struct SeenSignatures(Mutex<HashMap<String, u64>>);

// === impl Gate ===

impl Gate<'_> {
    /// `signed_part` is the path with its query, `now_ms` the wall clock.
    pub fn admit(
        &self,
        peer: SocketAddr,
        signed_part: &str,
        headers: &HeaderMap,
        now_ms: u64,
    ) -> Result<Entry, Refusal> {
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (timestamp, signature) = (value(TIMESTAMP_HEADER), value(SIGNATURE_HEADER));
        if timestamp.is_none() && signature.is_none() {
            if let Some((twilio, signature)) = self.twilio.as_ref().zip(value(TWILIO_HEADER)) {
                let verified = twilio.verifies(signature, signed_part, headers);
                let unverified = || unauthorised("X-Twilio-Signature does not fit twilio.auth_token and the URL");
                return verified.then_some(Entry::Unsigned).ok_or_else(unverified);
            }
            return self.admit_unsigned(peer, headers);
        }
        let Some(secret) = self.secret else {
            return Err(unauthorised("this node has no edge, so it knows no secret to check signatures with"));
        };
        verify(secret, timestamp, signature, signed_part.as_bytes(), now_ms)
            .map_err(|error| unauthorised(&error.to_string()))?;
        if !self.seen.is_new(signature.unwrap_or_default(), now_ms) {
            return Err(unauthorised("the signature was used before"));
        }
        Ok(Entry::Signed)
    }

    fn admit_unsigned(&self, peer: SocketAddr, headers: &HeaderMap) -> Result<Entry, Refusal> {
        let forwarded = headers.contains_key(header::FORWARDED) || headers.contains_key("x-forwarded-for");
        let local = peer.ip().to_canonical().is_loopback() && !forwarded && !is_foreign_page(headers);
        if local || self.is_shown_token(headers) || (self.open && self.secret.is_none() && self.twilio.is_none()) {
            return Ok(Entry::Unsigned);
        }
        if self.twilio.is_some() {
            return Err(unauthorised("the request is not signed by Twilio"));
        }
        if self.secret.is_some() {
            return Err(unauthorised("the request is not signed"));
        }
        let reason = "only clients on this machine are served, and who shows websocket_token".to_owned();
        Err(Refusal { status: StatusCode::FORBIDDEN, code: "forbidden", reason })
    }

    /// As a bearer token, as the password of any user, or as Telnyx shows it.
    fn is_shown_token(&self, headers: &HeaderMap) -> bool {
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = value(header::AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '));
        let shown = match authorization {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim().as_bytes().to_vec()),
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
                let pair = STANDARD.decode(pair.trim()).unwrap_or_default();
                pair.iter().position(|byte| *byte == b':').and_then(|at| pair.get(at + 1..)).map(<[u8]>::to_vec)
            }
            _ => value(TELNYX_HEADER).map(|token| token.as_bytes().to_vec()),
        };
        let shown = shown.unwrap_or_default();
        // In the same time whatever is wrong.
        let differing = self.token.iter().zip(&shown).fold(0, |differing, (a, b)| differing | (a ^ b));
        !self.token.is_empty() && self.token.len() == shown.len() && differing == 0
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

// === impl SeenSignatures ===

impl SeenSignatures {
    /// True once for each signature. Only good ones are asked about, so strangers cannot fill the memory.
    fn is_new(&self, signature: &str, now_ms: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, until| *until >= now_ms);
        seen.insert(signature.to_owned(), now_ms + WINDOW_MS + AHEAD_MS).is_none()
    }
}

/// A browser opens the socket for a page that is not of this machine: the page's reader did not ask for it.
fn is_foreign_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let page = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = page.as_ref().and_then(Uri::host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host != "localhost" && !address.is_ok_and(|ip| ip.is_loopback())
}

fn unauthorised(reason: &str) -> Refusal {
    Refusal { status: StatusCode::UNAUTHORIZED, code: "unauthorized", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
