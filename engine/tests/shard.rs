//! A shard with real sockets on loopback: calls share a socket, packets find their call, the end is clean.
//! What a call does with its packets is tested in virtual time; nothing here asserts how long anything takes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::{CallEvent, Direction, EndCause, EventKind, MediaProblem};
use engine::audio::g711::Law;
use engine::call::{
    AgentSettings, CallFacts, CallSetup, Cue, MediaSession, MediaSetup, SpeechEvent, SpeechLimits, StreamSeed, WhenLeft,
};
use engine::clock::Clock;
use engine::recorder::{Recorder, RecorderConfig, RecordingEvent, RecordingMeta};
use engine::rtp::{RtpPacket, is_rtcp, write_header};
use engine::shard::{BridgeEnd, CallNotice, FromCaller, NOTICES, Reservation, ShardConfig, ShardHandle, ToCaller};
use futures::StreamExt;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    shard: ShardHandle,
    events: mpsc::Receiver<CallEvent>,
    recorder: Recorder,
    recordings: mpsc::UnboundedReceiver<RecordingEvent>,
    _wishes: mpsc::Receiver<(engine::shard::CallKey, engine::call::SpeechCommand)>,
    _dir: TempDir,
}

struct Phone {
    socket: UdpSocket,
    ssrc: u32,
    sequence: u16,
}

fn bench(ports: std::ops::RangeInclusive<u16>) -> Bench {
    let dir = TempDir::new().unwrap();
    let (recorder, mut taps, recordings) = Recorder::start(RecorderConfig::new(dir.path(), 1)).unwrap();
    let (events, from_calls) = mpsc::channel(1000);
    let (speech, wishes) = mpsc::channel(1000);
    let (shard, _thread) = ShardHandle::spawn(ShardConfig {
        shard: 0,
        ip: "127.0.0.1".parse().unwrap(),
        ports,
        clock: Clock::start(),
        tap: taps.remove(0),
        events,
        speech,
    })
    .unwrap();
    Bench { shard, events: from_calls, recorder, recordings, _wishes: wishes, _dir: dir }
}

fn setup(name: &str, remote: SocketAddr) -> CallSetup {
    CallSetup {
        call_id: name.to_owned(),
        started_at_ms: 1_700_000_000_000,
        facts: CallFacts {
            direction: Direction::Inbound,
            from: "sip:a@127.0.0.1".to_owned(),
            to: "sip:b@127.0.0.1".to_owned(),
            sip_call_id: name.to_owned(),
            node: "n".to_owned(),
            headers: Vec::new(),
            tenant: None,
            identity: None,
        },
        media: MediaSetup::Rtp {
            session: MediaSession::new(Law::Mu.into(), 0, remote),
            seed: StreamSeed { ssrc: 7, sequence: 1, timestamp: 1, cname: "c".to_owned(), started_at_ms: 0 },
        },
        agent: Arc::new(AgentSettings::default()),
        limits: SpeechLimits::default(),
        minute_microcredits: 0,
    }
}

impl Phone {
    fn new(ssrc: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { socket, ssrc, sequence: 0 }
    }

    fn addr(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn send(&mut self, port: u16) {
        let packet = self.packet(0xFF);
        self.socket.send_to(&packet, ("127.0.0.1", port)).unwrap();
    }

    /// Sends packets of one value until `heard` comes back from the other end of a bridge.
    fn hears(&mut self, port: u16, says: u8, heard: u8) {
        for _ in 0..500 {
            let packet = self.packet(says);
            self.socket.send_to(&packet, ("127.0.0.1", port)).unwrap();
            let mut datagram = [0; 1500];
            if let Ok(bytes) = self.socket.recv(&mut datagram)
                && RtpPacket::parse(&datagram[..bytes]).is_ok_and(|p| p.payload.iter().all(|&byte| byte == heard))
            {
                return;
            }
        }
        panic!("{heard:#x} never came");
    }

    fn packet(&mut self, value: u8) -> [u8; 172] {
        let mut packet = [value; 172];
        let (header, _) = packet.split_first_chunk_mut().unwrap();
        write_header(header, false, 0, self.sequence, u32::from(self.sequence) * 160, self.ssrc);
        self.sequence += 1;
        packet
    }

    /// Sends packets until one comes back, as a phone does while its call is being set up.
    fn exchange(&mut self, port: u16) -> Vec<u8> {
        let mut heard = [0; 1500];
        for _ in 0..200 {
            self.send(port);
            if let Ok(bytes) = self.socket.recv(&mut heard) {
                return heard[..bytes].to_vec();
            }
        }
        panic!("no packet came back from port {port}");
    }
}

impl Bench {
    async fn call(&self, name: &str, phone: SocketAddr) -> (Reservation, futures::channel::mpsc::Receiver<CallNotice>) {
        let reservation = self.shard.reserve(Some(phone), None).await.unwrap();
        let (notices, lines) = futures::channel::mpsc::channel(NOTICES);
        let meta = RecordingMeta { call_id: name.to_owned(), started_at_ms: 0, from: String::new(), to: String::new() };
        let recording = self.recorder.handle().open(meta).unwrap();
        self.shard.start(reservation.key, setup(name, phone), Some(recording), notices).await.unwrap();
        (reservation, lines)
    }

