//! Keys on their way out: telephone-event packets in the numbering and on the clock of the audio (RFC 4733 section 2.5).
//! Which key, and how long, is decided in `call::key_sender`.

use std::net::SocketAddr;

use super::{MAX_PACKET_BYTES, Sending, Transmit};
use crate::audio::FRAME_SAMPLES;
use crate::audio::dtmf::EventPacket;
use crate::call::media::MediaSession;
use crate::rtp::{HEADER_BYTES, write_header};

impl Sending {
    /// Timestamp of the frame that is sent next.
    pub(in crate::call::leg) fn next_timestamp(&self, session: &MediaSession) -> u32 {
        self.timestamp.wrapping_add(self.audio.filled() as u32 * session.codec.ticks_per_sample())
    }

    /// Sends 20 ms of a key. Audio that waits for the rest of its packet is given up: the key goes down now.
    pub(in crate::call::leg) fn send_event(
        &mut self,
        event: &EventPacket,
        session: &MediaSession,
        to: SocketAddr,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Option<Transmit> {
        self.pass_over(self.audio.filled() + FRAME_SAMPLES, session);
        self.audio.clear();
        // Audio after the key begins a talkspurt.
        self.marker = true;
        let payload_type = session.telephone_event.filter(|_| session.sends)?;
        let (header, rest) = packet.split_first_chunk_mut::<HEADER_BYTES>()?;
        let payload = rest.first_chunk_mut()?;
        write_header(header, event.marker, payload_type, self.sequence, event.timestamp, self.ssrc);
        *payload = event.payload;
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += event.payload.len() as u64;
        Some(Transmit { bytes: HEADER_BYTES + event.payload.len(), to })
    }
}
