//! `name-addr` and `addr-spec` header values: From, To, Contact, Record-Route (RFC 3261 20.10, 25.1).
//! Not here: what is inside the URI (`uri`).

use std::borrow::Cow;

/// One address, borrowed from its header value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    /// Display name, unquoted and unescaped; `None` when absent or empty.
    pub display: Option<Cow<'a, str>>,
    /// The URI, without angle brackets.
    pub uri: &'a str,
    /// Header parameters after the URI, without the first semicolon.
    pub params: &'a str,
}

impl<'a> Address<'a> {
    /// Reads one address; `None` when the value is none.
    pub fn parse(value: &'a str) -> Option<Self> {
        let value = value.trim();
        let (display, rest) = match value.strip_prefix('"') {
            Some(quoted) => {
                let (text, rest) = unquote(quoted)?;
                (text, rest.trim_start())
            }
            None => match value.find('<') {
                Some(open) => (value.get(..open)?.trim().into(), value.get(open..)?),
                None => ("".into(), value),
            },
        };
        let (uri, params) = match rest.strip_prefix('<') {
            Some(bracketed) => {
                let (uri, after) = bracketed.split_once('>')?;
                (uri, after.trim_start().strip_prefix(';').unwrap_or(""))
            }
            // Without brackets everything after the first semicolon belongs to the header (RFC 3261 20.10).
            None => rest.split_once(';').unwrap_or((rest, "")),
        };
        let uri = uri.trim();
        (uri.contains(':')).then_some(Self { display: (!display.is_empty()).then_some(display), uri, params })
    }

    /// The value of a header parameter.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.split(';').find_map(|param| {
            let (key, value) = param.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// The tag that names one side of a dialog; empty counts as absent.
    pub fn tag(&self) -> Option<&'a str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }
}

/// Splits a quoted string (its opening quote is gone) from what follows, and undoes its escapes.
fn unquote(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let plain = quoted.find(['"', '\\'])?;
    let (text, rest) = quoted.split_at(plain);
    if let Some(rest) = rest.strip_prefix('"') {
        return Some((text.into(), rest));
    }
    let mut text = text.to_owned();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text.into(), rest.get(at + 1..)?)),
            '\\' => text.push(chars.next()?.1),
            c => text.push(c),
        }
    }
    None
}

/// Splits a header that may hold several addresses at the commas between them, not at those inside
/// quotes or angle brackets.
pub(crate) fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    value
        .split(move |c| {
            let was_escaped = std::mem::replace(&mut escaped, false);
            match c {
                _ if was_escaped => {}
                '\\' if quoted => escaped = true,
                '"' if !bracketed => quoted = !quoted,
                '<' if !quoted => bracketed = true,
                '>' if !quoted => bracketed = false,
                ',' => return !quoted && !bracketed,
                _ => {}
            }
            false
        })
        .map(str::trim)
        .filter(|part| !part.is_empty())
}
