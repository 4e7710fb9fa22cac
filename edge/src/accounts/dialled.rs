//! The dialled number and the trunk it came by: how each is written so that two ways of writing it are one.
//! Whose number it is, is `lookup`'s.

use std::net::IpAddr;

/// Longest number, characters.
pub const MAX_NUMBER: usize = 64;

/// The number in a SIP or tel URI (RFC 3261 section 19.1, RFC 3966), with or without display name and angle brackets.
/// `None` if it has no user part.
pub fn of_uri(uri: &str) -> Option<String> {
    let uri = uri.split_once('<').map_or(uri, |(_, rest)| rest);
    let uri = uri.split_once('>').map_or(uri, |(inside, _)| inside).trim();
    let (scheme, rest) = uri.split_once(':')?;
    let user = match scheme.to_ascii_lowercase().as_str() {
        "sip" | "sips" => rest.split_once('@')?.0,
        "tel" => rest,
        _ => return None,
    };
    // A password, parameters of the user part, and whatever follows are not the number.
    let user = user.split([':', ';', '?']).next()?;
    normal(&unescape(user)?)
}

/// The one way a number is written: digits, with `+` before them if it is international, without the separators people
/// and RFC 3966 section 5.1.1 put between them. A name (`reception`) is in small letters. `None` if it is neither.
pub fn normal(text: &str) -> Option<String> {
    let text = text.trim();
    let separator = |letter: char| matches!(letter, '-' | '.' | '(' | ')' | ' ');
    let digits = |text: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit() || letter == '*' || letter == '#')
    };
    let bare: String = text.chars().filter(|letter| !separator(*letter)).collect();
    let number = if digits(bare.strip_prefix('+').unwrap_or(&bare)) { bare } else { text.to_ascii_lowercase() };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "+-._*#~".contains(letter);
    let fits = !number.is_empty() && number.len() <= MAX_NUMBER && number.chars().all(plain);
    fits.then_some(number)
}

/// The one way a trunk's address is written: an IPv4 address mapped into IPv6 (RFC 4291 section 2.5.5.2) as the IPv4
/// address it is, IPv6 as RFC 5952 has it. `None` if it is no IP address.
pub fn trunk_address(text: &str) -> Option<String> {
    text.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string())
}

/// Undoes `%2B` and the like (RFC 3261 section 19.1.2).
fn unescape(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        plain.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests;
