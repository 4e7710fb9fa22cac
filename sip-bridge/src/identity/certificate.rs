//! The certificate behind a PASSporT: its chain up to an authority we trust, and its key (RFC 8226, RFC 5280).
//! Not here: getting it, which a [`CertificateFetcher`] does.

use async_trait::async_trait;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use std::time::Duration;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring as algorithms};

/// How a P-256 key begins as SubjectPublicKeyInfo: id-ecPublicKey, prime256v1, a bit string of 65 bytes follows.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A longer chain is not followed.
const MAX_CHAIN: usize = 8;

/// Gets certificates by their URL. Implementations should keep them for as long as they may be kept.
#[async_trait]
pub trait CertificateFetcher: Send + Sync {
    /// The certificate and those between it and its root: PEM, or DER of one. The error is for people to read.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String>;
}

/// The authorities' certificates are no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    #[error("no certificate in the authorities' PEM")]
    Empty,
    #[error("certificate {number} of the authorities' cannot be read: {why}")]
    Broken { number: usize, why: String },
}

/// Authorities that are trusted.
pub(super) struct Roots(Vec<TrustAnchor<'static>>);

/// The key of a certificate that is trusted: an uncompressed point on P-256.
pub(super) struct TrustedKey(Vec<u8>);

impl Roots {
    pub fn read(pem: &[u8]) -> Result<Self, RootsError> {
        let mut anchors = Vec::new();
        for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
            let broken = |why: String| RootsError::Broken { number, why };
            let certificate = certificate.map_err(|error| broken(error.to_string()))?;
            let anchor = anchor_from_trusted_cert(&certificate).map_err(|error| broken(error.to_string()))?;
            anchors.push(anchor.to_owned());
        }
        if anchors.is_empty() { Err(RootsError::Empty) } else { Ok(Self(anchors)) }
    }

    /// Follows a certificate up to one of the roots at the time `now` since 1970; the error is for people to read.
    pub fn trusted_key(&self, bytes: &[u8], now: Duration) -> Result<TrustedKey, String> {
        let chain = read(bytes)?;
        let (first, between) = chain.split_first().ok_or("it holds no certificate")?;
        let certificate = EndEntityCert::try_from(first).map_err(|error| error.to_string())?;
        let supported = [algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA384];
        certificate
            .verify_for_usage(
                &supported,
                &self.0,
                between,
                UnixTime::since_unix_epoch(now),
                // These certificates have no extended key usage; one for servers only would be somebody else's.
                KeyUsage::client_auth(),
                None,
                None,
            )
            .map_err(|error| error.to_string())?;
        let key = certificate.subject_public_key_info();
        let point = key.as_ref().strip_prefix(&P256_PREFIX).ok_or("its key is not on P-256")?;
        Ok(TrustedKey(point.to_vec()))
    }
}

impl TrustedKey {
    /// Whether `signature` (r and s) is this key's of `message`.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.0).verify(message, signature).is_ok()
    }
}

/// Certificates in PEM or, where there is no PEM, one in DER.
fn read(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).take(MAX_CHAIN).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Ok(vec![CertificateDer::from(bytes.to_vec())]),
        Err(error) => Err(error.to_string()),
    }
}
