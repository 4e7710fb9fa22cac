//! Which number a URI names, written so that the same number is always the same text.
//! Whose number it is, is decided by whoever asks.

/// The dialled number or SIP user name of a URI, without the separators people write between digits.
pub fn dialled(uri: &str) -> String {
    bare_number(user_part(uri))
}

/// A number without the visual separators of RFC 3966; a name that is no number stays as it is.
pub fn bare_number(number: &str) -> String {
    let is_number = number.chars().all(|c| c.is_ascii_digit() || "+-.() *#".contains(c));
    if is_number { number.chars().filter(|c| !"-.() ".contains(*c)).collect() } else { number.to_owned() }
}

/// User part of a SIP URI, number of a `tel:` URI (RFC 3261 section 19.1.1, RFC 3966 section 3).
fn user_part(uri: &str) -> &str {
    let after_scheme = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let user = after_scheme.split_once('@').map_or(after_scheme, |(user, _)| user);
    user.split([';', ':']).next().unwrap_or(user)
}
