//! Challenging requests and judging the answers (RFC 3261 22.1, RFC 7616 3.3, 5.4, RFC 8760 2.3).
//! Not here: which requests need it (`dispatch`).

use super::params::Params;
use super::{Algorithm, Credentials, Proof, hex};
use crate::agent::lock;
use crate::message::headers::{self, quoted};
use crate::message::response::Reply;
use hmac::{Hmac, Mac};
use ipnet::IpNet;
use rsipstack::sip::Request;
use secrecy::SecretString;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a nonce is good for.
const NONCE_LIFE: Duration = Duration::from_secs(60);

/// Best first (RFC 8760 2.3).
const OFFERED: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Md5];

/// Who may call without a trusted proxy before us.
#[derive(Debug, Clone)]
pub struct DigestConfig {
    /// The realm named in challenges.
    pub realm: String,
    /// Who may call; the realm in here is not looked at.
    pub users: Vec<Credentials>,
    /// Addresses whose requests are not challenged: proxies that know who calls.
    pub trusted: Vec<IpNet>,
}

/// What a request that should be authenticated deserves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The user's name.
    Known(String),
    /// Challenge again; `stale` when only the nonce was too old.
    Unknown { stale: bool },
}

/// Challenges and judges. Nonces need no memory until they were used well: they carry their time and a seal.
pub(crate) struct Guard {
    config: DigestConfig,
    /// Compared against for users that do not exist, so that both take the same time.
    nobody: SecretString,
    seal: [u8; 32],
    /// Highest `nc` of each nonce that let somebody in, with the nonce's time in seconds.
    used: Mutex<HashMap<String, (u64, u32)>>,
}

impl Guard {
    pub fn new(config: DigestConfig) -> Self {
        let nobody = SecretString::from(hex(&rand::random::<[u8; 16]>()));
        Self { config, nobody, seal: rand::random(), used: Mutex::default() }
    }

    pub fn trusts(&self, source: IpAddr) -> bool {
        self.config.trusted.iter().any(|range| range.contains(&source))
    }

    /// 401 with a fresh nonce. `now` is any clock in seconds that does not go back.
    pub fn challenge(&self, stale: bool, now: u64) -> Reply {
        let nonce = self.nonce(now, rand::random());
        let stale = if stale { ", stale=true" } else { "" };
        OFFERED.iter().fold(Reply::new(401), |reply, algorithm| {
            let realm = quoted(&self.config.realm);
            let token = algorithm.token();
            let value = format!("Digest realm={realm}, nonce=\"{nonce}\", algorithm={token}, qop=\"auth\"{stale}");
            reply.header("WWW-Authenticate", value)
        })
    }

    /// Looks at the credentials of a request. A nonce may be used again only with a higher `nc`.
    pub fn judge(&self, request: &Request, now: u64) -> Verdict {
        let unknown = Verdict::Unknown { stale: false };
        let answers = headers::values(&request.headers, "Authorization").filter_map(Params::parse);
        let Some(params) = answers.into_iter().find(|params| params.get("realm") == Some(&self.config.realm)) else {
            return unknown;
        };
        let Some(answer) = Answer::read(&params) else { return unknown };
        let Some(issued) = self.issued(answer.nonce) else { return unknown };
        let user = self.config.users.iter().find(|user| user.user == answer.user);
        let expected = Proof {
            algorithm: answer.algorithm,
            realm: &self.config.realm,
            nonce: answer.nonce,
            method: &request.method.to_string(),
            // Not compared with the request URI, which proxies rewrite; `nc` keeps an answer from a second use.
            uri: answer.uri,
            counted: Some((answer.nc, answer.cnonce)),
        }
        .response(answer.user, user.map_or(&self.nobody, |user| &user.password));
        let right: bool = expected.as_bytes().ct_eq(answer.response.to_ascii_lowercase().as_bytes()).into();
        if !right || user.is_none() {
            return unknown;
        }
        if now.saturating_sub(issued) > NONCE_LIFE.as_secs() {
            return Verdict::Unknown { stale: true };
        }
        let Ok(count) = u32::from_str_radix(answer.nc, 16) else { return unknown };
        if self.count(answer.nonce, issued, count, now) {
            Verdict::Known(answer.user.to_owned())
        } else {
            Verdict::Unknown { stale: true }
        }
    }

    /// Notes a use of a nonce; false when it was used before (RFC 7616 5.4).
    fn count(&self, nonce: &str, issued: u64, count: u32, now: u64) -> bool {
        let mut used = lock(&self.used);
        used.retain(|_, (issued, _)| now.saturating_sub(*issued) <= NONCE_LIFE.as_secs());
        let (_, highest) = used.entry(nonce.to_owned()).or_insert((issued, 0));
        let fresh = count > *highest;
        *highest = (*highest).max(count);
        fresh
    }

    /// Time, a random number, and a seal over both that only we can make.
    fn nonce(&self, now: u64, random: u64) -> String {
        let body = format!("{now:016x}{random:016x}");
        let seal = self.sealed(&body);
        body + &seal
    }

    /// When we issued a nonce; `None` when we did not.
    fn issued(&self, nonce: &str) -> Option<u64> {
        let (body, seal) = nonce.split_at_checked(32)?;
        let ours: bool = self.sealed(body).as_bytes().ct_eq(seal.as_bytes()).into();
        if !ours {
            return None;
        }
        u64::from_str_radix(body.get(..16)?, 16).ok()
    }

    fn sealed(&self, body: &str) -> String {
        match <Hmac<sha2::Sha256> as Mac>::new_from_slice(&self.seal) {
            Ok(mut mac) => {
                mac.update(body.as_bytes());
                hex(&mac.finalize().into_bytes())
            }
            // HMAC takes keys of any length; without a seal no nonce would be ours.
            Err(_) => String::new(),
        }
    }
}

/// The parameters of Authorization that we rely on; all of them must be there.
struct Answer<'a> {
    user: &'a str,
    nonce: &'a str,
    uri: &'a str,
    response: &'a str,
    nc: &'a str,
    cnonce: &'a str,
    algorithm: Algorithm,
}

impl<'a> Answer<'a> {
    /// Only qop `auth`, which is what we offer.
    fn read(params: &'a Params) -> Option<Self> {
        params.get("qop").filter(|qop| qop.eq_ignore_ascii_case("auth"))?;
        Some(Self {
            user: params.get("username")?,
            nonce: params.get("nonce")?,
            uri: params.get("uri")?,
            response: params.get("response")?,
            nc: params.get("nc").filter(|nc| nc.len() == 8)?,
            cnonce: params.get("cnonce")?,
            algorithm: Algorithm::parse(params.get("algorithm"))?,
        })
    }
}
