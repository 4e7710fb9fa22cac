//! An encrypted stream of 20 ms packets, both ends of it.
//! How keys are agreed on is measured in `benches/srtp.rs`.

use engine::rtp::srtp::{KeyLength, MAX_TRAILER_BYTES, MasterKey, Profile, ReceiveContext, SendContext};
use engine::rtp::write_header;

/// An RTP packet of 20 ms of G.711.
const PACKET_BYTES: usize = 172;

pub struct Sealed {
    sender: SendContext,
    receiver: ReceiveContext,
    sequence: u16,
    packet: [u8; PACKET_BYTES + MAX_TRAILER_BYTES],
}

// === impl Sealed ===

impl Sealed {
    /// # Errors
    /// None: the key is as long as the profile wants it.
    pub fn new(profile: Profile) -> Result<Self, KeyLength> {
        let key = MasterKey::new(profile, &vec![7; profile.key_bytes() + profile.salt_bytes()])?;
        let (sender, receiver) = (SendContext::new(&key), ReceiveContext::new(&key, None));
        Ok(Self { sender, receiver, sequence: 0, packet: [0; PACKET_BYTES + MAX_TRAILER_BYTES] })
    }

    /// The next packet, encrypted.
    pub fn protect(&mut self) -> &[u8] {
        let bytes = self.protect_in_place();
        self.packet.get(..bytes).unwrap_or_default()
    }

    /// Decrypts a packet of this stream. False if it is not authentic, or came before.
    pub fn unprotect(&mut self, packet: &[u8]) -> bool {
        self.receiver.unprotect_rtp(packet).is_ok()
    }

    /// Encrypts the next packet and decrypts it.
    pub fn round_trip(&mut self) -> bool {
        let bytes = self.protect_in_place();
        self.packet.get(..bytes).is_some_and(|packet| self.receiver.unprotect_rtp(packet).is_ok())
    }

    /// Encrypts the next packet; its length, bytes.
    fn protect_in_place(&mut self) -> usize {
        self.packet.fill(0x55);
        if let Some(header) = self.packet.first_chunk_mut() {
            write_header(header, false, 0, self.sequence, u32::from(self.sequence) * 160, 7);
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sender.protect_rtp(&mut self.packet, PACKET_BYTES).unwrap_or_default()
    }
}
