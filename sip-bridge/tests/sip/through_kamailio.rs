//! Calls through a real Kamailio with Record-Route and loose routing, every pairing of UDP and TCP, and TLS.
//! Not here: the configuration we deploy, which `loadtest/tests/e2e` runs.

use crate::bench::*;
use crate::certificates::Authority;
use sip_bridge::{Dialog, DialogEnd, DialogEvent, Endpoint, EndpointConfig, OutgoingTarget, Protocol};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running proxy, ended when dropped.
struct Kamailio {
    process: Child,
    address: SocketAddr,
    config: PathBuf,
}

impl Kamailio {
    /// Listens on UDP and TCP, or with an authority's certificate on TLS instead of TCP.
    async fn start(callee: SocketAddr, callee_transport: &str, authority: Option<&Authority>) -> Self {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let config = std::env::temp_dir().join(format!("sip-bridge-kamailio-{}.cfg", address.port()));
        let (stream, tls) = match authority {
            None => ("tcp", String::new()),
            Some(authority) => ("tls", tls_lines(authority)),
        };
        let text = format!(
            r#"children=1
tcp_children=2
log_stderror=yes
debug=1
listen=udp:{address}
listen={stream}:{address}
{tls}loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "textops.so"
modparam("rr", "enable_double_rr", 1)
request_route {{
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (!is_method("ACK")) {{ sl_send_reply("404", "No Route"); }}
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    record_route();
    $du = "sip:{callee};transport={callee_transport}";
    t_relay();
}}
"#
        );
        std::fs::write(&config, text).expect("written");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let process = Command::new("kamailio")
            .env("PATH", path)
            .args(["-DD", "-E", "-m", "32", "-f"])
            .arg(&config)
            .args(["-Y"])
            .arg(std::env::temp_dir())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("kamailio is installed");
        let kamailio = Self { process, address, config };
        soon("kamailio listening", async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(T1).await;
            }
        })
        .await;
        kamailio
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its children; SIGKILL would leave them.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

/// Its certificate, and that it wants one of the same authority of everybody it speaks to.
fn tls_lines(authority: &Authority) -> String {
    let (certificate, key) = authority.certificate(&["127.0.0.1"]);
    let certificate = authority.file("kamailio.pem", &certificate);
    let key = authority.file("kamailio.key", &key);
    let (certificate, key, roots) = (certificate.display(), key.display(), authority.roots());
    format!(
        r#"enable_tls=yes
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "private_key", "{key}")
modparam("tls", "ca_list", "{}")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
"#,
        roots.display()
    )
}

/// A re-INVITE, an UPDATE and an INFO from one side.
async fn change_and_inform(asking: &Dialog, asked: &mut Dialog) {
    for update in [false, true] {
        let handle = asking.handle();
        let asks = async move { if update { handle.update(offer()).await } else { handle.reinvite(hold()).await } };
        let answer = tokio::spawn(asks);
        let DialogEvent::Reoffer { offer: Some(_), reply } = next_event(asked).await else { panic!("no reoffer") };
        reply.accept(offer()).await;
        assert_eq!(soon("the answer", answer).await.expect("no panic"), Ok(offer()));
    }
    soon("INFO", asking.handle().info("application/dtmf-relay", b"Signal=1".to_vec())).await.expect("200");
    assert!(matches!(next_event(asked).await, DialogEvent::Info { .. }));
}

async fn both_sides_hang_up(caller_tcp: bool, callee_tcp: bool) {
    let (caller, callee) = (endpoint().await, endpoint().await);
    let transport = if callee_tcp { "tcp" } else { "udp" };
    let proxy = Kamailio::start(callee.handle().local_addr(), transport, None).await;
    let protocol = if caller_tcp { Protocol::Tcp } else { Protocol::Udp };
    calls_through(&proxy, caller, protocol, callee).await;
}

async fn calls_through(proxy: &Kamailio, caller: Endpoint, protocol: Protocol, mut callee: Endpoint) {
    for caller_hangs_up in [true, false] {
        let target = OutgoingTarget {
            uri: "sip:reception@tandem.example".to_owned(),
            via: Some(proxy.address),
            protocol,
            ..target(proxy.address, false)
        };
        let mut call = caller.handle().call(target, offer()).await.expect("sent");
        let incoming = next_call(&mut callee).await;
        assert_eq!(incoming.info.headers, [("X-Campaign".to_owned(), "spring".to_owned())]);
        incoming.ring().await.expect("ringing");
        let sdp = answer_to(&incoming);
        assert_eq!(incoming.progress(sdp.clone()).await, Ok(None));
        let mut theirs = soon("PRACK", incoming.accept(sdp.clone())).await.expect("accepted");
        let (mut ours, answer) = answered(&mut call).await;
        assert_eq!(answer, sdp);
        assert!(matches!(next_event(&mut theirs).await, DialogEvent::Confirmed { .. }));
        change_and_inform(&ours, &mut theirs).await;
        change_and_inform(&theirs, &mut ours).await;
        let (here, there) = if caller_hangs_up { (&mut ours, &mut theirs) } else { (&mut theirs, &mut ours) };
        soon("BYE", here.bye(None)).await.expect("BYE answered");
        assert!(matches!(next_event(there).await, DialogEvent::Ended { cause: DialogEnd::RemoteBye }));
    }
    // And a call that is given up.
    let target = OutgoingTarget { protocol, ..target(proxy.address, false) };
    let mut call = caller.handle().call(target, offer()).await.expect("sent");
    let incoming = next_call(&mut callee).await;
    call.cancel().await;
    soon("cancelled", incoming.cancelled()).await;
    assert_eq!(failed(&mut call).await.0, 487);
    drop(incoming);
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn calls_go_through_kamailio_over_udp() {
    both_sides_hang_up(false, false).await;
}

#[tokio::test]
async fn calls_go_through_kamailio_from_tcp_to_udp() {
    both_sides_hang_up(true, false).await;
}

#[tokio::test]
async fn calls_go_through_kamailio_from_udp_to_tcp() {
    both_sides_hang_up(false, true).await;
}

#[tokio::test]
async fn calls_go_through_kamailio_over_tcp() {
    both_sides_hang_up(true, true).await;
}

#[tokio::test]
async fn calls_go_through_kamailio_over_tls_with_certificates_on_every_side() {
    let authority = Authority::new();
    let secure = async |tls| Endpoint::bind(EndpointConfig { tls: Some(tls), ..config() }).await.expect("a free port");
    let (caller, callee) =
        (secure(authority.tls(Some(&authority))).await, secure(authority.tls(Some(&authority))).await);
    let to = callee.handle().tls_addr().expect("TLS is listened on");
    let proxy = Kamailio::start(to, "tls", Some(&authority)).await;
    calls_through(&proxy, caller, Protocol::Tls, callee).await;
}

#[tokio::test]
async fn calls_go_through_kamailio_from_tls_to_udp() {
    let authority = Authority::new();
    let tls = Some(authority.tls(None));
    let caller = Endpoint::bind(EndpointConfig { tls, ..config() }).await.expect("a free port");
    let callee = endpoint().await;
    let proxy = Kamailio::start(callee.handle().local_addr(), "udp", Some(&authority)).await;
    calls_through(&proxy, caller, Protocol::Tls, callee).await;
}
