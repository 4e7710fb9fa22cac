//! Which bytes of a recording a request asks for: `Range`, `If-Range`, `If-None-Match` (RFC 9110 sections 13 and 14).
//! Reading them is `playback`'s.

/// What of a recording is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of it, with 200.
    Whole,
    /// `length` bytes from `offset`, with 206. Never empty, never past the end.
    Part { offset: u64, length: u64 },
    /// The range lies behind the end: 416.
    Unsatisfiable,
}

/// What `Range` selects from `size` bytes. A header that is malformed, in another unit or asks for several ranges is
/// ignored, as section 14.2 allows.
pub fn select(range: Option<&str>, size: u64) -> Selection {
    match range.and_then(parse) {
        None => Selection::Whole,
        Some((None, suffix)) => match suffix.unwrap_or(0).min(size) {
            0 => Selection::Unsatisfiable,
            length => Selection::Part { offset: size - length, length },
        },
        Some((Some(first), _)) if first >= size => Selection::Unsatisfiable,
        Some((Some(first), last)) => {
            let last = last.unwrap_or(u64::MAX).min(size - 1);
            Selection::Part { offset: first, length: last - first + 1 }
        }
    }
}

/// `first-last`, `first-` or `-suffix` of `bytes=…`, if it is one.
fn parse(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, spec) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    match (first, last) {
        (None, None) => None,
        (Some(first), Some(last)) if last < first => None,
        range => Some(range),
    }
}

/// `Some(None)` for nothing at all, `None` for what is no number. A number too large for us is the largest.
fn number(text: &str) -> Option<Option<u64>> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

/// Whether `If-None-Match` names the entity tag: 304.
pub fn unchanged(if_none_match: Option<&str>, etag: &str) -> bool {
    if_none_match.is_some_and(|header| {
        header.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}

/// Whether `Range` counts: there is no `If-Range`, or it names the entity tag (a date never does, ours have none).
pub fn range_counts(if_range: Option<&str>, etag: &str) -> bool {
    if_range.is_none_or(|tag| tag.trim() == etag)
}

#[cfg(test)]
mod tests;
