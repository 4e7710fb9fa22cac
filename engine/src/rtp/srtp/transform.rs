//! The cryptographic transforms: AES-CM with HMAC-SHA1 (RFC 3711 section 4) and AES-GCM (RFC 7714), in place.
//! Which index a packet has is decided by the contexts.

use aes::Aes128Enc;
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ctr::Ctr128BE;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipher};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::derive::{Label, session_key};
use super::{MasterKey, Profile};

/// Bytes of an SRTCP packet that stay readable: the first packet's header with its SSRC.
pub(super) const RTCP_HEADER_BYTES: usize = 8;

/// Bytes HMAC-SHA1 pads its key to.
const MAC_BLOCK_BYTES: usize = 64;

/// Session keys of SRTP or SRTCP, one direction.
pub(super) struct Transform {
    protocol: Protocol,
    cipher: Cipher,
    salt: [u8; 14],
    tag_bytes: usize,
}

enum Cipher {
    CounterMode { aes: Aes128Enc, mac: Hmac<Sha1> },
    Gcm128(Aes128Gcm),
    Gcm256(Aes256Gcm),
}

/// Which of the two a transform is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Rtp,
    Rtcp,
}

/// One packet's parts.
pub(super) struct Parts<'a> {
    /// Authenticated and left readable.
    pub header: &'a [u8],
    /// Encrypted in place.
    pub body: &'a mut [u8],
    /// Authenticated too: the last word of SRTCP, which is sent, or SRTP's rollover counter, which is not.
    pub suffix: [u8; 4],
    pub ssrc: u32,
    /// 48 bits of SRTP, 31 bits of SRTCP.
    pub index: u64,
}

// === impl Transform ===

impl Transform {
    pub(super) fn new(master: &MasterKey, protocol: Protocol) -> Self {
        let profile = master.profile();
        let (encryption, authentication, salting) = match protocol {
            Protocol::Rtp => (Label::RtpEncryption, Label::RtpAuthentication, Label::RtpSalt),
            Protocol::Rtcp => (Label::RtcpEncryption, Label::RtcpAuthentication, Label::RtcpSalt),
        };
        let derive = |label, out: &mut [u8]| session_key(master.key(), master.salt(), label, out);
        let mut salt = [0; 14];
        derive(salting, &mut salt[..profile.salt_bytes()]);
        let cipher = match profile {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => {
                let (mut key, mut auth) = ([0; 16], [0; MAC_BLOCK_BYTES]);
                derive(encryption, &mut key);
                derive(authentication, &mut auth[..20]);
                Cipher::CounterMode { aes: Aes128Enc::new(&key.into()), mac: KeyInit::new(&auth.into()) }
            }
            Profile::Aes128Gcm => {
                let mut key = [0; 16];
                derive(encryption, &mut key);
                Cipher::Gcm128(Aes128Gcm::new(&key.into()))
            }
            Profile::Aes256Gcm => {
                let mut key = [0; 32];
                derive(encryption, &mut key);
                Cipher::Gcm256(Aes256Gcm::new(&key.into()))
            }
        };
        let tag_bytes = match protocol {
            Protocol::Rtp => profile.rtp_tag_bytes(),
            Protocol::Rtcp => profile.rtcp_tag_bytes(),
        };
        Self { protocol, cipher, salt, tag_bytes }
    }

    pub(super) fn tag_bytes(&self) -> usize {
        self.tag_bytes
    }

    /// True if the tag stands right behind the encrypted body (RFC 7714) instead of ending the packet (RFC 3711).
    pub(super) fn tag_is_inside(&self) -> bool {
        !matches!(self.cipher, Cipher::CounterMode { .. })
    }

    /// Encrypts the body and writes the tag. False, and the packet is not to be sent, if it cannot be done.
    pub(super) fn seal(&self, parts: Parts<'_>, tag: &mut [u8]) -> bool {
        match &self.cipher {
            Cipher::CounterMode { aes, mac } => {
                self.keystream(aes, &parts).apply_keystream(parts.body);
                let whole = authenticate(mac, &parts).finalize().into_bytes();
                let sealed = whole.get(..tag.len());
                sealed.map(|sealed| tag.copy_from_slice(sealed)).is_some()
            }
            Cipher::Gcm128(aes) => self.seal_gcm(aes, parts, tag),
            Cipher::Gcm256(aes) => self.seal_gcm(aes, parts, tag),
        }
    }

