//! Who the other side of a DTLS association must be, and which side begins it: a=fingerprint (RFC 8122) and a=setup
//! (RFC 4145, RFC 5763). Not here: whether DTLS is wanted (`security`), and the handshake.

use std::fmt;

/// Hash functions of fingerprints that are believed, strongest last. SHA-1 and older are not: forging a second
/// certificate with the same hash is what a fingerprint has to prevent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    Sha256,
    Sha384,
    Sha512,
}

/// Hash of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    pub hash: HashFunction,
    /// As long as the hash function's output.
    pub digest: Vec<u8>,
}

/// Our part in a DTLS association.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// DTLS client: we begin.
    Active,
    /// DTLS server: we wait.
    Passive,
}

/// Value of a=setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Setup {
    Active,
    Passive,
    ActPass,
    HoldConn,
}

// === impl HashFunction ===

impl HashFunction {
    /// Name in a=fingerprint (RFC 8122 section 5).
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Bytes of its output.
    pub fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    /// `sha-256 4A:AD:…`; `None` for hash functions that are not believed and for what is no fingerprint.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (name, digest) = value.split_once(' ')?;
        let known = [HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512];
        let hash = known.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let byte = |text: &str| u8::from_str_radix(text, 16).ok().filter(|_| text.len() == 2);
        let digest: Vec<u8> = digest.trim().split(':').map(byte).collect::<Option<_>>()?;
        (digest.len() == hash.bytes()).then_some(Self { hash, digest })
    }
}

/// As it stands in SDP.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.hash.name())?;
        for (place, byte) in self.digest.iter().enumerate() {
            write!(f, "{}{byte:02X}", if place == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

// === impl DtlsRole ===

impl DtlsRole {
    /// Value of our a=setup.
    pub(super) fn setup(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

// === impl Setup ===

impl Setup {
    pub(super) fn parse(value: &str) -> Option<Self> {
        match value {
            "active" => Some(Self::Active),
            "passive" => Some(Self::Passive),
            "actpass" => Some(Self::ActPass),
            "holdconn" => Some(Self::HoldConn),
            _ => None,
        }
    }
}
