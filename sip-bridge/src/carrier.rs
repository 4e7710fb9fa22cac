//! What carriers add to a call: who is asserted to call, and by whom it was sent on (RFC 3325, 5806, 7044).
//! Not here: whether any of it is true (`identity`).

use crate::message::address::{Address, split_list};
use crate::message::headers;
use crate::message::uri::percent_decode;
use rsipstack::sip::Headers;
use std::borrow::Cow;

/// More entries of one kind are not read.
const MAX_ENTRIES: usize = 16;

/// One party, as a header named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// `sip:`, `sips:` or `tel:`, as it was written.
    pub uri: String,
    pub display: Option<String>,
}

/// One time the call was sent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversion {
    /// Whom it was meant for.
    pub uri: String,
    /// `no-answer`, `user-busy`, `unconditional` and so on (RFC 5806 9.2), or the Reason of a History-Info entry.
    pub reason: Option<String>,
}

/// All of P-Asserted-Identity: at most one `sip:` and one `tel:` by the RFC.
pub(crate) fn asserted(headers: &Headers) -> Vec<Party> {
    headers::values(headers, "P-Asserted-Identity")
        .flat_map(split_list)
        .filter_map(Address::parse)
        .take(MAX_ENTRIES)
        .map(|address| Party { uri: address.uri.to_owned(), display: address.display.map(Cow::into_owned) })
        .collect()
}

/// The last diversion first.
pub(crate) fn diversions(headers: &Headers) -> Vec<Diversion> {
    let named: Vec<Diversion> = headers::values(headers, "Diversion")
        .flat_map(split_list)
        .filter_map(Address::parse)
        .take(MAX_ENTRIES)
        .map(|address| Diversion {
            uri: address.uri.to_owned(),
            reason: address.param("reason").map(|reason| reason.trim_matches('"').to_owned()),
        })
        .collect();
    if named.is_empty() { history(headers) } else { named }
}

/// History-Info lists every place the call was sent to, first to last; all but the last sent it on.
fn history(headers: &Headers) -> Vec<Diversion> {
    let mut entries: Vec<Diversion> = headers::values(headers, "History-Info")
        .flat_map(split_list)
        .filter_map(Address::parse)
        .take(MAX_ENTRIES)
        .map(|address| {
            let (uri, fields) = address.uri.split_once('?').unwrap_or((address.uri, ""));
            let reason = fields.split('&').find_map(|field| {
                let (name, value) = field.split_once('=')?;
                name.eq_ignore_ascii_case("Reason").then(|| percent_decode(value))?
            });
            Diversion { uri: uri.to_owned(), reason }
        })
        .collect();
    entries.pop();
    entries.reverse();
    entries
}
