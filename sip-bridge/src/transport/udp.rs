//! The UDP socket as the stack sees it: datagrams pass the gate before they are parsed.
//! Not here: what the gate lets through (`gate`).

use super::gate::{self, Verdict};
use rsipstack::platform::net::UdpSocket as StackSocket;
use std::net::SocketAddr;

/// A UDP socket behind the gate.
pub(super) struct GatedSocket {
    socket: tokio::net::UdpSocket,
    local: SocketAddr,
    user_agent: String,
}

impl GatedSocket {
    pub fn new(socket: tokio::net::UdpSocket, local: SocketAddr, user_agent: &str) -> Self {
        Self { socket, local, user_agent: user_agent.to_owned() }
    }
}

#[async_trait::async_trait]
impl StackSocket for GatedSocket {
    async fn recv_from(&self, buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        loop {
            let (length, source) = self.socket.recv_from(buf).await?;
            match gate::inspect(buf.get(..length).unwrap_or_default(), &self.user_agent) {
                Verdict::Pass => return Ok((length, source)),
                Verdict::Mended(message) => match buf.get_mut(..message.len()) {
                    Some(place) => {
                        place.copy_from_slice(&message);
                        return Ok((message.len(), source));
                    }
                    None => tracing::debug!(%source, length, "datagram dropped: no room to mend it"),
                },
                Verdict::Answer(response) => {
                    if let Err(error) = self.socket.send_to(&response, source).await {
                        tracing::debug!(%source, %error, "cannot answer a malformed request");
                    }
                }
                Verdict::Drop(why) => tracing::debug!(%source, length, why, "datagram dropped"),
            }
        }
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.socket.send_to(buf, addr).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.local)
    }
}
