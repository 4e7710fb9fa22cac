//! Calls over TLS: who is believed, which connection is taken, certificates that change (RFC 3261 26.2, 26.3,
//! RFC 5922, RFC 5923). Not here: calls through Kamailio (`through_kamailio`).

use crate::bench::*;
use crate::certificates::Authority;
use crate::raw_phone::RawPhone;
use sip_bridge::{DialogEnd, DialogEvent, Endpoint, EndpointConfig, OutgoingTarget, Protocol, TlsConfig, sdp};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

async fn secure(tls: TlsConfig) -> Endpoint {
    Endpoint::bind(EndpointConfig { tls: Some(tls), ..config() }).await.expect("a free port")
}

fn tls_addr(endpoint: &Endpoint) -> SocketAddr {
    endpoint.handle().tls_addr().expect("TLS is listened on")
}

/// A call to where `callee` listens for TLS.
fn by_tls(uri: &str, callee: &Endpoint) -> OutgoingTarget {
    let hop = tls_addr(callee);
    OutgoingTarget {
        uri: uri.replace("HOP", &hop.to_string()),
        protocol: Protocol::Tls,
        via: None,
        ..target(hop, true)
    }
}

#[tokio::test]
async fn a_call_over_tls_goes_both_ways_with_certificates_on_both_sides() {
    let authority = Authority::new();
    let (caller, mut callee) =
        (secure(authority.tls(Some(&authority))).await, secure(authority.tls(Some(&authority))).await);
    for (uri, scheme, caller_hangs_up) in [
        ("sips:reception@HOP", "sips:", true),
        ("sip:reception@HOP;transport=tls", "sip:", false),
        ("sip:reception@HOP", "sip:", true),
    ] {
        let mut call = caller.handle().call(by_tls(uri, &callee), offer()).await.expect("sent");
        let incoming = next_call(&mut callee).await;
        assert!(incoming.info.request_uri.starts_with(scheme), "{}", incoming.info.request_uri);
        incoming.ring().await.expect("ringing");
        let sdp = answer_to(&incoming);
        let mut theirs = incoming.accept(sdp).await.expect("accepted");
        let (mut ours, _) = answered(&mut call).await;
        assert!(matches!(next_event(&mut theirs).await, DialogEvent::Confirmed { .. }));
        let (here, there) = if caller_hangs_up { (&mut ours, &mut theirs) } else { (&mut theirs, &mut ours) };
        soon("BYE", here.bye(None)).await.expect("BYE answered");
        assert!(matches!(next_event(there).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    }
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_server_of_another_authority_or_of_another_name_is_not_called() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (caller, callee) = (secure(ours.tls(None)).await, secure(theirs.tls(None)).await);
    let refused = caller.handle().call(by_tls("sips:a@HOP", &callee), offer()).await.err().expect("not believed");
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");

    let callee = secure(ours.tls(None)).await;
    let named = |name: &str| OutgoingTarget {
        via: Some(tls_addr(&callee)),
        server_name: Some(name.to_owned()),
        ..by_tls("sip:a@carrier.example", &callee)
    };
    let refused = caller.handle().call(named("carrier.example"), offer()).await.err().expect("another name");
    assert!(refused.to_string().contains("carrier.example"), "{refused}");
    let call = caller.handle().call(named("localhost"), offer()).await.expect("the right name");
    drop(call);
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn a_caller_without_the_right_certificate_does_not_come_in() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let mut callee = secure(ours.tls(Some(&ours))).await;
    let caller = secure(TlsConfig { server_roots: Some(ours.roots()), ..theirs.tls(None) }).await;
    // In TLS 1.3 the caller's handshake is over before the server has looked at the certificate.
    if let Ok(mut call) = caller.handle().call(by_tls("sips:a@HOP", &callee), offer()).await {
        assert!(matches!(failed(&mut call).await.0, 408 | 503));
    }
    // Nor does one who speaks no TLS at all.
    let mut plain = TcpStream::connect(tls_addr(&callee)).await.expect("connected");
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"OPTIONS sip:a@b SIP/2.0\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let _ = soon("the end of the connection", plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"SIP"), "{answer:?}");
    assert!(tokio::time::timeout(T1, callee.next_call()).await.is_err(), "no call");
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn without_tls_configured_secure_uris_lead_nowhere() {
    let (caller, callee) = (endpoint().await, secure(Authority::new().tls(None)).await);
    let refused = caller.handle().call(by_tls("sips:a@HOP", &callee), offer()).await.err().expect("no TLS");
    assert!(refused.to_string().contains("TLS is not configured"), "{refused}");
}

#[tokio::test]
async fn files_that_are_no_certificates_are_named() {
    let authority = Authority::new();
    let empty = authority.file("empty.pem", "");
    for (tls, name) in [
        (TlsConfig { certificate: empty.clone(), ..authority.tls(None) }, "empty.pem holds no certificate"),
        (TlsConfig { key: empty, ..authority.tls(None) }, "empty.pem"),
        (TlsConfig { client_roots: Some("/nowhere/roots.pem".into()), ..authority.tls(None) }, "/nowhere/roots.pem"),
    ] {
        let refused = Endpoint::bind(EndpointConfig { tls: Some(tls), ..config() }).await.err().expect("no use");
        assert!(refused.to_string().contains(name), "{refused}");
    }
}

#[tokio::test]
async fn a_certificate_that_changes_on_disk_is_taken_from_the_next_connection_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let served = old.tls(None);
    let mut callee = secure(served.clone()).await;
    let believer = secure(new.tls(None)).await;
    assert!(believer.handle().call(by_tls("sips:a@HOP", &callee), offer()).await.is_err(), "still the old one");
    std::fs::write(&served.key, "broken").expect("written");
    assert!(believer.handle().call(by_tls("sips:a@HOP", &callee), offer()).await.is_err(), "the old one stays");
    let (certificate, key) = new.certificate(&["127.0.0.1"]);
    std::fs::write(&served.certificate, certificate).expect("written");
    std::fs::write(&served.key, key).expect("written");
    let call = believer.handle().call(by_tls("sips:a@HOP", &callee), offer()).await.expect("the new one");
    drop(next_call(&mut callee).await);
    drop(call);
    nothing_left(&[believer.handle(), callee.handle()]).await;
}

/// Takes the TLS off connections that come in and hands them on; counts them.
async fn terminator(authority: &Authority, to: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let (certificate, key) = authority.certificate(&["127.0.0.1"]);
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut secure = acceptor.accept(stream).await.expect("a handshake");
            let mut plain = TcpStream::connect(to).await.expect("connected");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut secure, &mut plain).await });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn the_acknowledgement_and_the_bye_take_the_connection_of_the_invite() {
    let authority = Authority::new();
    let caller = secure(authority.tls(None)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (hop, connections) = terminator(&authority, listener.local_addr().expect("an address")).await;
    let target = OutgoingTarget { protocol: Protocol::Tls, via: Some(hop), ..target(hop, true) };
    let mut call = caller.handle().call(target, offer()).await.expect("sent");
    let (stream, _) = soon("a connection", listener.accept()).await.expect("accepted");
    let mut phone = RawPhone::from_tcp(stream);
    let invite = phone.receive_request("INVITE").await;
    assert!(invite.header("Via").is_some_and(|via| via.starts_with("SIP/2.0/TLS")), "{invite:?}");
    let contact = format!("<sip:{};transport=tls>", tls_addr(&caller));
    assert_eq!(invite.header("Contact"), Some(contact.as_str()));
    // Nobody listens there: a second connection could not be made.
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let sdp = sdp::answer(invite.body(), &local(20000)).expect("G.711").1;
    let ok = phone.response(&invite, "200 OK", &format!("Contact: <sip:far@{closed};transport=tls>\r\n"), &sdp);
    phone.send(&ok).await;
    let (dialog, _) = answered(&mut call).await;
    phone.receive_request("ACK").await;
    drop(dialog);
    let bye = phone.receive_request("BYE").await;
    assert_eq!(bye.start().to_ascii_lowercase(), format!("bye sip:far@{closed};transport=tls sip/2.0"));
    phone.ok(&bye).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    nothing_left(&[caller.handle()]).await;
}
