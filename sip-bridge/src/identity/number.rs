//! Telephone numbers as PASSporTs write them: digits only (RFC 8224 8.3).
//! Not here: whether a number exists.

/// The number a `tel:` or `sip:` URI is for: digits, without `+` and separators. `None` for other users.
pub(super) fn of_uri(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let user = if scheme.eq_ignore_ascii_case("tel") {
        rest
    } else if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") {
        rest.split_once('@')?.0
    } else {
        return None;
    };
    // Parameters of the number, as of `+1555;ext=7`, and a password are no part of it.
    let number = user.split([';', ':']).next()?;
    digits(number)
}

/// A number without `+` and visual separators; `None` when something else is left.
pub(super) fn digits(text: &str) -> Option<String> {
    let text = text.trim().replace("%2B", "+").replace("%2b", "+");
    let number: String =
        text.strip_prefix('+').unwrap_or(&text).chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect();
    let whole = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
    whole.then_some(number)
}
