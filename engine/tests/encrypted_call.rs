//! A call whose audio is encrypted, in virtual time: keys from SDP and by DTLS, wrong ones, new ones, and none.
//! The cryptography itself is tested beside it; real phones are met end to end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod virtual_call;

use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{EndCause, EventKind, MediaProblem};
use engine::call::{MAX_PACKET_BYTES, MediaSecurity, MediaSession, SrtpKeys};
use engine::clock::Clock;
use engine::rtp::dtls::{ExportedKeys, Fingerprint, Handshake, Identity, Role, Terms};
use engine::rtp::srtp::{MAX_TRAILER_BYTES, MasterKey, Profile, ReceiveContext, SendContext};
use engine::rtp::{RtpPacket, is_rtcp, write_header};
use virtual_call::{SPEECH, VirtualCall, agent, obedient, session};

fn key(seed: u8) -> MasterKey {
    MasterKey::new(Profile::Aes128CmSha1_80, &[seed; 30]).unwrap()
}

fn keys(ours: u8, theirs: u8) -> MediaSecurity {
    MediaSecurity::Srtp(SrtpKeys { ours: key(ours), theirs: key(theirs), mki: None })
}

/// A call that encrypts with key 1, and a caller who does with key 2.
fn encrypted_call() -> VirtualCall {
    let session = MediaSession { security: keys(1, 2), ..session() };
    let mut call = VirtualCall::with_session(session, agent(), obedient("hello", "Hi."));
    call.protect = Some(SendContext::new(&key(2)));
    call
}

/// Payloads of all the agent sent, as who has key `context` hears them.
fn heard(call: &VirtualCall, context: &mut ReceiveContext) -> Vec<Vec<u8>> {
    let open = |packet: &Vec<u8>| RtpPacket::parse(context.unprotect_rtp(packet).unwrap()).unwrap().payload.to_vec();
    call.packets.iter().map(open).collect()
}

#[test]
fn caller_and_agent_understand_each_other() {
    let mut call = encrypted_call();
    call.caller_says(SPEECH);
    call.run_until("answer", |c| c.has(|k| matches!(k, EventKind::TurnCompleted { .. })));
    let payloads = heard(&call, &mut ReceiveContext::new(&key(1), None));
    assert!(payloads.iter().any(|payload| payload.contains(&0x21)), "the answer's voice");
    let silence = [0xFF; 160];
    assert!(call.packets.iter().all(|packet| packet.len() == 182 && !packet.windows(160).any(|p| p == silence)));
    assert_eq!(call.call.quality().packets_unauthentic, 0);
}

#[test]
fn reports_are_encrypted_both_ways() {
    let mut call = encrypted_call();
    call.run_for(400);
    let mut sender = SendContext::new(&key(2));
    let mut report = [0; 60];
    report[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 7]);
    let bytes = sender.protect_rtcp(&mut report, 8).unwrap();
    call.call.handle_rtcp(call.now, call.from, &report[..bytes]);
    assert_eq!(call.call.quality().packets_unauthentic, 0);
    call.call.handle_rtcp(call.now, call.from, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
    assert_eq!(call.call.quality().packets_unauthentic, 1, "a report in the clear");
    let mut packet = [0; MAX_PACKET_BYTES];
    let bye = call.call.end(call.now, EndCause::CallerHungUp, &mut packet).unwrap();
    let mut receiver = ReceiveContext::new(&key(1), None);
    let plain = receiver.unprotect_rtcp(&packet[..bye.bytes]).unwrap();
    assert!(is_rtcp(plain));
}

#[test]
fn packets_under_another_key_or_in_the_clear_are_counted_and_take_no_part() {
    for wrong in [Some(SendContext::new(&key(9))), None] {
        let mut call = encrypted_call();
        call.protect = wrong;
        call.caller_says(SPEECH);
        call.run_for(2000);
        assert!(!call.has(|k| matches!(k, EventKind::SpeechStarted { .. })));
        assert_eq!(call.call.learned_source(), None);
        let quality = call.call.quality();
        assert_eq!((quality.packets_unauthentic, quality.packets_received), (100, 0));
        let told = |k: &EventKind| match k {
            EventKind::MediaProblem { problem: MediaProblem::SrtpKeys, detail } => detail.contains("do not match"),
            _ => false,
        };
        assert_eq!(call.kinds().into_iter().filter(|k| told(k)).count(), 1, "{:#?}", call.kinds());
    }
}

#[test]
fn a_replayed_packet_is_not_heard_twice() {
    let mut call = encrypted_call();
    call.run_for(200);
    let mut datagram = vec![0; 172 + MAX_TRAILER_BYTES];
    write_header(datagram.first_chunk_mut().unwrap(), false, 0, 500, 0, call.ssrc);
    let bytes = SendContext::new(&key(2)).protect_rtp(&mut datagram, 172).unwrap();
    assert!(call.call.handle_rtp(call.now, call.from, &datagram[..bytes]));
    let before = call.call.quality().packets_received;
    assert!(!call.call.handle_rtp(call.now, call.from, &datagram[..bytes]));
    assert_eq!(call.call.quality().packets_received, before);
}

