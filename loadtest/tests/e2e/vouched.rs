//! Callers whose numbers somebody vouches for (STIR/SHAKEN), nobody, or the wrong one: what is told, and who is refused.
//! What makes an Identity hold is tested in sip-bridge; where certificates may be fetched from, in the engine.

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edge_protocol::{Attestation, CallerIdentity, EventKind};
use loadtest::caller::Target;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tokio::net::TcpListener;

use crate::api::straight_to;
use crate::bench::Bench;
use crate::node::{Settings, root};

/// A carrier that signs its calls, with its certificate on a web server of its own.
struct Carrier {
    /// The authority's certificate, PEM.
    root: String,
    key: KeyPair,
    url: String,
}

impl Carrier {
    async fn open() -> Self {
        let root_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        let root = params.self_signed(&root_key).expect("a certificate").pem();
        let key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        let chain = own.signed_by(&key, &Issuer::new(params, root_key)).expect("a certificate").pem();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/shaken.pem", listener.local_addr().expect("its address"));
        let routes = Router::new().route("/shaken.pem", get(move || async { chain }));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { root, key, url }
    }

    /// The Identity header of a call from `from` to `to`, digits only.
    fn identity(&self, from: &str, to: &str, url: &str) -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
        let header = format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{url}"}}"#);
        let payload = format!(
            r#"{{"attest":"A","dest":{{"tn":["{to}"]}},"iat":{now},"orig":{{"tn":"{from}"}},"origid":"an-origin"}}"#
        );
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key.serialize_der(), &random);
        let signature = key.expect("a key of P-256").sign(&random, signed.as_bytes()).expect("signed");
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        format!("{signed}.{signature};info=<{url}>;alg=ES256;ppt=\"shaken\"")
    }

    /// A bench whose node trusts this carrier's authority, and whose agent says what it knows of the caller.
    async fn bench(&self, policy: &str) -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        let (roots, agent) = (dir.path().join("roots.pem"), dir.path().join("agent.toml"));
        std::fs::write(&roots, &self.root).expect("the roots");
        let text = std::fs::read_to_string(root().join("agents/reception.toml")).expect("an agent");
        let greeting = text.lines().find(|line| line.starts_with("greeting")).expect("its greeting");
        let text = text.replace(greeting, "greeting = \"Number {{verstat}} {{attestation}}.\"");
        std::fs::write(&agent, text).expect("the agent");
        let settings: Settings = vec![
            ("TANDEM_SIP_IDENTITY__POLICY", policy.to_owned()),
            ("TANDEM_SIP_IDENTITY__ROOTS", roots.display().to_string()),
            ("TANDEM_SIP_IDENTITY__LOCAL_REPOSITORIES", "[\"127.0.0.1\"]".to_owned()),
            ("TANDEM_AGENT", agent.display().to_string()),
        ];
        // Both are read before the node is healthy.
        Bench::start(|_| settings).await
    }
}

/// The number 4930100 is called by 15550123.
fn call(bench: &Bench, identity: Option<String>) -> Target {
    let headers = identity.map(|identity| ("Identity".to_owned(), identity)).into_iter().collect();
    Target { headers, ..straight_to(&bench.node, "+4930100") }
}

#[tokio::test]
async fn what_is_known_of_a_number_is_on_the_calls_record_and_the_agent_knows_it() {
    let (carrier, stranger) = (Carrier::open().await, Carrier::open().await);
    let mut bench = carrier.bench("tag").await;
    let passed = CallerIdentity::Passed { attestation: Some(Attestation::A), origid: Some("an-origin".to_owned()) };
    for (identity, said) in [
        (Some(carrier.identity("15550123", "4930100", &carrier.url)), "Number passed A."),
        (Some(stranger.identity("15550123", "4930100", &stranger.url)), "Number failed ."),
        (None, "Number absent ."),
    ] {
        let target = call(&bench, identity);
        let dialled = bench.caller.dial(&target).await.expect("a call");
        let started = bench.until("the call", |kind| matches!(kind, EventKind::CallStarted { .. })).await;
        let EventKind::CallStarted { identity, .. } = started else { unreachable!() };
        let identity = identity.map(|identity| *identity);
        match said {
            "Number passed A." => assert_eq!(identity.as_ref(), Some(&passed)),
            "Number absent ." => assert_eq!(identity, Some(CallerIdentity::Absent)),
            _ => assert!(matches!(identity, Some(CallerIdentity::Failed { code: 437, .. })), "{identity:?}"),
        }
        bench.until("the greeting", |kind| *kind == EventKind::PromptStarted { text: said.to_owned() }).await;
        dialled.hang_up().await;
    }
}

#[tokio::test]
async fn where_somebody_has_to_vouch_a_call_is_refused_with_what_is_wrong() {
    let (carrier, stranger) = (Carrier::open().await, Carrier::open().await);
    let bench = carrier.bench("require").await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address");
    let gone = format!("http://{nobody}/shaken.pem");
    for (identity, code) in [
        (None, "428"),
        (Some(carrier.identity("15550123", "4930100", &gone)), "436"),
        (Some(stranger.identity("15550123", "4930100", &stranger.url)), "437"),
        (Some(carrier.identity("15550199", "4930100", &carrier.url)), "438"),
        (Some(stranger.identity("15550123", "4930100", &carrier.url)), "438"),
    ] {
        let refused = bench.caller.dial(&call(&bench, identity)).await.err().expect("it is refused").to_string();
        assert!(refused.contains(code), "{code}: {refused}");
    }
    let good = call(&bench, Some(carrier.identity("15550123", "4930100", &carrier.url)));
    bench.caller.dial(&good).await.expect("a call somebody vouches for").hang_up().await;
    bench.node.until_idle(Duration::from_secs(20)).await.expect("no call holds a place");
}
