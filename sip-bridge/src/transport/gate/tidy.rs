//! Legal but odd spelling made plain: folded lines, white space before a colon and around separators (RFC 3261 7.3.1).
//! Not here: what is illegal; it stays as it was sent.

use super::Head;
use memchr::{memchr_iter, memchr3_iter};
use std::borrow::Cow;

/// Headers whose parameters the stack reads, and the characters that white space may surround in them.
const STRUCTURED: [(&str, &str, &[char]); 7] = [
    ("Via", "v", &['/', ';', '=', ',', ':']),
    ("From", "f", &[';', '=']),
    ("To", "t", &[';', '=']),
    ("Contact", "m", &[';', '=', ',']),
    ("Route", "Route", &[';', '=', ',']),
    ("Record-Route", "Record-Route", &[';', '=', ',']),
    ("CSeq", "CSeq", &[]),
];

/// The head in plain spelling; `read` is what it says.
pub(super) fn tidy<'a>(head: &'a str, read: &Head<'_>) -> Cow<'a, str> {
    let mut plain = String::with_capacity(head.len());
    plain.push_str(read.start);
    for (name, value) in read.headers() {
        plain.push_str("\r\n");
        plain.push_str(name);
        plain.push_str(": ");
        plain.push_str(&tidy_value(name, value));
    }
    if plain == head { Cow::Borrowed(head) } else { Cow::Owned(plain) }
}

fn tidy_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_plain(value) {
        return Cow::Borrowed(value);
    }
    let structured = STRUCTURED
        .iter()
        .find(|(full, compact, _)| name.eq_ignore_ascii_case(full) || name.eq_ignore_ascii_case(compact));
    if let Some((_, _, separators)) = structured {
        return Cow::Owned(without_spaces_around(&unfolded(value), separators));
    }
    unfolded(value)
}

/// Whether a value, as nearly all, is spelled plainly for sure: no white space but single spaces away from separators.
fn is_plain(value: &str) -> bool {
    let bytes = value.as_bytes();
    let is_apart = |at: usize| bytes.get(at).is_some_and(|byte| !b" \t\r/;=,:".contains(byte));
    memchr3_iter(b' ', b'\t', b'\r', bytes)
        .all(|at| bytes.get(at) == Some(&b' ') && at.checked_sub(1).is_some_and(is_apart) && is_apart(at + 1))
}

/// A folded line goes on after one space.
fn unfolded(value: &str) -> Cow<'_, str> {
    if !value.contains("\r\n") {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.split("\r\n").map(str::trim).collect::<Vec<_>>().join(" "))
}

/// White space beside a separator goes, any other becomes one space; what is quoted or in angle brackets stays.
fn without_spaces_around(value: &str, separators: &[char]) -> String {
    let mut plain = String::with_capacity(value.len());
    let mut outside = Outside::default();
    let mut space = false;
    for c in value.chars() {
        let was_outside = outside.holds;
        outside.pass(c);
        if was_outside && matches!(c, ' ' | '\t') {
            space = true;
            continue;
        }
        let beside = (was_outside && separators.contains(&c)) || plain.ends_with(separators);
        if space && !(beside && was_outside) && !plain.is_empty() {
            plain.push(' ');
        }
        space = false;
        plain.push(c);
    }
    plain
}

/// Whether `;` has nothing after it but another separator, as in `;;` or `;,`.
pub(super) fn has_empty_parameter(value: &str) -> bool {
    let bytes = value.as_bytes();
    let next = |at: usize| bytes.iter().skip(at).find(|byte| !byte.is_ascii_whitespace());
    // Nearly no value has one even inside of quotes.
    if !memchr_iter(b';', bytes).any(|at| matches!(next(at + 1), Some(b';' | b','))) {
        return false;
    }
    let mut outside = Outside::default();
    let mut after_semicolon = false;
    for c in value.chars() {
        let was_outside = outside.holds;
        outside.pass(c);
        if !was_outside || matches!(c, ' ' | '\t' | '\r' | '\n') {
            continue;
        }
        if after_semicolon && matches!(c, ';' | ',') {
            return true;
        }
        after_semicolon = c == ';';
    }
    false
}

/// Follows a value and tells whether a character stands outside of quotes and angle brackets.
struct Outside {
    holds: bool,
    quoted: bool,
    escaped: bool,
}

impl Default for Outside {
    fn default() -> Self {
        Self { holds: true, quoted: false, escaped: false }
    }
}

impl Outside {
    fn pass(&mut self, c: char) {
        if self.quoted {
            let ends = c == '"' && !self.escaped;
            self.escaped = c == '\\' && !self.escaped;
            self.quoted = !ends;
            self.holds = ends;
            return;
        }
        match c {
            '"' if self.holds => (self.quoted, self.holds) = (true, false),
            '<' => self.holds = false,
            '>' => self.holds = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_taken_for_plain_is_what_the_slow_way_makes_of_it(value in "[ \t\r\n/;=,:<>\"\\\\a-c]{0,24}") {
            let value = value.trim_ascii();
            if is_plain(value) {
                prop_assert_eq!(unfolded(value), value);
                for (_, _, separators) in STRUCTURED {
                    prop_assert_eq!(without_spaces_around(value, separators), value);
                }
            }
        }
    }
}
