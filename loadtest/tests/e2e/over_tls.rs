//! A carrier over TLS, through Kamailio as it is deployed: with a certificate it gets in, and either side hangs up.
//! What TLS asks of each side is tested in sip-bridge.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use edge_protocol::{EndCause, EventKind};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sip_bridge::{
    Dialog, DialogEnd, DialogEvent, Endpoint, EndpointConfig, OutgoingTarget, Progress, SipError, TlsConfig,
};
use tempfile::TempDir;

use crate::api::{Api, SOON};
use crate::node::Settings;
use crate::ports::free_port;
use crate::sip::offer_without_media;
use crate::stack::Stack;

/// Issues certificates for this machine.
struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        // No two of the same name, as in life.
        params.distinguished_name.push(DnType::CommonName, dir.path().display().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let authority = Self { dir, issuer: Issuer::new(params, key) };
        std::fs::write(authority.roots(), pem).expect("written");
        authority
    }

    fn roots(&self) -> PathBuf {
        self.dir.path().join("roots.pem")
    }

    /// Certificate and key of a party.
    fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let path = |kind: &str| self.dir.path().join(format!("{name}.{kind}"));
        std::fs::write(path("pem"), certificate.pem()).expect("written");
        std::fs::write(path("key"), key.serialize_pem()).expect("written");
        (path("pem"), path("key"))
    }

    /// A caller with a certificate of this authority, who believes `believed`.
    async fn caller(&self, believed: &Path) -> Endpoint {
        let (certificate, key) = self.issue("caller");
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let tls = TlsConfig { listen, certificate, key, client_roots: None, server_roots: Some(believed.to_owned()) };
        Endpoint::bind(EndpointConfig { tls: Some(tls), ..EndpointConfig::new(listen) }).await.expect("an endpoint")
    }
}

/// Dials through the front's TLS port; what refused it, if it is not answered.
async fn dial(caller: &Endpoint, port: u16) -> Result<Dialog, String> {
    let target = OutgoingTarget::new(format!("sip:agent@127.0.0.1:{port};transport=tls"), "sip:+15550123@127.0.0.1");
    let called = caller.handle().call(target, offer_without_media()).await;
    let mut call = called.map_err(|error: SipError| error.to_string())?;
    loop {
        match call.next_progress().await {
            Progress::Answered { dialog, .. } => return Ok(dialog),
            Progress::Failed(failure) => return Err(failure.to_string()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_carrier_with_a_certificate_calls_over_tls_through_the_deployed_kamailio() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.issue("kamailio");
    let port = free_port().expect("a port");
    let front = [
        format!("LISTEN_TLS=tls:127.0.0.1:{port}"),
        format!("TLS_CERTIFICATE=\"{}\"", certificate.display()),
        format!("TLS_KEY=\"{}\"", key.display()),
        format!("TLS_ROOTS=\"{}\"", authority.roots().display()),
    ];
    let stack = Stack::start_behind(1, &Settings::new(), &front).await.expect("Kamailio and a node");
    let (node, mut events) = (&stack.nodes[0], stack.nodes[0].events().await.expect("its events"));
    let api = Api::of(node).expect("its API");
    let caller = authority.caller(&authority.roots()).await;
    let greets = |kind: &EventKind| matches!(kind, EventKind::PromptStarted { .. });
    let over = |kind: &EventKind| matches!(kind, EventKind::CallEnded { .. });

    let dialog = dial(&caller, port).await.expect("answered");
    events.until("the greeting", SOON, greets).await.expect("the ACK came, and the agent speaks");
    dialog.bye(None).await.expect("BYE is answered");
    let end = events.until("the end", SOON, over).await.expect("the call ends").kind;
    assert!(matches!(end, EventKind::CallEnded { cause: EndCause::CallerHungUp, .. }), "{end:?}");

    let mut dialog = dial(&caller, port).await.expect("answered again");
    let call_id = events.until("the greeting", SOON, greets).await.expect("the agent speaks").call_id;
    api.post(&format!("/v1/calls/{call_id}/hangup"), &serde_json::json!({})).await.expect("an answer");
    let end = tokio::time::timeout(SOON, dialog.next_event()).await.expect("BYE comes back over TLS");
    let end = if let Some(DialogEvent::Confirmed { .. }) = end { dialog.next_event().await } else { end };
    assert!(matches!(end, Some(DialogEvent::Ended { cause: DialogEnd::RemoteBye })), "{end:?}");

    let foreign = stranger.caller(&authority.roots()).await;
    let refused = dial(&foreign, port).await.err();
    assert!(refused.is_some(), "nobody vouches for this carrier");
    node.until_idle(SOON).await.expect("no call holds a place");
}
