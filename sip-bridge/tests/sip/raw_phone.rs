//! A phone made of a socket and hand-written SIP, for what a well-behaved stack would never send.
//! Not here: any intelligence.

use crate::bench::soon;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

static NUMBER: AtomicU32 = AtomicU32::new(1);

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

/// One phone with one call.
pub struct RawPhone {
    wire: Wire,
    pub local: SocketAddr,
    pub peer: SocketAddr,
    pub call_id: String,
    pub from_tag: String,
}

/// A message as text.
#[derive(Debug, Clone)]
pub struct Message(pub String);

impl Message {
    pub fn start(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    pub fn code(&self) -> u16 {
        self.start().split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().take_while(|line| !line.is_empty()).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn to_tag(&self) -> String {
        let to = self.header("To").unwrap_or_default();
        to.split_once("tag=").map(|(_, tag)| tag.to_owned()).unwrap_or_default()
    }
}

impl RawPhone {
    pub async fn udp(peer: SocketAddr) -> Self {
        Self::udp_at(SocketAddr::from(([127, 0, 0, 1], 0)), peer).await
    }

    /// At an address of its own, for messages whose Via says where answers go.
    pub async fn udp_at(local: SocketAddr, peer: SocketAddr) -> Self {
        let socket = UdpSocket::bind(local).await.expect("a socket");
        let local = socket.local_addr().expect("an address");
        Self::new(Wire::Udp(socket), local, peer)
    }

    pub async fn tcp(peer: SocketAddr) -> Self {
        let stream = TcpStream::connect(peer).await.expect("a connection");
        let local = stream.local_addr().expect("an address");
        Self::new(Wire::Tcp(stream, Vec::new()), local, peer)
    }

    /// Over a connection that came in.
    pub fn from_tcp(stream: TcpStream) -> Self {
        let local = stream.local_addr().expect("an address");
        let peer = stream.peer_addr().expect("an address");
        Self::new(Wire::Tcp(stream, Vec::new()), local, peer)
    }

    fn new(wire: Wire, local: SocketAddr, peer: SocketAddr) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (call_id, from_tag) = (format!("call-{number}@raw"), format!("from{number}"));
        Self { wire, local, peer, call_id, from_tag }
    }

    pub async fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => {
                socket.send_to(bytes, self.peer).await.expect("sent");
            }
            Wire::Tcp(stream, _) => stream.write_all(bytes).await.expect("sent"),
        }
    }

    /// The next message.
    pub async fn receive(&mut self) -> Message {
        soon("a message to the raw phone", self.read()).await.expect("an open connection")
    }

    /// The next message, however long it takes; `None` once the connection is closed. Safe to cancel.
    pub async fn heard(&mut self) -> Option<Message> {
        self.read().await
    }

    /// The next message with this code, or a request when 0; skips others.
    pub async fn receive_code(&mut self, code: u16) -> Message {
        loop {
            let message = self.receive().await;
            if message.code() == code {
                return message;
            }
        }
    }

    /// The next request with this method; skips others.
    pub async fn receive_request(&mut self, method: &str) -> Message {
        loop {
            let message = self.receive().await;
            if message.start().split(' ').next() == Some(method) {
                return message;
            }
        }
    }

    async fn read(&mut self) -> Option<Message> {
        let mut buffer = [0; 16384];
        match &mut self.wire {
            Wire::Udp(socket) => {
                let length = socket.recv(&mut buffer).await.expect("a datagram");
                Some(Message(String::from_utf8_lossy(&buffer[..length]).into_owned()))
            }
            Wire::Tcp(stream, pending) => loop {
                let text = String::from_utf8_lossy(pending).into_owned();
                if let Some((head, _)) = text.split_once("\r\n\r\n") {
                    let body: usize = Message(text.clone())
                        .header("Content-Length")
                        .and_then(|length| length.parse().ok())
                        .unwrap_or(0);
                    let total = head.len() + 4 + body;
                    if pending.len() >= total {
                        let message = pending.drain(..total).collect();
                        return Some(Message(String::from_utf8(message).expect("text")));
                    }
                }
                let length = stream.read(&mut buffer).await.expect("bytes");
                if length == 0 {
                    return None;
                }
                pending.extend_from_slice(&buffer[..length]);
            },
        }
    }

    fn transport(&self) -> &'static str {
        match self.wire {
            Wire::Udp(_) => "UDP",
            Wire::Tcp(..) => "TCP",
        }
    }

    /// A request of this phone's call. `to_tag` empty is outside a dialog; `extra` are whole header lines.
    pub fn request(&self, method: &str, cseq: u32, branch: &str, to_tag: &str, extra: &str, body: &str) -> String {
        let Self { local, peer, call_id, from_tag, .. } = self;
        let transport = self.transport();
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let content_type = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let param = if transport == "TCP" { ";transport=tcp" } else { "" };
        format!(
            "{method} sip:reception@{peer} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch=z9hG4bK-{call_id}-{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: \"Raw, \\\"Phone\\\"\" <sip:raw@example.com>;tag={from_tag}\r\n\
             To: <sip:reception@example.com>{tag}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n\
             Contact: <sip:raw@{local}{param}>\r\n\
             {extra}{content_type}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub async fn invite(&mut self, extra: &str, body: &str) {
        let text = self.request("INVITE", 1, "1", "", extra, body);
        self.send(&text).await;
    }

    /// ACK of a 200, in the dialog.
    pub async fn ack(&mut self, cseq: u32, to_tag: &str, body: &str) {
        let text = self.request("ACK", cseq, &format!("ack{cseq}"), to_tag, "", body);
        self.send(&text).await;
    }

    /// ACK of a refusal, in the INVITE's transaction.
    pub async fn ack_refusal(&mut self, cseq: u32, branch: &str, to_tag: &str) {
        let text = self.request("ACK", cseq, branch, to_tag, "", "");
        self.send(&text).await;
    }

    /// A response to a request that came here; a To without tag gets `;tag=far`. `extra` are whole lines.
    pub fn response(&self, request: &Message, status: &str, extra: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for line in request.0.lines().take_while(|line| !line.is_empty()) {
            if ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)) {
                text.push_str(line);
                if line.starts_with("To:") && !line.contains("tag=") {
                    text.push_str(";tag=far");
                }
                text.push_str("\r\n");
            }
        }
        let content_type = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!("{text}{extra}{content_type}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// 200 to a request that came here.
    pub async fn ok(&mut self, request: &Message) {
        let text = self.response(request, "200 OK", "", "");
        self.send(&text).await;
    }
}
