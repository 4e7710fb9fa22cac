//! Reading and writing SIP messages: addresses, URIs, the headers this crate adds (RFC 3261 section 20).
//! Not here: when to send what.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod headers;
pub(crate) mod replaces;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod uri;
pub(crate) mod via;

#[cfg(test)]
mod tests;
