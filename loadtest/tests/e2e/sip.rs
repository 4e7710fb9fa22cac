//! The smallest SIP client: asks OPTIONS (RFC 3261 section 11) and reads the status; calls and answers nonsense; an offer.
//! Calls are made by SIPp and baresip.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sip_bridge::sdp::{self, Codec, Local, Security};
use tokio::net::UdpSocket;

use crate::ports::free_port;
use crate::process::POLL;

/// What a caller offers who means to send nothing.
pub fn offer_without_media() -> String {
    sdp::offer(&Local {
        addr: Ipv4Addr::LOCALHOST.into(),
        codecs: Codec::ALL.to_vec(),
        port: free_port().expect("a port"),
        rtcp_mux: true,
        session_id: 1,
        version: 1,
        security: Security::default(),
    })
}

/// The status code with which `127.0.0.1:<port>` answers OPTIONS over UDP; `None` when it does not within a second.
pub async fn options(port: u16) -> Result<Option<u16>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let own = socket.local_addr()?;
    let id = format!("{}-{port}", own.port());
    let request = [
        format!("OPTIONS sip:127.0.0.1:{port} SIP/2.0"),
        format!("Via: SIP/2.0/UDP {own};rport;branch=z9hG4bK{id}"),
        "Max-Forwards: 10".to_owned(),
        format!("From: <sip:test@127.0.0.1>;tag={id}"),
        format!("To: <sip:127.0.0.1:{port}>"),
        format!("Call-ID: {id}"),
        "CSeq: 1 OPTIONS".to_owned(),
        "Content-Length: 0\r\n\r\n".to_owned(),
    ]
    .join("\r\n");
    socket.send_to(request.as_bytes(), (Ipv4Addr::LOCALHOST, port)).await?;
    let mut answer = [0; 2048];
    let Ok(received) = tokio::time::timeout(Duration::from_secs(1), socket.recv(&mut answer)).await else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&answer[..received?]).into_owned();
    Ok(text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()))
}

/// Asks until the answer is `status`.
pub async fn until_options_say(port: u16, status: u16, within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    loop {
        let answer = options(port).await?;
        if answer == Some(status) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("127.0.0.1:{port} answers OPTIONS with {answer:?}, not {status}, after {within:?}");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Calls without an offer, and answers the one in the 200 with no SDP that could be used.
pub async fn call_without_media(port: u16) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let own = socket.local_addr()?;
    let id = format!("no-media-{}-{port}", own.port());
    let request = |method: &str, to: &str, body: &str| {
        [
            format!("{method} sip:100@127.0.0.1:{port} SIP/2.0"),
            format!("Via: SIP/2.0/UDP {own};rport;branch=z9hG4bK{id}{method}"),
            "Max-Forwards: 10".to_owned(),
            format!("From: <sip:test@127.0.0.1>;tag={id}"),
            to.to_owned(),
            format!("Call-ID: {id}"),
            format!("CSeq: 1 {method}"),
            format!("Contact: <sip:test@{own}>"),
            "Content-Type: application/sdp".to_owned(),
            format!("Content-Length: {}\r\n\r\n{body}", body.len()),
        ]
        .join("\r\n")
    };
    let invite = request("INVITE", &format!("To: <sip:100@127.0.0.1:{port}>"), "");
    let invite = invite.replace("Content-Type: application/sdp\r\n", "");
    socket.send_to(invite.as_bytes(), (Ipv4Addr::LOCALHOST, port)).await?;
    let answered = async {
        let mut answer = [0; 4096];
        loop {
            let received = socket.recv(&mut answer).await?;
            let text = String::from_utf8_lossy(&answer[..received]).into_owned();
            if text.starts_with("SIP/2.0 200") {
                return anyhow::Ok(text);
            }
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), answered).await.context("no 200 came")??;
    let to = answer.lines().find(|line| line.starts_with("To:")).context("a 200 without To")?;
    socket.send_to(request("ACK", to, "no SDP").as_bytes(), (Ipv4Addr::LOCALHOST, port)).await?;
    Ok(())
}
