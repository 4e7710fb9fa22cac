//! Where a redirected call may go: the Contacts of 3xx answers, best first, each once (RFC 3261 8.1.3.4, 19.1.4).
//! Not here: going there (`invite_client`).

use crate::message::address::{Address, split_list};
use crate::message::headers;
use crate::message::uri::stack_uri;
use rsipstack::sip::Response;
use std::collections::VecDeque;

/// More Contacts in one answer are not looked at.
const MAX_CONTACTS: usize = 8;

/// The places one call has been sent to, and those it may still go to.
pub(crate) struct Redirects {
    seen: Vec<String>,
    waiting: VecDeque<String>,
    /// How many more places may be tried.
    left: u8,
}

impl Redirects {
    /// `target` is where the call goes first, `limit` how many more places it may be sent to.
    pub fn new(target: &str, limit: u8) -> Self {
        Self { seen: vec![same(target)], waiting: VecDeque::new(), left: limit }
    }

    /// Takes in the Contacts of a 3xx. They come before those of an earlier one.
    pub fn learn(&mut self, response: &Response) {
        let mut contacts: Vec<(f32, String)> = headers::values(&response.headers, "Contact")
            .flat_map(split_list)
            .filter_map(Address::parse)
            .map(|address| (address.param("q").and_then(|q| q.parse().ok()).unwrap_or(1.0), address.uri.to_owned()))
            .take(MAX_CONTACTS)
            .collect();
        // Stable: equal ones stay in order.
        contacts.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        for (_, uri) in contacts.into_iter().rev() {
            // Headers in the URI are not taken over: what a call says is ours to decide.
            let uri = uri.split_once('?').map_or(uri.as_str(), |(before, _)| before).to_owned();
            if stack_uri(&uri).is_some() && !self.seen.contains(&same(&uri)) {
                self.seen.push(same(&uri));
                self.waiting.push_front(uri);
            }
        }
    }

    /// The next place to try.
    pub fn next(&mut self) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        self.waiting.pop_front()
    }
}

/// What two URIs for the same place have in common, near enough: case counts in the user part only.
fn same(uri: &str) -> String {
    match uri.rsplit_once('@') {
        Some((user, host)) => format!("{user}@{}", host.to_ascii_lowercase()),
        None => uri.to_ascii_lowercase(),
    }
}
