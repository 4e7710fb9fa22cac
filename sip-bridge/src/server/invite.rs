//! The server side of one INVITE, first or in a dialog, as those see it who answer it (RFC 3261 13.3.1).
//! Not here: its state (`table`), what the INVITE means (`dispatch`, `dialog`).

use super::key::Key;
use super::table::Transactions;
use crate::SipError;
use rsipstack::sip::{Request, Response};
use std::sync::Arc;

/// Told what becomes of an INVITE, by the task that receives or by whoever ends the INVITE; must not block.
pub(crate) trait InviteObserver: Send + Sync + 'static {
    /// CANCEL came first; 487 is sent.
    fn cancelled(&self);
    /// Our 2xx is acknowledged.
    fn acknowledged(&self, ack: &Request);
    /// Our 2xx was repeated for 64*T1 and nobody acknowledged it.
    fn unacknowledged(&self);
}

/// Sends responses to an INVITE from anywhere.
#[derive(Clone)]
pub(crate) struct Responder {
    transactions: Arc<Transactions>,
    key: Key,
}

impl Responder {
    pub(super) fn new(transactions: Arc<Transactions>, key: Key) -> Self {
        Self { transactions, key }
    }

    /// Sends a response. An error means it did not go out: the call is cancelled or the connection lost.
    pub fn send(&self, response: &Response) -> Result<(), SipError> {
        self.transactions.respond(&self.key, response)
    }

    /// Sends a response when there is nobody to hear about a failure.
    pub fn post(&self, response: &Response) {
        if let Err(error) = self.send(response) {
            tracing::debug!(key = %self.key, %error, "cannot answer an INVITE");
        }
    }

    /// Answers 487: the caller gave up by other means than CANCEL.
    pub fn terminate(&self) {
        self.transactions.terminate(&self.key);
    }

    /// Stops repeating the 2xx: the dialog is over, an ACK is not missed any more. 487 if there was none.
    pub fn abandon(&self) {
        self.transactions.abandon(&self.key);
    }
}
