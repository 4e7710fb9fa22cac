//! `X-Twilio-Signature`: HMAC-SHA1 with the account's auth token over the URL that was asked for, in base64.
//! Who needs one is `gate`'s. <https://www.twilio.com/docs/usage/webhooks/webhooks-security>

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::config::TwilioConfig;

pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// What signatures are checked with.
pub struct Verifier<'a> {
    /// The account's auth token.
    pub auth_token: &'a [u8],
    /// The URL Twilio was told to open, without its query; empty: `wss://`, the host that was asked for, and the path.
    pub url: &'a str,
}

// === impl Verifier ===

impl<'a> Verifier<'a> {
    /// `None` where nothing is to be verified.
    pub fn new(config: &'a TwilioConfig) -> Option<Self> {
        let auth_token = config.auth_token.0.as_bytes();
        (!auth_token.is_empty()).then_some(Self { auth_token, url: &config.url })
    }

    /// Whether whoever knows the token signed the request for `path_and_query`.
    pub fn verifies(&self, signature: &str, path_and_query: &str, headers: &HeaderMap) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        self.urls(path_and_query, headers).iter().any(|url| {
            let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(self.auth_token) else { return false };
            mac.update(url.as_bytes());
            // In the same time whatever is wrong.
            mac.verify_slice(&signature).is_ok()
        })
    }

    /// The URL as it may have been signed: with or without its port, and with or without a slash behind it.
    fn urls(&self, path_and_query: &str, headers: &HeaderMap) -> Vec<String> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let bases = if self.url.is_empty() {
            let named = |name| headers.get(name).and_then(|host| host.to_str().ok());
            let host = named("x-forwarded-host").or_else(|| named(header::HOST.as_str())).unwrap_or_default();
            let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
            [host, without_port].map(|host| format!("wss://{host}{path}")).to_vec()
        } else {
            vec![self.url.to_owned()]
        };
        bases.iter().flat_map(|base| ["", "/"].map(|slash| format!("{base}{slash}{query}"))).collect()
    }
}

#[cfg(test)]
mod tests;
