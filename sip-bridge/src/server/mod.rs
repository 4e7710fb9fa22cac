//! The server side of transactions (RFC 3261 17.2, RFC 6026 7.1): requests that came in, their answers, and repeating these.
//! Not here: what a request means (`dispatch`, `dialog`), and the client's side, which is the stack's.

mod invite;
mod key;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use invite::{InviteObserver, Responder};
pub(crate) use table::Transactions;

use crate::SipError;
use key::Key;
use rsipstack::sip::{Request, Response};
use rsipstack::transport::SipConnection;
use std::net::SocketAddr;
use std::sync::Arc;

/// A request that came in and waits for its answer.
pub(crate) struct ServerTransaction {
    pub request: Arc<Request>,
    pub source: SocketAddr,
    /// The TCP or TLS connection it came over.
    pub stream: Option<SipConnection>,
    key: Key,
    transactions: Arc<Transactions>,
}

impl ServerTransaction {
    /// Sends an answer; the final one is repeated as the RFC wants it.
    ///
    /// Errors: there was a final answer before, the other side gave up long ago, or the connection is gone.
    pub fn respond(&self, response: &Response) -> Result<(), SipError> {
        self.transactions.respond(&self.key, response)
    }

    /// Hands an INVITE over to whoever has its [`Responder`]; `observer` is told what becomes of it.
    pub fn serve_invite(&self, to_tag: String, observer: impl InviteObserver) -> Responder {
        self.transactions.serve_invite(&self.key, self.request.clone(), to_tag, Arc::new(observer));
        Responder::new(self.transactions.clone(), self.key.clone())
    }
}
