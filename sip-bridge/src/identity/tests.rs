//! Identities made with certificates made on the spot: those that hold, and every way not to.
//! Not here: the headers of a call (`tests/sip/carrier_headers.rs`).

use super::passport::Passport;
use super::{Attestation, CertificateFetcher, IdentityError, IdentityVerifier, RootsError, number};
use crate::{CallInfo, Party};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use std::time::Duration;

const URL: &str = "https://cr.example/shaken.pem";
const NOW: u64 = 1_800_000_000;

/// An authority and a carrier with a certificate of it.
struct Carrier {
    root: String,
    /// What is at `URL`.
    chain: String,
    key: KeyPair,
}

/// Serves one file.
struct At(Result<Vec<u8>, String>);

#[async_trait]
impl CertificateFetcher for At {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        assert_eq!(url, URL);
        self.0.clone()
    }
}

impl Carrier {
    /// Certificates are good from 1975 to 4096; `until` changes the carrier's end.
    fn new(until: i32) -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params
        };
        let root_key = KeyPair::generate().expect("a key");
        let root_params = authority("root");
        let root = root_params.self_signed(&root_key).expect("a certificate").pem();
        let root = (Issuer::new(root_params, root_key), root);
        let between_key = KeyPair::generate().expect("a key");
        let between_params = authority("between");
        let between = between_params.signed_by(&between_key, &root.0).expect("a certificate").pem();
        let between = (Issuer::new(between_params, between_key), between);
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let leaf = params.signed_by(&key, &between.0).expect("a certificate").pem();
        Self { root: root.1, chain: format!("{leaf}{}", between.1), key }
    }

    /// The token of a header and a payload.
    fn token(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key.serialize_der(), &random)
            .expect("a key of P-256");
        let signature = key.sign(&random, signed.as_bytes()).expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn identity(&self, payload: &str) -> String {
        let header = format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#);
        format!("{};info=<{URL}>;alg=ES256;ppt=\"shaken\"", self.token(&header, payload))
    }

    async fn verify(&self, call: &CallInfo) -> Result<super::Vouched, IdentityError> {
        self.verify_with(call, Ok(self.chain.clone().into_bytes())).await
    }

    async fn verify_with(
        &self,
        call: &CallInfo,
        at_url: Result<Vec<u8>, String>,
    ) -> Result<super::Vouched, IdentityError> {
        let verifier = IdentityVerifier::new(self.root.as_bytes()).expect("a root");
        verifier.verify(call, Duration::from_secs(NOW), &At(at_url)).await
    }
}

fn payload(iat: u64) -> String {
    format!(
        r#"{{"attest":"A","dest":{{"tn":["12155550131"]}},"iat":{iat},"orig":{{"tn":"12155550121"}},"origid":"o"}}"#
    )
}

fn call(identity: Vec<String>) -> CallInfo {
    CallInfo {
        sip_call_id: "1".to_owned(),
        from: "sip:+1-215-555-0121@carrier.example;user=phone".to_owned(),
        from_display: None,
        to: "tel:+12155550131".to_owned(),
        request_uri: "sip:+12155550131@here".to_owned(),
        source: ([127, 0, 0, 1], 5060).into(),
        authenticated: None,
        asserted: Vec::new(),
        diversions: Vec::new(),
        user_to_user: None,
        identity,
        headers: Vec::new(),
    }
}

