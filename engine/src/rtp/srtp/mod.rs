//! SRTP and SRTCP (RFC 3711, RFC 7714): packets of one leg made secret and read again, one context a direction.
//! Keys come from SDP (RFC 4568) or DTLS (RFC 5764); nothing here negotiates or sends.

mod derive;
mod receive;
mod replay;
mod send;
mod transform;

#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;

pub use receive::{Mki, ReceiveContext};
pub use send::SendContext;

/// Most bytes that protection adds to a packet: a tag of 16 and, for SRTCP, the index.
pub const MAX_TRAILER_BYTES: usize = 16 + INDEX_BYTES;

/// The word behind an SRTCP packet: one bit "encrypted", 31 bits of index (RFC 3711 section 3.4).
const INDEX_BYTES: usize = 4;

/// Longest master key and master salt together, of `AEAD_AES_256_GCM`.
const MAX_KEY_BYTES: usize = 44;

/// How packets are protected: a crypto suite of RFC 4568 section 6.2 or RFC 7714 section 14.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// AES in counter mode, HMAC-SHA1 cut to 80 bits.
    Aes128CmSha1_80,
    /// The same with tags of 32 bits on SRTP; SRTCP keeps 80.
    Aes128CmSha1_32,
    /// AES in Galois counter mode, tags of 128 bits.
    Aes128Gcm,
    Aes256Gcm,
}

/// Master key and master salt of one direction. Does not show itself in logs or dumps.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    profile: Profile,
    bytes: [u8; MAX_KEY_BYTES],
}

/// A master key of another length than its profile's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an SRTP key of {have} bytes, {profile:?} takes {need}")]
pub struct KeyLength {
    pub profile: Profile,
    pub have: usize,
    pub need: usize,
}

/// Why a packet was not protected or not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SrtpError {
    #[error("not an SRTP packet: {0} bytes")]
    Malformed(usize),
    #[error("the packet does not carry the key's MKI")]
    UnknownKey,
    #[error("the packet's tag does not fit our key")]
    Unauthentic,
    #[error("the packet came before, or is too old to tell")]
    Replayed,
    #[error("no room for {0} bytes more")]
    NoRoom(usize),
    #[error("the key has protected as many packets as it may")]
    KeyUsedUp,
}

// === impl Profile ===

impl Profile {
    /// Bytes of the master key.
    pub fn key_bytes(self) -> usize {
        if self == Self::Aes256Gcm { 32 } else { 16 }
    }

    /// Bytes of the master salt.
    pub fn salt_bytes(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 14,
            Self::Aes128Gcm | Self::Aes256Gcm => 12,
        }
    }

    /// Bytes of the tag on an SRTP packet.
    fn rtp_tag_bytes(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 10,
            Self::Aes128CmSha1_32 => 4,
            Self::Aes128Gcm | Self::Aes256Gcm => 16,
        }
    }

    /// Bytes of the tag on an SRTCP packet.
    fn rtcp_tag_bytes(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 => 10,
            Self::Aes128Gcm | Self::Aes256Gcm => 16,
        }
    }
}

// === impl MasterKey ===

impl MasterKey {
    /// `key_and_salt`: the master key, and the master salt behind it, as SDP writes them.
    ///
    /// # Errors
    /// [`KeyLength`] if the profile takes another number of bytes.
    pub fn new(profile: Profile, key_and_salt: &[u8]) -> Result<Self, KeyLength> {
        let need = profile.key_bytes() + profile.salt_bytes();
        let mut bytes = [0; MAX_KEY_BYTES];
        match bytes.get_mut(..need) {
            Some(room) if key_and_salt.len() == need => room.copy_from_slice(key_and_salt),
            _ => return Err(KeyLength { profile, have: key_and_salt.len(), need }),
        }
        Ok(Self { profile, bytes })
    }

    pub fn profile(&self) -> Profile {
        self.profile
    }

    fn key(&self) -> &[u8] {
        &self.bytes[..self.profile.key_bytes()]
    }

    fn salt(&self) -> &[u8] {
        &self.bytes[self.profile.key_bytes()..][..self.profile.salt_bytes()]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({:?})", self.profile)
    }
}
