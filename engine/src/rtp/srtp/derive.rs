//! Session keys out of a master key: AES in counter mode as pseudo-random function (RFC 3711 section 4.3, RFC 6188).
//! No key derivation rate: keys are derived once, from packet index 0.

use aes::{Aes128Enc, Aes256Enc};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

/// What a session key is for (RFC 3711 section 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Where the label meets the salt: the last byte before 48 bits of index, which are zero.
const LABEL_AT: usize = 7;

/// Fills `out` with the session key for `label`. `key`: 16 or 32 bytes; `salt`: at most 14.
pub(super) fn session_key(key: &[u8], salt: &[u8], label: Label, out: &mut [u8]) {
    let mut iv = [0; 16];
    // A salt of 96 bits stands left (RFC 7714 section 11).
    iv.iter_mut().zip(salt).for_each(|(byte, salt)| *byte = *salt);
    iv[LABEL_AT] ^= label as u8;
    out.fill(0);
    // Of the two lengths a key can have one fits.
    if let Ok(mut stream) = Ctr128BE::<Aes128Enc>::new_from_slices(key, &iv) {
        stream.apply_keystream(out);
    } else if let Ok(mut stream) = Ctr128BE::<Aes256Enc>::new_from_slices(key, &iv) {
        stream.apply_keystream(out);
    }
}

#[cfg(test)]
mod tests;
