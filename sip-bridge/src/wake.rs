//! Wakes the task that owns a transaction of the stack: it waits in `receive`, which is not safe to cancel.
//! What it is woken for is left for it elsewhere, by whoever wakes it.

use rsipstack::transaction::Transaction;
use rsipstack::transaction::key::TransactionKey;
use rsipstack::transaction::transaction::{TransactionEvent, TransactionEventSender};

/// Makes a transaction's `receive` return nothing, without a change of its state.
#[derive(Clone)]
pub(crate) struct Wake {
    sender: TransactionEventSender,
    pub key: TransactionKey,
}

impl Wake {
    pub fn of(transaction: &Transaction) -> Self {
        Self { sender: transaction.tu_sender.clone(), key: transaction.key.clone() }
    }

    pub fn wake(&self) {
        // A closed channel is a transaction that is over.
        let _ = self.sender.send(TransactionEvent::Terminate(self.key.clone()));
    }
}
