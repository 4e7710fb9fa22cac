//! Ids of calls that begin at the edge: UUIDs of version 7 (RFC 9562 section 5.7), as the engine makes them.
//! Calls that come by phone have theirs already.

/// Longest id that is taken, bytes.
const MAX_BYTES: usize = 64;

/// A new id from the time and randomness.
pub fn v7(now_ms: u64, random: [u8; 10]) -> String {
    let mut hex: String = now_ms.to_be_bytes().iter().skip(2).map(|byte| format!("{byte:02x}")).collect();
    for (at, byte) in random.iter().enumerate() {
        let byte = match at {
            0 => 0x70 | byte & 0x0f,
            2 => 0x80 | byte & 0x3f,
            _ => *byte,
        };
        hex.push_str(&format!("{byte:02x}"));
    }
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| hex.get(part).unwrap_or_default()).join("-")
}

/// Whether a text may be a call's id: UUIDs, and what other engines may use.
pub fn is_plausible(call_id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_BYTES).contains(&call_id.len()) && call_id.bytes().all(plain)
}

#[cfg(test)]
mod tests;
