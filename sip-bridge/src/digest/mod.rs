//! Digest authentication (RFC 3261 22, RFC 7616, RFC 8760): what both sides compute, with MD5 and SHA-256.
//! Not here: which requests are challenged (`dispatch`) or sent again (`invite_client`, `dialog::core`).

pub(crate) mod client;
pub(crate) mod params;
pub(crate) mod server;

#[cfg(test)]
mod tests;

use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;

/// A user name and its password, for one realm or for any.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: String,
    /// Never logged, and never sent: only hashes of it are.
    pub password: SecretString,
    /// The realm it is good for; `None` answers whichever the next hop names.
    pub realm: Option<String>,
}

/// What is hashed with. Others (SHA-512-256, the `-sess` variants) are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Md5,
}

impl Algorithm {
    /// Reads the `algorithm` parameter; without one it is MD5 (RFC 7616 3.3).
    fn parse(token: Option<&str>) -> Option<Self> {
        match token {
            None => Some(Self::Md5),
            Some(token) if token.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            Some(token) if token.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    fn token(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// The hash of `text` in lower-case hexadecimal.
    fn hash(self, text: &str) -> String {
        match self {
            Self::Sha256 => hex(&<sha2::Sha256 as sha2::Digest>::digest(text.as_bytes())),
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What goes into a response besides the password (RFC 7616 3.4.1).
struct Proof<'a> {
    algorithm: Algorithm,
    realm: &'a str,
    nonce: &'a str,
    method: &'a str,
    /// The `uri` parameter.
    uri: &'a str,
    /// `nc` and `cnonce` with qop `auth`; `None` is the older form without qop (RFC 2069).
    counted: Option<(&'a str, &'a str)>,
}

impl Proof<'_> {
    fn response(&self, user: &str, password: &SecretString) -> String {
        let Self { algorithm, realm, nonce, method, uri, counted } = self;
        let secret = algorithm.hash(&format!("{user}:{realm}:{}", password.expose_secret()));
        let request = algorithm.hash(&format!("{method}:{uri}"));
        match counted {
            Some((nc, cnonce)) => algorithm.hash(&format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{request}")),
            None => algorithm.hash(&format!("{secret}:{nonce}:{request}")),
        }
    }
}