#[test]
fn a_new_offer_brings_new_keys_and_an_old_one_changes_nothing() {
    let mut call = encrypted_call();
    call.run_for(400);
    let mut listener = ReceiveContext::new(&key(1), None);
    assert_eq!(heard(&call, &mut listener).len(), 20);
    call.packets.clear();
    call.call.change_media(call.now, MediaSession { security: keys(1, 2), ..session() });
    call.run_for(400);
    assert_eq!(heard(&call, &mut listener).len(), 20, "the same keys go on");
    call.packets.clear();
    call.call.change_media(call.now, MediaSession { security: keys(3, 4), ..session() });
    call.protect = Some(SendContext::new(&key(4)));
    let before = call.call.quality().packets_received;
    call.run_for(400);
    assert_eq!(heard(&call, &mut ReceiveContext::new(&key(3), None)).len(), 20);
    assert_eq!(call.call.quality().packets_received, before + 20);
    call.call.change_media(call.now, session());
    call.protect = None;
    call.run_for(400);
    assert_eq!(call.call.quality().packets_received, before + 40, "encryption was switched off by a new offer");
}

/// A call that makes its keys by DTLS, and the caller's end of the handshake.
struct DtlsCall {
    call: VirtualCall,
    caller: Handshake,
    keys: Option<ExportedKeys>,
}

impl DtlsCall {
    fn new(role: Role, named: Option<Fingerprint>) -> Self {
        let clock = Clock::start();
        let [agent_side, caller_side] = [(); 2].map(|()| Arc::new(Identity::generate(clock.zero()).unwrap()));
        let to = |identity: &Identity| Fingerprint(identity.fingerprint().to_vec());
        let other = if role == Role::Active { Role::Passive } else { Role::Active };
        let fingerprint = named.unwrap_or_else(|| to(&caller_side));
        let theirs = Terms { role: other, fingerprint: to(&agent_side), identity: caller_side };
        let security = MediaSecurity::Dtls(Terms { role, fingerprint, identity: agent_side });
        let session = MediaSession { security, ..session() };
        let mut call = VirtualCall::with_session(session, agent(), obedient("hello", "Hi."));
        call.sending = false;
        let caller = Handshake::new(theirs, call.now);
        Self { call, caller, keys: None }
    }

    /// 20 ms, and what the handshake has to say in them.
    fn step(&mut self) {
        self.call.step();
        let mut packet = [0; MAX_PACKET_BYTES];
        while let Some(sent) = self.call.call.send_handshake(self.call.now, &mut packet) {
            assert_eq!(sent.to, self.call.from);
            self.keys = self.caller.handle(self.call.now, &packet[..sent.bytes]).or(self.keys.take());
        }
        self.call.drain();
        self.caller.tick(self.call.now);
        while let Some(bytes) = self.caller.next_datagram(&mut packet) {
            assert!(!self.call.call.handle_rtp(self.call.now, self.call.from, &packet[..bytes]));
        }
        if let Some(keys) = &self.keys
            && self.call.protect.is_none()
        {
            self.call.protect = Some(SendContext::new(&keys.ours));
            self.call.sending = true;
        }
    }
}

#[test]
fn a_handshake_in_either_role_makes_keys_and_audio_begins_with_them() {
    for role in [Role::Active, Role::Passive] {
        let mut dtls = DtlsCall::new(role, None);
        while dtls.keys.is_none() {
            assert!(dtls.call.packets.is_empty(), "audio before there were keys");
            dtls.step();
        }
        dtls.call.caller_says(SPEECH);
        for _ in 0..1000 {
            dtls.step();
        }
        assert!(dtls.call.has(|k| matches!(k, EventKind::TurnCompleted { .. })), "{:#?}", dtls.call.kinds());
        let keys = dtls.keys.unwrap();
        let payloads = heard(&dtls.call, &mut ReceiveContext::new(&keys.theirs, None));
        assert!(payloads.iter().any(|payload| payload.contains(&0x21)));
        assert_eq!(dtls.call.hang_up, None);
    }
}

#[test]
fn the_greeting_waits_for_the_keys() {
    let mut dtls = DtlsCall::new(Role::Passive, None);
    for _ in 0..100 {
        dtls.call.step();
    }
    assert!(dtls.call.packets.is_empty());
    assert!(!dtls.call.has(|k| matches!(k, EventKind::PromptStarted { .. })));
}

#[test]
fn a_certificate_the_sdp_does_not_name_ends_the_call() {
    for role in [Role::Active, Role::Passive] {
        let mut dtls = DtlsCall::new(role, Some(Fingerprint(vec![1; 32])));
        for _ in 0..50 {
            dtls.step();
        }
        assert_eq!(dtls.call.hang_up, Some(EndCause::DtlsFailed));
        assert!(dtls.call.packets.is_empty());
    }
}

#[test]
fn a_handshake_nobody_answers_ends_the_call() {
    let mut dtls = DtlsCall::new(Role::Active, None);
    let mut packet = [0; MAX_PACKET_BYTES];
    for _ in 0..600 {
        dtls.call.step();
        while dtls.call.call.send_handshake(dtls.call.now, &mut packet).is_some() {}
        dtls.call.drain();
    }
    assert_eq!(dtls.call.hang_up, Some(EndCause::DtlsFailed));
    assert!(dtls.call.now.since(engine::clock::Moment::from_millis(1000)) > Duration::from_secs(10));
}
