//! A PASSporT as an Identity header carries it (RFC 8224 4, RFC 8225 4, 5, RFC 8588 5).
//! Not here: whether it is true.

use super::{Attestation, IdentityError, number};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// A longer Identity header is not read.
const MAX_BYTES: usize = 8 * 1024;

/// One side of the call in a PASSporT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Party {
    /// Digits only.
    Number(String),
    Uri(String),
}

impl Party {
    /// Whether a URI of the call's headers is this party.
    pub fn is(&self, uri: &str) -> bool {
        match self {
            Self::Number(number) => number::of_uri(uri).as_ref() == Some(number),
            Self::Uri(ours) => ours.eq_ignore_ascii_case(uri),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Number(text) | Self::Uri(text) => text,
        }
    }
}

/// What was signed, and the signature.
#[derive(Debug)]
pub(crate) struct Passport {
    pub orig: Party,
    pub dest: Vec<Party>,
    pub issued_at: u64,
    pub attestation: Option<Attestation>,
    pub origid: Option<String>,
    pub certificate_url: String,
    /// Header and payload as they were signed.
    pub signed: String,
    /// r and s, 32 bytes each (RFC 7518 3.4).
    pub signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    ppt: Option<String>,
    x5u: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    orig: Orig,
    dest: Dest,
    iat: u64,
    attest: Option<String>,
    origid: Option<String>,
}

#[derive(Deserialize)]
struct Orig {
    tn: Option<String>,
    uri: Option<String>,
}

#[derive(Deserialize)]
struct Dest {
    #[serde(default)]
    tn: Vec<String>,
    #[serde(default)]
    uri: Vec<String>,
}

impl Passport {
    /// Reads an Identity header: `token;info=<url>;alg=ES256;ppt=shaken`.
    pub fn read(value: &str) -> Result<Self, IdentityError> {
        let malformed = IdentityError::Malformed;
        if value.len() > MAX_BYTES {
            return Err(malformed("too long"));
        }
        let mut parts = value.split(';').map(str::trim);
        let token = parts.next().unwrap_or_default();
        let info = parts.find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.trim().eq_ignore_ascii_case("info").then(|| value.trim().trim_matches(['<', '>']))
        });
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed("no token of three parts"))?;
        let (header, payload) = signed.split_once('.').ok_or(malformed("no token of three parts"))?;
        if header.is_empty() || payload.is_empty() {
            // The compact form leaves out what the headers say; SHAKEN forbids it (ATIS-1000074 5.2.3).
            return Err(IdentityError::Unsupported("the compact form".to_owned()));
        }
        let header: Header = json(header).ok_or(malformed("its header is no JSON of a PASSporT"))?;
        if header.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("passport")) {
            return Err(malformed("its type is not passport"));
        }
        if header.alg != "ES256" {
            return Err(IdentityError::Unsupported(format!("alg {:?}", header.alg)));
        }
        if let Some(ppt) = header.ppt.as_deref().filter(|ppt| *ppt != "shaken") {
            return Err(IdentityError::Unsupported(format!("ppt {ppt:?}")));
        }
        let payload: Payload = json(payload).ok_or(malformed("its payload is no JSON of a PASSporT"))?;
        let certificate_url = header.x5u.ok_or(malformed("no x5u"))?;
        if info.is_some_and(|info| info != certificate_url) {
            return Err(malformed("info and x5u differ"));
        }
        if !is_secure(&certificate_url) {
            return Err(malformed("x5u is no https: URL"));
        }
        let attestation = match payload.attest.as_deref() {
            Some("A") => Some(Attestation::Full),
            Some("B") => Some(Attestation::Partial),
            Some("C") => Some(Attestation::Gateway),
            Some(_) => return Err(malformed("attest is none of A, B and C")),
            None if header.ppt.is_some() => return Err(malformed("a SHAKEN PASSporT without attest")),
            None => None,
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed("its signature is no base64url"))?;
        Ok(Self {
            orig: payload.orig.party()?,
            dest: payload.dest.parties()?,
            issued_at: payload.iat,
            attestation,
            origid: payload.origid,
            certificate_url,
            signed: signed.to_owned(),
            signature,
        })
    }
}

impl Orig {
    fn party(self) -> Result<Party, IdentityError> {
        match (self.tn, self.uri) {
            (Some(tn), None) => {
                number::digits(&tn).map(Party::Number).ok_or(IdentityError::Malformed("orig is no number"))
            }
            (None, Some(uri)) => Ok(Party::Uri(uri)),
            _ => Err(IdentityError::Malformed("orig is not one number or URI")),
        }
    }
}

impl Dest {
    fn parties(self) -> Result<Vec<Party>, IdentityError> {
        let numbers = self.tn.iter().filter_map(|tn| number::digits(tn)).map(Party::Number);
        let parties: Vec<Party> = numbers.chain(self.uri.into_iter().map(Party::Uri)).collect();
        if parties.is_empty() { Err(IdentityError::Malformed("dest names nobody")) } else { Ok(parties) }
    }
}

/// `https:`, or `http:` to this very machine, where nobody listens in.
fn is_secure(url: &str) -> bool {
    let begins = |with: &str| url.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins("https://") || begins("http://127.0.0.1:") || begins("http://[::1]:")
}

/// Base64url of JSON.
fn json<T: for<'a> Deserialize<'a>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
