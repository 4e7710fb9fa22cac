//! Keys for machines: `tk_` and 160 bits of randomness. Only their SHA-256 is kept.
//! Whose they are is in the table `api_keys`.

use sha2::{Digest, Sha256};

const PREFIX: &str = "tk_";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const CHARACTERS: usize = 32;

/// A new key, to be shown once.
///
/// # Errors
/// If there is no randomness to be had.
pub fn generate() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; CHARACTERS];
    getrandom::getrandom(&mut bytes)?;
    let mut key = PREFIX.to_owned();
    key.extend(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])));
    Ok(key)
}

/// Whether a bearer token is meant as an API key.
pub fn looks_like(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// What is stored and looked up: lower-case hex.
pub fn sha256(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
