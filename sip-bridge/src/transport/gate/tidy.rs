//! Legal but odd spelling made plain: folded lines, white space before a colon and around separators (RFC 3261 7.3.1).
//! Not here: what is illegal; it stays as it was sent.

use super::Head;
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

/// The head in plain spelling.
pub(super) fn tidy(head: &str) -> Cow<'_, str> {
    let read = Head::read(head);
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
    let structured = STRUCTURED
        .iter()
        .find(|(full, compact, _)| name.eq_ignore_ascii_case(full) || name.eq_ignore_ascii_case(compact));
    if let Some((_, _, separators)) = structured {
        return Cow::Owned(without_spaces_around(&unfolded(value), separators));
    }
    unfolded(value)
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