    async fn ended(&mut self) -> CallEvent {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap();
            if matches!(event.kind, EventKind::CallEnded { .. }) {
                return event;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_share_a_socket_once_their_sources_are_known() {
    let bench = bench(31_000..=31_039);
    let (mut first, mut second) = (Phone::new(1), Phone::new(2));
    let (one, _a) = bench.call("one", first.addr()).await;
    let (two, _b) = bench.call("two", second.addr()).await;
    assert_ne!(one.port, two.port, "two calls whose sources are not known cannot share a socket");
    first.exchange(one.port);
    second.exchange(two.port);
    // Once packets were answered the sources are learned, and both sockets have room again.
    let mut third = Phone::new(3);
    for _ in 0..10 {
        first.exchange(one.port);
        second.exchange(two.port);
    }
    let (three, _c) = bench.call("three", third.addr()).await;
    assert!([one.port, two.port].contains(&three.port));
    let heard = third.exchange(three.port);
    assert_eq!(RtpPacket::parse(&heard).unwrap().payload.len(), 160);
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_port_of_their_own_calls_are_heard_from_where_their_sdp_says() {
    let bench = bench(31_320..=31_321);
    let mut phones: Vec<Phone> = (1..=4).map(Phone::new).collect();
    let mut calls = Vec::new();
    for (name, phone) in ["one", "two", "three", "four"].into_iter().zip(&phones) {
        calls.push(bench.call(name, phone.addr()).await);
    }
    assert!(calls.iter().all(|(call, _)| call.port == 31_320));
    assert!(bench.shard.reserve(None, None).await.is_err(), "who names no address cannot be told from others");
    let taken = phones[0].addr();
    assert!(bench.shard.reserve(Some(taken), None).await.is_err(), "nor can who names another call's");
    for phone in phones.iter_mut().rev() {
        phone.exchange(31_320);
    }
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_audio_either_way_wakes_up_when_its_session_changes() {
    let mut bench = bench(31_322..=31_323);
    let mut phone = Phone::new(1);
    let reservation = bench.shard.reserve(Some(phone.addr()), None).await.unwrap();
    let mut setup = setup("resting", phone.addr());
    let MediaSetup::Rtp { session, .. } = &mut setup.media else { panic!("packets") };
    let awake = session.clone();
    (session.sends, session.receives) = (false, false);
    let (notices, mut lines) = futures::channel::mpsc::channel(NOTICES);
    bench.shard.start(reservation.key, setup, None, notices).await.unwrap();
    // Its ticks go on, a second apart: the first report is due after two and a half, and then nothing else came.
    phone.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut datagram = [0; 1500];
    let bytes = phone.socket.recv(&mut datagram).unwrap();
    assert!(is_rtcp(&datagram[..bytes]));
    phone.socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    bench.shard.change(reservation.key, awake).await;
    let heard = phone.exchange(reservation.port);
    assert!(RtpPacket::parse(&heard).is_ok());
    bench.shard.end(reservation.key, EndCause::CallerHungUp).await;
    bench.ended().await;
    lines.next().await.unwrap();
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_behind_nat_gets_its_call_back_at_the_address_it_sends_from() {
    let mut bench = bench(31_040..=31_079);
    let mut phone = Phone::new(1);
    let (reservation, mut lines) = bench.call("nat", "127.0.0.99:4000".parse().unwrap()).await;
    phone.exchange(reservation.port);
    bench.shard.end(reservation.key, EndCause::CallerHungUp).await;
    let ended = bench.ended().await;
    let EventKind::CallEnded { quality, .. } = ended.kind else { panic!("{ended:?}") };
    assert!(quality.packets_received >= 1);
    let gone = tokio::time::timeout(PATIENCE, lines.next()).await.unwrap();
    assert_eq!(gone, Some(CallNotice::Gone { next_seq: ended.seq + 1 }));
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_at_a_calls_port_is_ignored_counted_and_named() {
    let mut bench = bench(31_280..=31_319);
    let (mut phone, mut stranger) = (Phone::new(1), Phone::new(2));
    let (reservation, _lines) = bench.call("injected", phone.addr()).await;
    stranger.socket.set_nonblocking(true).unwrap();
    let mut named = None;
    for _ in 0..500 {
        phone.exchange(reservation.port);
        stranger.send(reservation.port);
        let event = bench.events.try_recv().ok();
        if let Some(EventKind::MediaProblem { problem, detail }) = event.map(|event| event.kind) {
            named = Some((problem, detail));
            break;
        }
    }
    let detail = format!("RTP came from {}, not from {}; ignored", stranger.addr(), phone.addr());
    assert_eq!(named, Some((MediaProblem::ForeignSource, detail)));
    bench.shard.end(reservation.key, EndCause::CallerHungUp).await;
    let EventKind::CallEnded { quality, .. } = bench.ended().await.kind else { panic!("another event") };
    assert!(quality.packets_ignored >= 5, "{quality:?}");
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_heard_and_said_is_on_the_recording() {
    let mut bench = bench(31_080..=31_119);
    let mut phone = Phone::new(1);
    let reservation = bench.shard.reserve(Some(phone.addr()), None).await.unwrap();
    let (notices, mut lines) = futures::channel::mpsc::channel(NOTICES);
    let meta = RecordingMeta { call_id: "rec".to_owned(), started_at_ms: 0, from: String::new(), to: String::new() };
    let recording = bench.recorder.handle().open(meta).unwrap();
    bench.shard.start(reservation.key, setup("rec", phone.addr()), Some(recording), notices).await.unwrap();
    for _ in 0..60 {
        phone.exchange(reservation.port);
    }
    bench.shard.end(reservation.key, EndCause::CallerHungUp).await;
    lines.next().await.unwrap();
    bench.recorder.handle().finish(recording).unwrap();
    let event = tokio::time::timeout(PATIENCE, bench.recordings.recv()).await.unwrap().unwrap();
    let RecordingEvent::Ready(ready) = event else { panic!("{event:?}") };
    assert!(ready.duration_ms >= 1180, "{ready:?}");
    bench.shard.stop().await;
}

/// A call whose media are frames, with an agent that greets.
fn frames(name: &str) -> CallSetup {
    let greets = AgentSettings { greeting: "Hello.".to_owned(), ..AgentSettings::default() };
    let media = MediaSetup::Frames { law: Law::Mu };
    CallSetup { media, agent: Arc::new(greets), ..setup(name, "127.0.0.1:9".parse().unwrap()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_frames_is_heard_and_told_in_order_and_needs_no_port() {
    let mut bench = bench(31_160..=31_161);
    let (notices, mut lines) = futures::channel::mpsc::channel(NOTICES);
    let (key, mut port) = bench.shard.start_frames(frames("frames"), None, notices).await.unwrap();
    let free = bench.shard.reserve(None, None).await.expect("the only port is free");
    for event in [
        SpeechEvent::Sentence { utterance: 1, text: "Hello.".to_owned() },
        SpeechEvent::Voice { utterance: 1, audio: vec![0x21; 320].into() },
    ] {
        bench.shard.speech(key, event).await;
    }
    let says = ToCaller::Cue(Cue::AgentSays("Hello.".to_owned()));
    let voice = ToCaller::Audio([0x21; 160]);
    for expected in [says, voice.clone(), ToCaller::Mark(1), voice] {
        assert_eq!(tokio::time::timeout(PATIENCE, port.next()).await.unwrap(), Some(expected));
    }
    for _ in 0..10 {
        assert!(port.push(FromCaller::Audio([0xFF; 160])));
    }
    // The key comes after the frames: once it is told, they were taken.
    assert!(port.push(FromCaller::Key('5')));
    let pressed = |event: &CallEvent| matches!(event.kind, EventKind::Dtmf { digit: '5', .. });
    while !pressed(&tokio::time::timeout(PATIENCE, bench.events.recv()).await.unwrap().unwrap()) {}
    bench.shard.end(key, EndCause::CallerHungUp).await;
    let ended = bench.ended().await;
    let EventKind::CallEnded { quality, .. } = ended.kind else { panic!("{ended:?}") };
    assert_eq!(quality.packets_received, 10);
    let gone = tokio::time::timeout(PATIENCE, lines.next()).await.unwrap();
    assert_eq!(gone, Some(CallNotice::Gone { next_seq: ended.seq + 1 }));
    while tokio::time::timeout(PATIENCE, port.next()).await.unwrap().is_some() {}
    bench.shard.release(free.key).await;
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_frames_nobody_carries_any_more_ends() {
    let mut bench = bench(31_162..=31_163);
    let (notices, mut lines) = futures::channel::mpsc::channel(NOTICES);
    let (_, port) = bench.shard.start_frames(frames("left"), None, notices).await.unwrap();
    drop(port);
    let ended = bench.ended().await;
    assert!(matches!(ended.kind, EventKind::CallEnded { cause: EndCause::SignallingFailed, .. }), "{ended:?}");
    let gone = tokio::time::timeout(PATIENCE, lines.next()).await.unwrap();
    assert_eq!(gone, Some(CallNotice::Gone { next_seq: ended.seq + 1 }));
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bridged_calls_hear_each_other_and_the_end_of_one_is_told_to_the_other() {
    let mut bench = bench(31_200..=31_239);
    let (mut phone, mut other) = (Phone::new(1), Phone::new(2));
    let (one, _one_lines) = bench.call("one", phone.addr()).await;
    let (two, mut two_lines) = bench.call("two", other.addr()).await;
    let end = |key| BridgeEnd { key, when_left: WhenLeft::HangUp };
    assert!(bench.shard.bridge([end(one.key), end(two.key)]).await);
    let talking = std::thread::spawn(move || {
        other.hears(two.port, 0x21, 0x42);
        // The caller may still wait to hear this side.
        for _ in 0..100 {
            let packet = other.packet(0x21);
            other.socket.send_to(&packet, ("127.0.0.1", two.port)).unwrap();
            let _ = other.socket.recv(&mut [0; 1500]);
        }
    });
    phone.hears(one.port, 0x42, 0x21);
    for _ in 0..100 {
        let packet = phone.packet(0x42);
        phone.socket.send_to(&packet, ("127.0.0.1", one.port)).unwrap();
        let _ = phone.socket.recv(&mut [0; 1500]);
    }
    talking.join().unwrap();
    bench.shard.end(one.key, EndCause::CallerHungUp).await;
    let told = tokio::time::timeout(PATIENCE, two_lines.next()).await.unwrap();
    assert_eq!(told, Some(CallNotice::HangUp(EndCause::PeerHungUp)));
    let mut with = Vec::new();
    while with.len() < 3 {
        let event = tokio::time::timeout(PATIENCE, bench.events.recv()).await.unwrap().unwrap();
        match event.kind {
            EventKind::Bridged { with: other } => with.push((event.call_id, "bridged", other)),
            EventKind::Unbridged { with: other } => with.push((event.call_id, "unbridged", other)),
            _ => {}
        }
    }
    let expected = [("one", "bridged", "two"), ("two", "bridged", "one"), ("two", "unbridged", "one")];
    assert_eq!(with, expected.map(|(call, what, other)| (call.to_owned(), what, other.to_owned())));
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_not_bridged_to_itself_nor_to_one_that_is_gone() {
    let bench = bench(31_240..=31_279);
    let phone = Phone::new(1);
    let (one, _lines) = bench.call("one", phone.addr()).await;
    let (two, _lines) = bench.call("two", phone.addr()).await;
    let end = |key| BridgeEnd { key, when_left: WhenLeft::Agent };
    assert!(!bench.shard.bridge([end(one.key), end(one.key)]).await);
    bench.shard.end(two.key, EndCause::CallerHungUp).await;
    assert!(!bench.shard.bridge([end(one.key), end(two.key)]).await);
    bench.shard.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_that_is_given_back_can_be_taken_again() {
    let bench = bench(31_120..=31_121);
    let phone: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    let first = bench.shard.reserve(Some(phone), None).await.unwrap();
    let none_left = bench.shard.reserve(Some(phone), None).await.unwrap_err();
    assert!(none_left.to_string().contains("31120"), "{none_left}");
    bench.shard.release(first.key).await;
    let second = bench.shard.reserve(Some(phone), None).await.unwrap();
    assert_ne!(second.key, first.key);
    bench.shard.stop().await;
}