    /// Decrypts the body if the tag fits; else leaves it as it was.
    pub(super) fn open(&self, parts: Parts<'_>, tag: &[u8]) -> bool {
        match &self.cipher {
            Cipher::CounterMode { aes, mac } => {
                // Compares in constant time.
                if authenticate(mac, &parts).verify_truncated_left(tag).is_err() {
                    return false;
                }
                self.keystream(aes, &parts).apply_keystream(parts.body);
                true
            }
            Cipher::Gcm128(aes) => self.open_gcm(aes, parts, tag),
            Cipher::Gcm256(aes) => self.open_gcm(aes, parts, tag),
        }
    }

    /// Counter mode from this packet's initial value (RFC 3711 section 4.1.1).
    fn keystream<'a>(&self, aes: &'a Aes128Enc, parts: &Parts<'_>) -> Ctr128BE<&'a Aes128Enc> {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        xor(&mut iv[4..], &parts.ssrc.to_be_bytes());
        xor(&mut iv[8..], &parts.index.to_be_bytes()[2..]);
        Ctr128BE::from_core(ctr::CtrCore::inner_iv_init(aes, &iv.into()))
    }

    /// Initial value of RFC 7714 sections 8.1 and 9.1.
    fn nonce(&self, parts: &Parts<'_>) -> [u8; 12] {
        let mut iv = [0; 12];
        iv.copy_from_slice(&self.salt[..12]);
        xor(&mut iv[2..], &parts.ssrc.to_be_bytes());
        xor(&mut iv[6..], &parts.index.to_be_bytes()[2..]);
        iv
    }

    fn seal_gcm(&self, aes: &impl Gcm, parts: Parts<'_>, tag: &mut [u8]) -> bool {
        let nonce = self.nonce(&parts).into();
        let mut report = [0; RTCP_HEADER_BYTES + 4];
        let sealed = aes.encrypt_in_place_detached(&nonce, self.associated(&parts, &mut report), parts.body);
        sealed.map(|sealed| tag.copy_from_slice(&sealed)).is_ok()
    }

    fn open_gcm(&self, aes: &impl Gcm, parts: Parts<'_>, tag: &[u8]) -> bool {
        let nonce = self.nonce(&parts).into();
        let mut report = [0; RTCP_HEADER_BYTES + 4];
        let associated = self.associated(&parts, &mut report);
        aes.decrypt_in_place_detached(&nonce, associated, parts.body, tag.into()).is_ok()
    }

    /// What AES-GCM authenticates beside the body: the header, and of SRTCP the last word too (RFC 7714 section 9.2).
    fn associated<'a>(&self, parts: &Parts<'a>, report: &'a mut [u8; RTCP_HEADER_BYTES + 4]) -> &'a [u8] {
        if self.protocol == Protocol::Rtp {
            return parts.header;
        }
        for (to, from) in report.iter_mut().zip(parts.header.iter().chain(&parts.suffix)) {
            *to = *from;
        }
        report
    }
}

/// AES-GCM with any key: nonces of 12 bytes, tags of 16.
trait Gcm: AeadInPlace<NonceSize = aes_gcm::aead::consts::U12, TagSize = aes_gcm::aead::consts::U16> {}

impl<T: AeadInPlace<NonceSize = aes_gcm::aead::consts::U12, TagSize = aes_gcm::aead::consts::U16>> Gcm for T {}

/// HMAC over all of the packet and its suffix (RFC 3711 section 4.2).
fn authenticate(mac: &Hmac<Sha1>, parts: &Parts<'_>) -> Hmac<Sha1> {
    let mut mac = mac.clone();
    mac.update(parts.header);
    mac.update(parts.body);
    mac.update(&parts.suffix);
    mac
}

fn xor(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

#[cfg(test)]
mod tests;
