//! The Replaces header (RFC 3891 6.1) and the Refer-To header that may carry one (RFC 3515 2.1).
//! Not here: finding the dialog it names (`dispatch`), sending it (`outgoing`, `dialog::transfer`).

use super::address::Address;
use super::uri::{callable, percent_decode};
use std::fmt::{self, Display, Write as _};

/// Names a dialog as the side sees it that is to be called: its own tag is `to_tag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    pub to_tag: String,
    pub from_tag: String,
    /// Only while the dialog is not answered.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a header value.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            match part.split_once('=') {
                Some((name, tag)) if name.trim().eq_ignore_ascii_case("to-tag") => to_tag = Some(tag.trim().to_owned()),
                Some((name, tag)) if name.trim().eq_ignore_ascii_case("from-tag") => {
                    from_tag = Some(tag.trim().to_owned());
                }
                None if part.eq_ignore_ascii_case("early-only") => early_only = true,
                _ => {}
            }
        }
        Some(Self { call_id, to_tag: to_tag?, from_tag: from_tag?, early_only })
    }
}

impl Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

/// Where a REFER sends its receiver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReferTo {
    /// The URI without its headers and its `method` parameter.
    pub uri: String,
    pub replaces: Option<Replaces>,
    /// The `method` parameter; `None` is INVITE.
    pub method: Option<String>,
}

impl ReferTo {
    /// Reads a header value; `None` for what is no URI a call could go to.
    pub fn parse(value: &str) -> Option<Self> {
        let uri = Address::parse(value)?.uri;
        let (uri, headers) = uri.split_once('?').unwrap_or((uri, ""));
        let replaces = match headers
            .split('&')
            .filter_map(|header| header.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("Replaces"))
        {
            Some((_, value)) => Some(Replaces::parse(&percent_decode(value)?)?),
            None => None,
        };
        // The user part may hold semicolons, so parameters are looked for behind it.
        let params_from = uri.rfind('@').unwrap_or(0);
        let (address, params) = uri.split_at_checked(params_from)?;
        let mut method = None;
        let kept: Vec<&str> = params
            .split(';')
            .filter(|param| match param.split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("method") => {
                    method = Some(value.to_owned());
                    false
                }
                _ => true,
            })
            .collect();
        let uri = format!("{address}{}", kept.join(";"));
        callable(&uri).then_some(Self { uri, replaces, method })
    }

    /// The value of a Refer-To header for a call.
    pub fn write(uri: &str, replaces: Option<&Replaces>) -> String {
        match replaces {
            Some(replaces) => format!("<{uri}?Replaces={}>", percent_encode(&replaces.to_string())),
            None => format!("<{uri}>"),
        }
    }
}

/// Text as a header inside of a URI (RFC 3261 25.1 `hvalue`), with nothing left to doubt.
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
