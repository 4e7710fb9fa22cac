//! Answering challenges: 401 and 407 to requests of ours (RFC 3261 22.2, 22.3, RFC 7616 3.4, 3.6).
//! Not here: sending the request again.

use super::params::Params;
use super::{Algorithm, Credentials, Proof};
use crate::message::headers::{self, quoted};
use rsipstack::sip::{Authorization, HasHeaders, Header, ProxyAuthorization, Request, Response};
use rsipstack::transaction::random_text;

/// Challenges answered for one request: a proxy's, the server's, and each once more with a fresh nonce.
const MAX_ANSWERS: usize = 4;

/// Credentials and the challenges they answer, for the length of a dialog.
#[derive(Clone)]
pub(crate) struct Authenticator {
    credentials: Credentials,
    sessions: Vec<Session>,
}

/// One realm's challenge and how often it was answered.
#[derive(Clone)]
struct Session {
    /// Of a proxy (407) rather than of the server (401).
    proxy: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As it was named; a challenge without the parameter gets none back.
    algorithm: Algorithm,
    named: bool,
    /// `auth` was offered.
    counted: bool,
    /// Requests signed with this nonce.
    uses: u32,
}

/// The challenges one request met.
#[derive(Default)]
pub(crate) struct Attempts {
    answered: Vec<(bool, String)>,
}

impl Authenticator {
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, sessions: Vec::new() }
    }

    /// After a redirection elsewhere, credentials are good only for a realm named with them.
    pub fn leave_home(&mut self) -> bool {
        self.sessions.clear();
        self.credentials.realm.is_some()
    }

    /// Takes in a 401 or 407; true when the request is worth sending again, signed.
    ///
    /// A realm that refuses credentials is not asked twice, unless it says that only the nonce was too old, and
    /// no nonce is tried twice.
    pub fn learn(&mut self, response: &Response, attempts: &mut Attempts) -> bool {
        let (proxy, name) = match response.status_code.code() {
            401 => (false, "WWW-Authenticate"),
            407 => (true, "Proxy-Authenticate"),
            _ => return false,
        };
        if attempts.answered.len() >= MAX_ANSWERS {
            return false;
        }
        let mut worth = false;
        let mut realms: Vec<String> = Vec::new();
        for value in headers::values(&response.headers, name) {
            let Some((session, stale)) = self.read(value, proxy) else { continue };
            // The first of a realm's challenges that we understand is the one it likes best (RFC 8760 2.4).
            if realms.contains(&session.realm) {
                continue;
            }
            realms.push(session.realm.clone());
            let key = (proxy, session.realm.clone());
            let tried = self.sessions.iter().any(|known| known.is_for(&key) && known.nonce == session.nonce);
            if tried || (attempts.answered.contains(&key) && !stale) {
                continue;
            }
            self.sessions.retain(|known| !known.is_for(&key));
            self.sessions.push(session);
            attempts.answered.push(key);
            worth = true;
        }
        worth
    }

    /// The challenge in a header, and whether it says that the last nonce was only too old.
    fn read(&self, value: &str, proxy: bool) -> Option<(Session, bool)> {
        let params = Params::parse(value)?;
        let algorithm = Algorithm::parse(params.get("algorithm"))?;
        let realm = params.get("realm")?.to_owned();
        if self.credentials.realm.as_ref().is_some_and(|ours| *ours != realm) {
            return None;
        }
        let counted = match params.get("qop") {
            None => false,
            Some(offered) => {
                // Only `auth-int` is asked for: bodies are not hashed here.
                offered.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")).then_some(true)?
            }
        };
        let session = Session {
            proxy,
            realm,
            nonce: params.get("nonce")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm,
            named: params.get("algorithm").is_some(),
            counted,
            uses: 0,
        };
        let stale = params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        Some((session, stale))
    }

    /// Adds credentials for every realm known; those from an earlier attempt go.
    pub fn sign(&mut self, request: &mut Request) {
        let (method, uri) = (request.method.to_string(), request.uri.to_string());
        let headers = request.headers_mut();
        headers.retain(|h| !matches!(h, Header::Authorization(_) | Header::ProxyAuthorization(_)));
        for session in &mut self.sessions {
            let value = session.answer(&self.credentials, &method, &uri);
            headers.push(if session.proxy {
                Header::ProxyAuthorization(ProxyAuthorization::new(value))
            } else {
                Header::Authorization(Authorization::new(value))
            });
        }
    }
}

impl Session {
    fn is_for(&self, (proxy, realm): &(bool, String)) -> bool {
        self.proxy == *proxy && self.realm == *realm
    }

    /// The value of Authorization or Proxy-Authorization.
    fn answer(&mut self, credentials: &Credentials, method: &str, uri: &str) -> String {
        self.uses = self.uses.saturating_add(1);
        let (nc, cnonce) = (format!("{:08x}", self.uses), random_text(16));
        let counted = self.counted.then_some((nc.as_str(), cnonce.as_str()));
        let proof = Proof { algorithm: self.algorithm, realm: &self.realm, nonce: &self.nonce, method, uri, counted };
        let response = proof.response(&credentials.user, &credentials.password);
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri=\"{uri}\", response=\"{response}\"",
            quoted(&credentials.user),
            escaped(&self.realm),
            escaped(&self.nonce),
        );
        if self.named {
            value.push_str(", algorithm=");
            value.push_str(self.algorithm.token());
        }
        if counted.is_some() {
            value.push_str(&format!(", cnonce=\"{cnonce}\", qop=auth, nc={nc}"));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", escaped(opaque)));
        }
        value
    }
}

/// A value of theirs, back in quotes whatever its length.
fn escaped(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
