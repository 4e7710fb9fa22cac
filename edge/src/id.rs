//! Random identifiers: a prefix that tells what it names, and 100 bits of randomness.
//! Call ids are the engine's UUIDs and are not made here.

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// `acc_` and 20 characters of lower-case base32.
pub fn random(prefix: &str) -> String {
    let mut bytes = [0u8; 20];
    // The only source of randomness there is; without it an id would repeat and be refused by the database.
    let _ = getrandom::getrandom(&mut bytes);
    let mut id = format!("{prefix}_");
    id.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])));
    id
}
