//! Server transactions in virtual time: what is repeated, absorbed and forgotten, and who is told.
//! Not here: the same seen from a phone (`tests/sip`).

use super::*;
use crate::Timers;
use crate::message::response::Reply;
use crate::transport::{ArrivedRequest, Way};
use std::net::UdpSocket;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const T1: Duration = Duration::from_millis(500);

/// Answers that a connection keeps for its peer.
const ROOM: usize = 16;

/// What an observer was told.
type Told = Arc<Mutex<Vec<&'static str>>>;

struct Observer(Told);

impl Observer {
    fn note(&self, what: &'static str) {
        self.0.lock().expect("not poisoned").push(what);
    }
}

impl InviteObserver for Observer {
    fn cancelled(&self) {
        self.note("cancelled");
    }

    fn acknowledged(&self, _ack: &Request) {
        self.note("acknowledged");
    }

    fn unacknowledged(&self) {
        self.note("unacknowledged");
    }
}

fn connection() -> (Way, mpsc::Receiver<Vec<u8>>) {
    let (writer, stream) = mpsc::channel(ROOM);
    (Way::Stream(writer, CancellationToken::new()), stream)
}

/// Somebody who sends requests, over UDP or a connection, and time that passes for both sides.
struct Peer {
    transactions: Arc<Transactions>,
    way: Way,
    datagrams: UdpSocket,
    stream: mpsc::Receiver<Vec<u8>>,
    told: Told,
}

impl Peer {
    async fn new(connected: bool) -> Self {
        let datagrams = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
        datagrams.set_nonblocking(true).expect("not blocking");
        let ours = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.expect("a port");
        ours.writable().await.expect("room");
        let (way, stream) = connection();
        let to = datagrams.local_addr().expect("an address");
        let way = if connected { way } else { Way::Datagrams(Arc::new(ours), to) };
        let transactions = Arc::new(Transactions::new(Timers::default(), "ua".to_owned()));
        Self { transactions, way, datagrams, stream, told: Told::default() }
    }

    fn ask(&self, method: &str, cseq: u32, branch: &str, to: &str) -> Option<ServerTransaction> {
        let text = format!(
            "{method} sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{branch}\r\n\
             From: <sip:a@a>;tag=theirs\r\nTo: <sip:b@b>{to}\r\nCall-ID: 1\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
        );
        let request = Request::try_from(text.as_bytes()).expect("a request");
        let source = ([127, 0, 0, 1], 5060).into();
        self.transactions.receive(ArrivedRequest { request, source, way: self.way.clone(), stream: None })
    }

    fn invite(&self) -> (ServerTransaction, Responder) {
        let transaction = self.ask("INVITE", 1, "1", "").expect("a new request");
        let responder = transaction.serve_invite("ours".to_owned(), Observer(self.told.clone()));
        (transaction, responder)
    }

    /// Time passes; what is heard in it, by its code and when, in ms from now.
    async fn heard(&mut self, time: Duration) -> Vec<(u16, u64)> {
        let began = Instant::now();
        let mut heard = Vec::new();
        while began.elapsed() <= time {
            self.transactions.tick(Instant::now());
            while let Some(message) = self.next() {
                let code = message.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a response");
                heard.push((code, began.elapsed().as_millis() as u64));
            }
            tokio::time::advance(Duration::from_millis(20)).await;
        }
        heard
    }

    fn next(&mut self) -> Option<String> {
        let mut bytes = vec![0; 4096];
        let message = match self.datagrams.recv(&mut bytes) {
            Ok(length) => bytes[..length].to_vec(),
            Err(_) => self.stream.try_recv().ok()?,
        };
        Some(String::from_utf8(message).expect("text"))
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.lock().expect("not poisoned").clone()
    }
}

fn answer(transaction: &ServerTransaction, code: u16) -> Response {
    Reply::new(code).build(&transaction.request, Some("ours"), "ua")
}

fn codes(heard: &[(u16, u64)]) -> Vec<u16> {
    heard.iter().map(|(code, _)| *code).collect()
}

