//! The parameters of a challenge or of credentials: `Digest name=value, name="quoted"` (RFC 7616 3.3, 3.4).
//! Not here: what they mean.

/// Parameters in order; quotes and their escapes are undone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

/// More than any header needs; what comes after is ignored.
const MAX_PARAMS: usize = 32;

impl Params {
    /// Reads a header value; `None` when its scheme is not Digest or its form is broken.
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, mut rest) = value.trim().split_once(|c: char| c.is_ascii_whitespace())?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut params = Vec::new();
        while params.len() < MAX_PARAMS {
            rest = rest.trim_start_matches([',', ' ', '\t', '\r', '\n']);
            if rest.is_empty() {
                break;
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value_of(after.trim_start())?;
            params.push((name.trim().to_owned(), value));
            rest = after;
        }
        Some(Self(params))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A token or quoted string, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        return Some((text.get(..end)?.trim().to_owned(), text.get(end..)?));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}
