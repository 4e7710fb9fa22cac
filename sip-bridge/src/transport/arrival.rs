//! A message that came in, read, and with where it came from noted in its Via (RFC 3261 18.2.1).
//! Not here: what the gate made of its bytes (`gate`), what it is worth (`server`, `dispatch`).

use super::way::Way;
use super::{protocol_of, sip_addr};
use crate::message::via::note_source;
use rsipstack::sip::{Request, SipMessage};
use rsipstack::transaction::endpoint::TransportEventInspector;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// Who takes it.
pub(crate) enum Arrival {
    Request(Box<ArrivedRequest>),
    /// For the stack's client transactions: with its connection and where it came from.
    Response(Box<(SipMessage, SipConnection, SipAddr)>),
}

/// A request that came in.
pub(crate) struct ArrivedRequest {
    pub request: Request,
    pub source: SocketAddr,
    pub way: Way,
    /// The TCP or TLS connection it came over.
    pub stream: Option<SipConnection>,
}

impl Arrival {
    /// Errors: why nobody can take it.
    pub(super) fn read(
        bytes: &[u8],
        source: SocketAddr,
        way: &Way,
        connection: &SipConnection,
    ) -> Result<Self, String> {
        match SipMessage::try_from(bytes).map_err(|error| error.to_string())? {
            SipMessage::Request(request) => Self::request(request, source, way.clone(), connection),
            response => {
                let from = sip_addr(source, protocol_of(connection));
                Ok(Self::Response(Box::new((response, connection.clone(), from))))
            }
        }
    }

    fn request(mut request: Request, source: SocketAddr, way: Way, connection: &SipConnection) -> Result<Self, String> {
        if !note_source(&mut request, source, way.is_reliable()) {
            return Err("its Via cannot be read".to_owned());
        }
        let stream = way.is_reliable().then(|| connection.clone());
        Ok(Self::Request(Box::new(ArrivedRequest { request, source, way, stream })))
    }
}

/// Takes what requests come over a connection that the stack opened, for an ACK to another transport than the call's.
pub(crate) struct OpenedByStack {
    pub arrivals: mpsc::UnboundedSender<Arrival>,
}

#[async_trait::async_trait]
impl TransportEventInspector for OpenedByStack {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        let TransportEvent::Incoming(SipMessage::Request(request), connection, from) = event else {
            return Some(event);
        };
        let way = Way::Opened(connection.clone());
        let source = from.get_socketaddr().map_err(|error| error.to_string());
        match source.and_then(|source| Arrival::request(request, source, way, &connection)) {
            // Nobody receives any more.
            Ok(arrival) => drop(self.arrivals.send(arrival)),
            Err(why) => tracing::debug!(%from, why, "message dropped"),
        }
        None
    }
}
