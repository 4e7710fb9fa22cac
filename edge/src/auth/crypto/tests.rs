//! Signatures of the Worker against those of `jsonwebtoken`'s own cryptography, and the other way round.
//! Nothing here runs outside tests.

use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;

use super::*;

/// Tests make tokens the Worker never makes; what they check is checked as in the Worker.
pub static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: DEFAULT_PROVIDER.signer_factory,
    verifier_factory: verifier,
    key_utils: KeyUtils { ec_pub_components_from_private_key: point, ..DEFAULT_PROVIDER.key_utils },
};

/// Made for these tests; nothing trusts it.
const EC_KEY: [u8; 32] = [7; 32];

fn ec() -> (EncodingKey, DecodingKey) {
    use p256::pkcs8::EncodePrivateKey;
    let secret = p256::SecretKey::from_slice(&EC_KEY).unwrap();
    let point = SigningKey::from(&secret).verifying_key().to_encoded_point(false);
    (EncodingKey::from_ec_der(secret.to_pkcs8_der().unwrap().as_bytes()), DecodingKey::from_ec_der(point.as_bytes()))
}

#[test]
fn what_the_worker_signs_others_check_and_what_it_does_not_know_it_refuses() {
    let (private, public) = ec();
    let (secret, same) = (EncodingKey::from_secret(b"secret"), DecodingKey::from_secret(b"secret"));
    for (algorithm, signs, checks) in [(Algorithm::ES256, private, public), (Algorithm::HS256, secret, same)] {
        let signature = signer(&algorithm, &signs).unwrap().try_sign(b"message").unwrap();
        for make in [DEFAULT_PROVIDER.verifier_factory, verifier] {
            let verifier = make(&algorithm, &checks).unwrap();
            assert_eq!(verifier.algorithm(), algorithm);
            assert!(verifier.verify(b"message", &signature).is_ok());
            assert!(verifier.verify(b"another", &signature).is_err());
            assert!(verifier.verify(b"message", &signature[1..].to_vec()).is_err());
        }
        assert!(signer(&Algorithm::EdDSA, &signs).is_err());
        // A key is not taken for one of another kind.
        assert!(verifier(&Algorithm::RS256, &checks).is_err());
        assert!(verifier(&Algorithm::HS384, &checks).is_err());
    }
}
