//! The cryptography of tokens: HS256, ES256, and the checking of RS256. What nobody uses does not make the Worker larger.
//! Which tokens are good is `jwt`'s and `call_token`'s to say.

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::jwk::EllipticCurve;
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::sec1::Coordinates;
use p256::pkcs8::DecodePrivateKey;
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256};

#[cfg_attr(test, allow(dead_code, reason = "tests sign with more than the Worker does"))]
static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: UTILS };

const UTILS: KeyUtils = KeyUtils {
    rsa_pub_components_from_private_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
    rsa_pub_components_from_public_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
    ec_pub_components_from_private_key: point,
    ed_pub_components_from_private_key: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    compute_digest: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
};

/// Sees to it that `jsonwebtoken` knows what is here. Before it is asked for anything.
pub fn install() {
    #[cfg(not(test))]
    let provider = &PROVIDER;
    #[cfg(test)]
    let provider = &tests::PROVIDER;
    // It was done before.
    let _ = provider.install_default();
}

struct Hs256(Hmac<Sha256>);
struct SignsEs256(SigningKey);
struct ChecksEs256(VerifyingKey);
struct ChecksRs256(RsaPublicKey);

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(Hs256::new(key.as_bytes())?)),
        (Algorithm::ES256, AlgorithmFamily::Ec) => Ok(Box::new(SignsEs256(signing_key(key.as_bytes())?))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match (algorithm, key.family(), key.kind()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
            Ok(Box::new(Hs256::new(secret)?))
        }
        (Algorithm::ES256, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| ErrorKind::InvalidEcdsaKey)?;
            Ok(Box::new(ChecksEs256(key)))
        }
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            let key = RsaPublicKey::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
            Ok(Box::new(ChecksRs256(key.map_err(|error| ErrorKind::InvalidRsaKey(error.to_string()))?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

/// The public half of a P-256 key in PKCS#8.
fn point(pkcs8: &[u8], algorithm: Algorithm) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>)> {
    if algorithm != Algorithm::ES256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    match signing_key(pkcs8)?.verifying_key().to_encoded_point(false).coordinates() {
        Coordinates::Uncompressed { x, y } => Ok((EllipticCurve::P256, x.to_vec(), y.to_vec())),
        _ => Err(ErrorKind::InvalidEcdsaKey.into()),
    }
}

fn signing_key(pkcs8: &[u8]) -> Result<SigningKey> {
    Ok(SigningKey::from_pkcs8_der(pkcs8).map_err(|_| ErrorKind::InvalidEcdsaKey)?)
}

// === impl Hs256 ===

impl Hs256 {
    fn new(secret: &[u8]) -> Result<Self> {
        Ok(Self(Hmac::new_from_slice(secret).map_err(|_| ErrorKind::InvalidKeyFormat)?))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        // In constant time.
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

// === impl SignsEs256 ===

impl Signer<Vec<u8>> for SignsEs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        let signature: Signature = self.0.try_sign(message)?;
        Ok(signature.to_bytes().to_vec())
    }
}

impl JwtSigner for SignsEs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

// === impl ChecksEs256 ===

impl Verifier<Vec<u8>> for ChecksEs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        self.0.verify(message, &Signature::from_slice(signature)?)
    }
}

impl JwtVerifier for ChecksEs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

// === impl ChecksRs256 ===

impl Verifier<Vec<u8>> for ChecksRs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let checked = self.0.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature);
        checked.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for ChecksRs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests;
