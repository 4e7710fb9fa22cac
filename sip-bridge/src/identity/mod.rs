//! Who vouches for the caller's number: Identity headers verified (STIR/SHAKEN: RFC 8224, 8225, 8226, 8588).
//! Not here: fetching certificates, and what a call that nobody vouches for deserves.

mod certificate;
mod number;
pub(crate) mod passport;

#[cfg(test)]
mod tests;

use crate::{CallInfo, Rejection};
use certificate::Roots;
pub use certificate::{CertificateFetcher, RootsError};
use passport::{Party, Passport};
use std::time::Duration;

/// A PASSporT older or newer than this is not believed (RFC 8224 6.2.2 step 4).
const FRESHNESS: Duration = Duration::from_secs(60);

/// More Identity headers are not looked at.
const MAX_HEADERS: usize = 8;

/// How much the signing carrier knows about its caller (RFC 8588 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    /// A: it knows the customer, who may use the number.
    Full,
    /// B: it knows the customer, not whether the number is theirs.
    Partial,
    /// C: it only passes the call on.
    Gateway,
}

impl Attestation {
    /// A, B or C.
    pub fn letter(self) -> char {
        match self {
            Self::Full => 'A',
            Self::Partial => 'B',
            Self::Gateway => 'C',
        }
    }
}

/// An Identity that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// `None` for a PASSporT that is no SHAKEN one: the number is vouched for all the same.
    pub attestation: Option<Attestation>,
    /// The caller's number, digits only, or URI.
    pub caller: String,
    /// Names the call's origin to whoever signed it.
    pub origid: Option<String>,
    /// When it was signed, in seconds since 1970.
    pub issued_at: u64,
    /// Where its certificate was.
    pub certificate_url: String,
}

/// Why an Identity does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("the call carries no Identity")]
    Missing,
    #[error("the Identity cannot be read: {0}")]
    Malformed(&'static str),
    /// Another algorithm than ES256, or only kinds of PASSporT that vouch for no number.
    #[error("the Identity is of a kind not verified here: {0}")]
    Unsupported(String),
    /// Seconds between its time and ours.
    #[error("the Identity was signed {0} s away from now")]
    Expired(u64),
    #[error("the Identity is for {claimed:?}, the call says {said:?}")]
    NumberMismatch { claimed: String, said: String },
    #[error("the certificate at {url} cannot be had: {why}")]
    Unreachable { url: String, why: String },
    #[error("the certificate at {url} is not trusted: {why}")]
    Untrusted { url: String, why: String },
    #[error("the Identity's signature is wrong")]
    BadSignature,
}

impl IdentityError {
    /// The code a call may be refused with for it (RFC 8224 6.2.2).
    pub fn sip_code(&self) -> u16 {
        match self {
            Self::Missing => 428,
            Self::Expired(_) => 403,
            Self::Unreachable { .. } => 436,
            Self::Untrusted { .. } | Self::Unsupported(_) => 437,
            Self::Malformed(_) | Self::NumberMismatch { .. } | Self::BadSignature => 438,
        }
    }
}

impl From<&IdentityError> for Rejection {
    /// The answer to an INVITE that is refused for it, with the RFC's own words.
    fn from(error: &IdentityError) -> Self {
        let code = error.sip_code();
        let phrase = match code {
            403 => "Stale Date",
            428 => "Use Identity Header",
            436 => "Bad Identity Info",
            437 => "Unsupported Credential",
            _ => "Invalid Identity Header",
        };
        Self { reason: Some(phrase.to_owned()), warning: Some((399, error.to_string())), ..Self::new(code) }
    }
}

/// Verifies calls against the authorities it trusts. Does not check which numbers a certificate may vouch for
/// (RFC 8226 9), nor revocation.
pub struct IdentityVerifier {
    roots: Roots,
}

impl IdentityVerifier {
    /// `roots` are the certificates of the authorities, PEM.
    pub fn new(roots: &[u8]) -> Result<Self, RootsError> {
        Ok(Self { roots: Roots::read(roots)? })
    }

    /// Verifies the Identity of a call that came in. `now` is the time since 1970.
    ///
    /// Cheap checks come first: nothing is fetched for an Identity that is too old or for another call.
    pub async fn verify(
        &self,
        call: &CallInfo,
        now: Duration,
        certificates: &dyn CertificateFetcher,
    ) -> Result<Vouched, IdentityError> {
        let passport = chosen(&call.identity)?;
        let age = now.as_secs().abs_diff(passport.issued_at);
        if age > FRESHNESS.as_secs() {
            return Err(IdentityError::Expired(age));
        }
        // A carrier asserts the number it vouches for; without that it is the From (RFC 8224 4).
        let said = call.asserted.first().map_or(call.from.as_str(), |asserted| &asserted.uri);
        if !passport.orig.is(said) {
            return Err(mismatch(std::slice::from_ref(&passport.orig), said));
        }
        if ![&call.to, &call.request_uri].iter().any(|called| passport.dest.iter().any(|dest| dest.is(called))) {
            return Err(mismatch(&passport.dest, &call.to));
        }
        let url = &passport.certificate_url;
        let bytes =
            certificates.fetch(url).await.map_err(|why| IdentityError::Unreachable { url: url.clone(), why })?;
        let key =
            self.roots.trusted_key(&bytes, now).map_err(|why| IdentityError::Untrusted { url: url.clone(), why })?;
        if !key.signed(passport.signed.as_bytes(), &passport.signature) {
            return Err(IdentityError::BadSignature);
        }
        Ok(Vouched {
            attestation: passport.attestation,
            caller: passport.orig.text().to_owned(),
            origid: passport.origid,
            issued_at: passport.issued_at,
            certificate_url: passport.certificate_url,
        })
    }
}

fn mismatch(claimed: &[Party], said: &str) -> IdentityError {
    let claimed: Vec<&str> = claimed.iter().map(Party::text).collect();
    IdentityError::NumberMismatch { claimed: claimed.join(", "), said: said.to_owned() }
}

/// The first Identity that vouches for a number; the others tell of diversions, names and the like.
fn chosen(headers: &[String]) -> Result<Passport, IdentityError> {
    let mut first_error = None;
    for header in headers.iter().take(MAX_HEADERS) {
        match Passport::read(header) {
            Ok(passport) => return Ok(passport),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or(IdentityError::Missing))
}