#[tokio::test(start_paused = true)]
async fn a_2xx_is_repeated_over_whatever_transport_until_its_ack_comes() {
    for connected in [false, true] {
        let mut peer = Peer::new(connected).await;
        let (transaction, responder) = peer.invite();
        responder.send(&answer(&transaction, 200)).expect("sent");
        assert_eq!(peer.heard(T1 * 4).await, [(200, 0), (200, 500), (200, 1500)]);
        // Of another INVITE, or of somebody else's.
        peer.ask("ACK", 2, "ack", ";tag=ours");
        peer.ask("ACK", 1, "ack", ";tag=other");
        assert!(peer.told().is_empty());
        peer.ask("ACK", 1, "ack", ";tag=ours");
        peer.ask("ACK", 1, "ack", ";tag=ours");
        assert_eq!(peer.heard(T1 * 70).await, []);
        assert_eq!((peer.told(), peer.transactions.open()), (vec!["acknowledged"], 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_2xx_that_nobody_acknowledges_is_given_up_after_64_t1() {
    let mut peer = Peer::new(false).await;
    let (transaction, responder) = peer.invite();
    responder.send(&answer(&transaction, 200)).expect("sent");
    let heard = peer.heard(T1 * 70).await;
    // 0, T1, 3, 7, 15 times that, and every T2 = 8*T1 from there.
    let times: Vec<_> = heard.iter().map(|(_, at)| at / 500).collect();
    assert_eq!(times, [0, 1, 3, 7, 15, 23, 31, 39, 47, 55, 63]);
    assert_eq!(peer.told(), ["unacknowledged"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_repeated_until_its_ack_where_messages_get_lost() {
    let mut peer = Peer::new(false).await;
    let (transaction, responder) = peer.invite();
    responder.send(&answer(&transaction, 486)).expect("sent");
    assert_eq!(codes(&peer.heard(T1).await), [486, 486]);
    peer.ask("ACK", 1, "1", ";tag=ours");
    assert_eq!(peer.heard(T1 * 70).await, []);
    assert!(peer.told().is_empty());

    let mut connected = Peer::new(true).await;
    let (transaction, responder) = connected.invite();
    responder.send(&answer(&transaction, 486)).expect("sent");
    assert_eq!(codes(&connected.heard(T1 * 70).await), [486]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_has_the_latest_answer_again() {
    let mut peer = Peer::new(false).await;
    let options = peer.ask("OPTIONS", 1, "1", "").expect("a new request");
    assert!(peer.ask("OPTIONS", 1, "1", "").is_none());
    assert_eq!(peer.heard(Duration::ZERO).await, []);
    options.respond(&answer(&options, 200)).expect("sent");
    assert!(options.respond(&answer(&options, 500)).is_err());
    assert!(peer.ask("OPTIONS", 1, "1", "").is_none());
    assert_eq!(codes(&peer.heard(T1).await), [200, 200]);
    // Another branch is another request, and so is the same after its time.
    assert!(peer.ask("OPTIONS", 1, "2", "").is_some());
    peer.heard(T1 * 64).await;
    assert!(peer.ask("OPTIONS", 1, "1", "").is_some());

    let (transaction, responder) = peer.invite();
    responder.send(&answer(&transaction, 180)).expect("sent");
    assert!(peer.ask("INVITE", 1, "1", "").is_none());
    assert_eq!(codes(&peer.heard(T1).await), [180, 180]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_100_once() {
    let mut peer = Peer::new(false).await;
    let (transaction, responder) = peer.invite();
    assert_eq!(peer.heard(T1).await, [(100, 100)]);
    responder.send(&answer(&transaction, 180)).expect("sent");
    assert_eq!(codes(&peer.heard(T1).await), [180]);
    responder.terminate();
    responder.terminate();
    assert_eq!(codes(&peer.heard(Duration::ZERO).await), [487]);
    assert_eq!(peer.told(), ["cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_answered_whenever_it_comes_and_ends_only_what_is_open() {
    let mut peer = Peer::new(false).await;
    peer.ask("CANCEL", 1, "1", "");
    assert_eq!(codes(&peer.heard(Duration::ZERO).await), [481]);
    // Before anybody has the INVITE.
    let transaction = peer.ask("INVITE", 1, "1", "").expect("a new request");
    peer.ask("CANCEL", 1, "1", "");
    let responder = transaction.serve_invite("ours".to_owned(), Observer(peer.told.clone()));
    assert_eq!(codes(&peer.heard(Duration::ZERO).await), [200, 487]);
    assert_eq!(peer.told(), ["cancelled"]);
    assert!(responder.send(&answer(&transaction, 200)).is_err());
    // Answered already.
    let mut late = Peer::new(false).await;
    let (transaction, responder) = late.invite();
    responder.send(&answer(&transaction, 200)).expect("sent");
    late.ask("CANCEL", 1, "1", "");
    assert_eq!(codes(&late.heard(Duration::ZERO).await), [200, 200]);
    assert!(late.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_invite_is_absorbed_and_missed_by_nobody() {
    let mut peer = Peer::new(false).await;
    let (transaction, responder) = peer.invite();
    responder.send(&answer(&transaction, 200)).expect("sent");
    responder.abandon();
    assert!(peer.ask("INVITE", 1, "1", "").is_none());
    peer.ask("ACK", 1, "ack", ";tag=ours");
    assert_eq!(codes(&peer.heard(T1 * 70).await), [200]);
    assert!(peer.told().is_empty());
    assert_eq!(Arc::strong_count(&peer.told), 1, "the observer is gone");
}

#[tokio::test(start_paused = true)]
async fn an_answer_over_a_lost_connection_is_an_error_and_waits_for_no_ack() {
    let mut peer = Peer::new(true).await;
    let (transaction, responder) = peer.invite();
    peer.stream.close();
    let error = responder.send(&answer(&transaction, 200)).expect_err("nobody there");
    assert!(error.to_string().starts_with("cannot send INVITE"), "{error}");
    peer.heard(T1 * 70).await;
    assert!(peer.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_repeated_over_another_connection_is_answered_there() {
    let mut peer = Peer::new(true).await;
    let bye = peer.ask("BYE", 2, "1", ";tag=ours").expect("a new request");
    peer.stream.close();
    assert!(bye.respond(&answer(&bye, 200)).is_err());
    let (_, responder) = peer.invite();
    (peer.way, peer.stream) = connection();
    assert!(peer.ask("BYE", 2, "1", ";tag=ours").is_none());
    assert!(peer.ask("INVITE", 1, "1", "").is_none());
    responder.terminate();
    assert_eq!(codes(&peer.heard(T1).await), [200, 487]);
}

#[tokio::test(start_paused = true)]
async fn an_invite_that_is_abandoned_before_its_answer_is_refused() {
    let mut peer = Peer::new(false).await;
    let (transaction, responder) = peer.invite();
    responder.abandon();
    assert!(responder.send(&answer(&transaction, 200)).is_err());
    peer.ask("ACK", 1, "1", ";tag=ours");
    assert_eq!(codes(&peer.heard(T1).await), [487]);
    assert_eq!(peer.told(), ["cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_peer_reads_no_answers_is_closed() {
    let (way, _stream) = connection();
    let Way::Stream(_, closed) = &way else { panic!("a connection") };
    for _ in 0..ROOM {
        way.send(b"answer").expect("room");
        assert!(!closed.is_cancelled());
    }
    assert!(way.send(b"answer").is_err());
    assert!(closed.is_cancelled());
}
