//! All dialogs of an endpoint, by Call-ID and both tags (RFC 3261 12).
//! Not here: what a dialog holds (`core`).

use super::core::DialogCore;
use crate::agent::lock;
use crate::message::address::Address;
use crate::message::headers;
use rsipstack::sip::{HeadersExt, Request};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Names a dialog, seen from our side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DialogId {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
}

impl DialogId {
    /// The dialog an incoming request is for. `None` without a From tag; an empty local tag is no dialog yet.
    pub fn of_incoming(request: &Request) -> Option<Self> {
        let from = Address::parse(request.from_header().ok()?.value())?.tag()?.to_owned();
        let to = Address::parse(request.to_header().ok()?.value())?.tag().unwrap_or_default().to_owned();
        let call_id = headers::value(&request.headers, "Call-ID")?;
        Some(Self { call_id, local_tag: to, remote_tag: from })
    }
}

/// Dialogs, early ones included.
#[derive(Default)]
pub(crate) struct DialogTable {
    dialogs: Mutex<HashMap<DialogId, Arc<DialogCore>>>,
}

impl DialogTable {
    pub fn insert(&self, dialog: Arc<DialogCore>) {
        lock(&self.dialogs).insert(dialog.id.clone(), dialog);
    }

    pub fn get(&self, id: &DialogId) -> Option<Arc<DialogCore>> {
        lock(&self.dialogs).get(id).cloned()
    }

    pub fn remove(&self, id: &DialogId) {
        lock(&self.dialogs).remove(id);
    }

    /// Those of calls that came in, and of calls of ours that are answered.
    pub fn len(&self) -> usize {
        lock(&self.dialogs).values().filter(|core| core.is_answered() || !core.owns_call_id).count()
    }

    pub fn all(&self) -> Vec<Arc<DialogCore>> {
        lock(&self.dialogs).values().cloned().collect()
    }
}
