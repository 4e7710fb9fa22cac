//! A call as the target `rtp` drives it: its packets, its time, and its wishes heeded by nobody.
//! What happens to it is up to the target.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{Direction, EndCause};
use engine::audio::codec::{Codec, OpusSettings};
use engine::audio::g711::Law;
use engine::call::{AgentSettings, Call, CallFacts, CallSetup, MAX_PACKET_BYTES, MediaSession, MediaSetup, SpeechLimits, StreamSeed};
use engine::clock::Moment;

fn caller() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 10], 4000))
}

/// What was agreed on with the caller.
pub fn session(number: u8) -> MediaSession {
    let (codec, payload_type) = match number % 4 {
        0 => (Law::Mu.into(), 0),
        1 => (Law::A.into(), 8),
        2 => (Codec::G722, 9),
        _ => (Codec::Opus(OpusSettings::default()), 96),
    };
    let agreed = MediaSession::new(codec, payload_type, caller());
    MediaSession { telephone_event: Some(101), comfort_noise: Some(13), ..agreed }
}

pub struct FuzzedCall {
    call: Call,
    now: Moment,
    packet: [u8; MAX_PACKET_BYTES],
}

impl FuzzedCall {
    pub fn new(session: MediaSession) -> Self {
        let now = Moment::default();
        let facts = CallFacts {
            direction: Direction::Inbound,
            from: String::new(),
            to: String::new(),
            sip_call_id: String::new(),
            node: String::new(),
            headers: Vec::new(),
            tenant: None,
            identity: None,
        };
        let seed = StreamSeed { ssrc: 1, sequence: 2, timestamp: 3, cname: "fuzz".to_owned(), started_at_ms: 0 };
        let setup = CallSetup {
            call_id: "fuzz".to_owned(),
            started_at_ms: 0,
            facts,
            media: MediaSetup::Rtp { session, seed },
            agent: Arc::new(AgentSettings::default()),
            limits: SpeechLimits::default(),
            minute_microcredits: 0,
        };
        Self { call: Call::new(now, setup), now, packet: [0; MAX_PACKET_BYTES] }
    }

    pub fn rtp(&mut self, datagram: &[u8]) {
        self.call.handle_rtp(self.now, caller(), datagram);
    }

    pub fn rtcp(&mut self, datagram: &[u8]) {
        self.call.handle_rtcp(self.now, caller(), datagram);
    }

    pub fn change(&mut self, session: MediaSession) {
        self.call.change_media(self.now, session);
    }

    /// So many times 20 ms.
    pub fn pass(&mut self, ticks: u8) {
        for _ in 0..ticks {
            self.now = self.now + Duration::from_millis(20);
            self.call.tick(self.now, &mut self.packet);
            self.call.send_report(self.now, &mut self.packet);
            while self.call.pop_wish().is_some() {}
            while self.call.pop_fact().is_some() {}
        }
    }

    pub fn end(mut self) {
        self.call.end(self.now, EndCause::CallerHungUp, &mut self.packet);
    }
}