#[tokio::test]
async fn a_number_is_vouched_for_with_its_attestation_through_a_chain() {
    let carrier = Carrier::new(4000);
    for (letter, attestation) in [("A", Attestation::Full), ("B", Attestation::Partial), ("C", Attestation::Gateway)] {
        let identity = carrier.identity(&payload(NOW - 59).replace("\"A\"", &format!("\"{letter}\"")));
        // A diversion's PASSporT before it does no harm.
        let div = carrier.token(&format!(r#"{{"alg":"ES256","ppt":"div","typ":"passport","x5u":"{URL}"}}"#), "{}");
        let vouched = carrier.verify(&call(vec![div, identity])).await.expect("vouched for");
        assert_eq!(vouched.attestation, Some(attestation));
        assert_eq!(attestation.letter().to_string(), letter);
        assert_eq!((vouched.caller.as_str(), vouched.origid.as_deref()), ("12155550121", Some("o")));
        assert_eq!((vouched.issued_at, vouched.certificate_url.as_str()), (NOW - 59, URL));
    }
}

#[tokio::test]
async fn the_asserted_identity_is_what_is_vouched_for() {
    let carrier = Carrier::new(4000);
    let mut call = call(vec![carrier.identity(&payload(NOW))]);
    call.from = "sip:anonymous@anonymous.invalid".to_owned();
    assert!(matches!(carrier.verify(&call).await, Err(IdentityError::NumberMismatch { .. })));
    call.asserted = vec![Party { uri: "tel:+12155550121".to_owned(), display: None }];
    assert!(carrier.verify(&call).await.is_ok());
}

#[tokio::test]
async fn every_way_not_to_hold_has_its_name_and_code() {
    let (carrier, other) = (Carrier::new(4000), Carrier::new(4000));
    let good = carrier.identity(&payload(NOW));
    let failed = async |identity: Vec<String>| carrier.verify(&call(identity)).await.expect_err("it does not hold");
    let missing = failed(vec![]).await;
    assert_eq!((&missing, missing.sip_code()), (&IdentityError::Missing, 428));
    for iat in [NOW - 61, NOW + 61] {
        let expired = failed(vec![carrier.identity(&payload(iat))]).await;
        assert_eq!((&expired, expired.sip_code()), (&IdentityError::Expired(61), 403));
    }
    for (what, with) in [("12155550121", "12155550199"), ("12155550131", "12155550199")] {
        let mismatch = failed(vec![carrier.identity(&payload(NOW).replace(what, with))]).await;
        assert!(matches!(&mismatch, IdentityError::NumberMismatch { claimed, .. } if claimed == with), "{mismatch}");
        assert_eq!(mismatch.sip_code(), 438);
    }
    let forged = failed(vec![other.identity(&payload(NOW))]).await;
    assert_eq!((&forged, forged.sip_code()), (&IdentityError::BadSignature, 438));
    let cut = good.replacen(';', "AA;", 1);
    assert!(matches!(failed(vec![cut]).await, IdentityError::BadSignature | IdentityError::Malformed(_)));

    let unreachable = carrier.verify_with(&call(vec![good.clone()]), Err("404".to_owned())).await;
    assert_eq!(unreachable.expect_err("not there").sip_code(), 436);
    for strange in [other.chain.clone().into_bytes(), b"nonsense".to_vec(), Vec::new()] {
        let untrusted = carrier.verify_with(&call(vec![good.clone()]), Ok(strange)).await.expect_err("not trusted");
        assert!(matches!(untrusted, IdentityError::Untrusted { .. }), "{untrusted}");
        assert_eq!(untrusted.sip_code(), 437);
    }
    let old = Carrier::new(2020);
    let expired = old.verify(&call(vec![old.identity(&payload(NOW))])).await.expect_err("an old certificate");
    assert!(matches!(expired, IdentityError::Untrusted { .. }), "{expired}");
}

#[tokio::test]
async fn identities_of_other_kinds_and_forms_are_named() {
    let carrier = Carrier::new(4000);
    let header = format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#);
    let token = |header: &str, payload: &str| carrier.token(header, payload);
    let good = payload(NOW);
    for (identity, expected) in [
        (token(&header.replace("ES256", "none"), &good), "alg"),
        (token(&header.replace("shaken", "rcd"), &good), "ppt"),
        ("..c2ln".to_owned(), "compact"),
        ("nonsense".to_owned(), "three parts"),
        (token("{}", &good), "header"),
        (token(&header, "[]"), "payload"),
        (token(&header.replace("passport", "JWT"), &good), "type"),
        (token(&header.replace("https:", "file:"), &good), "https"),
        (token(&header.replace("https:", "http:"), &good), "https"),
        (token(&header.replace("https://cr", "http://127.0.0.1.cr"), &good), "https"),
        (token(&header, &good.replace("\"A\"", "\"D\"")), "attest"),
        (token(&header, &good.replace(r#""attest":"A","#, "")), "attest"),
        (token(&header, &good.replace(r#""tn":["12155550131"]"#, "")), "dest"),
        (format!("{};info=<https://elsewhere>", token(&header, &good)), "info"),
        ("x".repeat(9000), "long"),
    ] {
        let error = carrier.verify(&call(vec![identity])).await.expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(IdentityVerifier::new(b"").err(), Some(RootsError::Empty));
}

#[test]
fn numbers_are_compared_by_their_digits() {
    for (uri, digits) in [
        ("tel:+1-(215).555-0121", Some("12155550121")),
        ("tel:12155550121;phone-context=+1", Some("12155550121")),
        ("sip:+12155550121;ext=7@h:5060", Some("12155550121")),
        ("SIPS:%2B12155550121:secret@h", Some("12155550121")),
        ("sip:alice@h", None),
        ("sip:h", None),
        ("mailto:1@h", None),
    ] {
        assert_eq!(number::of_uri(uri).as_deref(), digits, "{uri}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_passport_panic(text in "[A-Za-z0-9_.;=<>\"-]{0,200}") {
        let _ = Passport::read(&text);
    }
}
