//! Whose turn it is to offer in a dialog: one offer at a time, and what an offer in between deserves
//! (RFC 3261 14, RFC 3311 5.2). Not here: sending offers (`modify`), answering them (`requests`).

use std::sync::Arc;
use tokio::sync::watch;

/// The offer under way, if there is one.
#[derive(Default)]
pub(crate) struct Turns {
    open: watch::Sender<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    /// Counts turns, so that an old one does not close its successor.
    number: u64,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Our offer waits for its answer.
    Ours,
    /// Theirs waits for ours.
    Theirs,
    /// Theirs has its answer, the ACK is on its way.
    Answered,
}

/// Why the other side's offer has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Busy {
    /// Our own offer is under way: 491.
    Ours,
    /// Their last one is not answered yet: 500.
    Theirs,
}

/// The right to offer; over when closed or dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    number: u64,
}

impl Turns {
    /// Waits until no offer is under way, and takes the turn (RFC 3261 14.1).
    pub async fn ours(self: &Arc<Self>) -> Turn {
        let mut changes = self.open.subscribe();
        loop {
            if let Some(number) = self.take(Open::Ours, |open| open.is_none()) {
                return Turn { turns: self.clone(), number };
            }
            // The sender lives as long as `self`.
            let _ = changes.wait_for(|latest| latest.open.is_none()).await;
        }
    }

    /// Takes the turn for an offer that came. The ACK of the one before may have been overtaken.
    pub fn theirs(self: &Arc<Self>) -> Result<Turn, Busy> {
        match self.take(Open::Theirs, |open| matches!(open, None | Some(Open::Answered))) {
            Some(number) => Ok(Turn { turns: self.clone(), number }),
            None if self.open.borrow().open == Some(Open::Ours) => Err(Busy::Ours),
            None => Err(Busy::Theirs),
        }
    }

    fn take(&self, what: Open, when: impl FnOnce(Option<Open>) -> bool) -> Option<u64> {
        let mut taken = None;
        self.open.send_if_modified(|latest| {
            if when(latest.open) {
                latest.number += 1;
                latest.open = Some(what);
                taken = Some(latest.number);
            }
            taken.is_some()
        });
        taken
    }
}

impl Turn {
    /// Their offer has our answer, which is not acknowledged yet.
    pub fn answered(&self) {
        self.set(Some(Open::Answered));
    }

    /// The exchange is over.
    pub fn close(&self) {
        self.set(None);
    }

    fn set(&self, open: Option<Open>) {
        self.turns.open.send_if_modified(|latest| {
            let mine = latest.number == self.number && latest.open.is_some();
            if mine {
                latest.open = open;
            }
            mine
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.close();
    }
}
