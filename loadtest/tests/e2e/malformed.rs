//! Bad input from the network while a call is in conversation: SIP that is none, RTP and RTCP that are none, and a
//! stranger's voice. The call does not notice, and neither does the next one.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use edge_protocol::EventKind;
use loadtest::caller::LineHeard;
use loadtest::measure::alignment::compare;
use loadtest::measure::level::is_voiced;
use loadtest::voice::Utterance;
use loadtest::wav;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::caller::{Phone, assert_unbroken};
use crate::node::root;
use crate::process::POLL;
use crate::sip::until_options_say;
use crate::stack::Stack;

const QUESTION: &str = "what is your address";

/// Datagrams between two pauses: some 1,500 a second, which is more than a call's own 50.
const BURST: usize = 32;

#[tokio::test]
async fn malformed_sip_disturbs_neither_the_call_nor_the_next_one() {
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    let (node, kamailio) = (stack.nodes[0].sip, stack.port);
    let sent = in_conversation(&stack, async |call_over| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let mut random = Random(1);
        let mut sent = 0;
        while !call_over.is_cancelled() {
            for port in [node, kamailio] {
                for message in torture(&mut random) {
                    // Nobody has to take it; a full socket is as good an answer as any.
                    let _ = socket.send_to(&message, (Ipv4Addr::LOCALHOST, port));
                    sent += 1;
                }
                if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                    let _ = stream.write_all(&random.bytes(4096)).await;
                    let _ = stream.write_all(b"\r\n\r\nINVITE sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n").await;
                    sent += 1;
                }
            }
            tokio::time::sleep(POLL).await;
        }
        sent
    })
    .await;
    println!("{sent} malformed SIP messages during the call");
    assert!(sent > 500, "only {sent} messages were sent");
    for port in [node, kamailio] {
        until_options_say(port, 200, Duration::from_secs(5)).await.expect("still well");
    }
}

#[tokio::test]
async fn malformed_media_and_a_strangers_voice_do_not_reach_the_call() {
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    let sent = in_conversation(&stack, async |call_over| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let ports = stack.nodes[0].open_rtp_ports().expect("the node's ports");
        assert!(!ports.is_empty(), "the call has a port");
        let mut random = Random(2);
        let mut sent = 0_u16;
        let mut total = 0;
        while !call_over.is_cancelled() {
            for _ in 0..BURST {
                sent = sent.wrapping_add(1);
                total += 1;
                let datagram = if sent.is_multiple_of(2) { stranger(sent) } else { no_media(&mut random) };
                for port in &ports {
                    let _ = socket.send_to(&datagram, (Ipv4Addr::LOCALHOST, *port));
                }
            }
            tokio::time::sleep(POLL).await;
        }
        total
    })
    .await;
    println!("{sent} datagrams of garbage and of a stranger's voice during the call");
    assert!(sent > 500, "only {sent} datagrams were sent");
}

#[tokio::test]
async fn a_phone_that_sends_garbage_between_its_packets_is_still_understood() {
    let stack = Stack::start(1).await.expect("Kamailio and a node");
    let phone = Phone::of(&stack).await.expect("a phone");
    let question = question().await;
    let mut call = phone.dial().await.expect("a call");
    call.greeting().await.expect("a call that stays up");
    let mut random = Random(3);
    for _ in 0..500 {
        call.caller.send_raw(no_media(&mut random));
    }
    let heard = call.ask(QUESTION, &question).await.expect("a call that stays up");
    let over = call.hang_up().await.expect("a recording");
    assert_answered(&heard, &over.events);
    assert_unbroken(&over.media, "the phone that sent garbage");
}

/// Holds a conversation while `attack` runs, and checks that nothing of it was noticed, then calls again.
async fn in_conversation(stack: &Stack, attack: impl AsyncFnOnce(CancellationToken) -> u64) -> u64 {
    let phone = Phone::of(stack).await.expect("a phone");
    let question = question().await;
    let mut call = phone.dial().await.expect("a call");
    let call_over = CancellationToken::new();
    let conversation = async {
        let greeted = call.greeting().await.expect("a call that stays up");
        let heard = call.ask(QUESTION, &question).await.expect("a call that stays up");
        call_over.cancel();
        (greeted, heard)
    };
    let ((greeted, heard), sent) = tokio::join!(conversation, attack(call_over.clone()));
    let over = call.hang_up().await.expect("a recording");
    assert!(greeted, "the agent greets");
    assert_answered(&heard, &over.events);
    assert_unbroken(&over.media, "the call under attack");
    assert_only_the_caller_is_recorded(&over.events, &question);

    let mut next = phone.dial().await.expect("a new call");
    next.greeting().await.expect("a call that stays up");
    let heard = next.ask(QUESTION, &question).await.expect("a call that stays up");
    let over = next.hang_up().await.expect("a recording");
    assert_answered(&heard, &over.events);
    assert_unbroken(&over.media, "the next call");
    sent
}

fn assert_answered(heard: &LineHeard, events: &[EventKind]) {
    assert!(heard.answered, "the question is answered: {events:#?}");
    let understood =
        |event: &EventKind| matches!(event, EventKind::TurnCompleted { caller_text, .. } if caller_text == QUESTION);
    assert!(events.iter().any(understood), "the question is understood: {events:#?}");
    for event in events {
        if let EventKind::CallEnded { quality, .. } = event {
            println!(
                "as the node saw it: {} packets taken, {} ignored, {} lost, {} ms concealed",
                quality.packets_received, quality.packets_ignored, quality.packets_lost, quality.concealed_ms
            );
        }
    }
}

/// The caller's track holds the question as it was said, and no other voice.
fn assert_only_the_caller_is_recorded(events: &[EventKind], question: &Utterance) {
    let path = events.iter().find_map(|event| match event {
        EventKind::RecordingReady { path, .. } => Some(path),
        _ => None,
    });
    let left = wav::read(&root().join(path.expect("a recording")), 0).expect("the caller's track");
    let found = compare(&left, question.samples()).expect("audio on both sides");
    println!("the question on the recording: correlation {:.4}, gap {} ms", found.correlation, found.longest_gap_ms);
    assert!(found.correlation >= 0.99, "{found:?}");
    let begin = usize::try_from(found.offset_samples).expect("the question is whole");
    let rest = [&left[..begin], &left[begin + question.samples().len()..]].concat();
    let foreign = rest.chunks(160).filter(|frame| is_voiced(frame)).count();
    assert_eq!(foreign, 0, "frames of somebody else's voice");
}

/// Messages in the manner of RFC 4475, and some that are not even that.
fn torture(random: &mut Random) -> Vec<Vec<u8>> {
    let id = random.next();
    let head = |request: &str| {
        format!(
            "{request}\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{id}\r\nFrom: <sip:a@127.0.0.1>;tag={id}\r\n\
             To: <sip:b@127.0.0.1>\r\nCall-ID: {id}\r\n"
        )
    };
    let invite = head("INVITE sip:agent@127.0.0.1 SIP/2.0");
    let texts = [
        // 3.1.2.1: extraneous header field separators; 3.1.2.2: content length larger than the message.
        format!("{invite}CSeq: 1 INVITE\r\nContact: ;;,;,,\r\nContent-Length: 0\r\n\r\n"),
        format!("{invite}CSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: 9999\r\n\r\nv=0\r\n"),
        // 3.1.2.3: a negative one; 3.1.2.4: scalar fields with overlarge values.
        format!("{invite}CSeq: 1 INVITE\r\nContent-Length: -999\r\n\r\n"),
        format!("{invite}CSeq: 36893488147419103232 REGISTER\r\nMax-Forwards: 300\r\nExpires: 10000000000000\r\n\r\n"),
        // 3.1.2.5 to 3.1.2.9: unterminated quote, bad URI, LWS within it, a method that does not match.
        format!("{invite}CSeq: 1 INVITE\r\nContact: \"Joe <sip:joe@example.org>>>>\r\nContent-Length: 0\r\n\r\n"),
        format!("{}CSeq: 1 INVITE\r\n\r\n", head("INVITE <sip:user@example.com> SIP/2.0")),
        format!("{}CSeq: 1 INVITE\r\n\r\n", head("INVITE sip:user@example.com; lr SIP/2.0")),
        format!("{}CSeq: 8 INVITE\r\n\r\n", head("NEWMETHOD sip:user@example.com SIP/2.0")),
        // 3.1.2.16: unknown protocol version; 3.1.2.18: an impossible status; 3.3.1: mandatory fields missing.
        format!("{}CSeq: 1 OPTIONS\r\n\r\n", head("OPTIONS sip:t1@example.com SIP/7.0")),
        format!("{}CSeq: 1 OPTIONS\r\n\r\n", head("SIP/2.0 4294967301 better not break the receiver")),
        "INVITE sip:user@example.com SIP/2.0\r\nCSeq: 193942 INVITE\r\nVia: SIP/2.0/UDP 192.0.2.95\r\n\r\n".to_owned(),
        // An offer that is none, a name without end, a header too large for any datagram's purpose.
        format!(
            "{invite}CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@127.0.0.1:9>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: 26\r\n\r\nv=0\r\nm=audio 99999 X/Y 0\r\n\r\n"
        ),
        format!("{invite}CSeq: 1 INVITE\r\nX-Large: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(30_000)),
        format!("{invite}CSeq: 1 INVITE\r\n{}Content-Length: 0\r\n\r\n", "X-Many: 1\r\n".repeat(2_000)),
        format!("{invite}CSeq: 1 INVITE\r\nSubject: \u{0}\u{1}\u{7f}é\r\nContent-Length: 0\r\n\r\n"),
        "\r\n\r\n\r\n".to_owned(),
        "SIP/2.0\r\n\r\n".to_owned(),
    ];
    let mut messages: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    messages.push(random.bytes(1400));
    messages.push(Vec::new());
    // A good message with one byte changed, and one cut short.
    let mut changed = format!("{invite}CSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n").into_bytes();
    let place = random.next() as usize % changed.len();
    changed[place] = random.next() as u8;
    messages.push(changed[..changed.len() / 2].to_vec());
    messages.push(changed);
    messages
}

/// A datagram that is neither RTP of the call's payload type nor RTCP.
fn no_media(random: &mut Random) -> Vec<u8> {
    let length = random.next() as usize % 400;
    let mut datagram = random.bytes(length);
    let kind = random.next() % 6;
    if let [first, second, ..] = datagram.as_mut_slice() {
        (*first, *second) = match kind {
            // RTP of another version; of a payload type nobody offered; with more sources than there are bytes.
            0 => (*first & 0x3F, *second),
            1 => (0x80, 0x55),
            2 => (0x8F, 0x55),
            // With padding or an extension that is longer than the packet; events of no telephone (RFC 4733).
            3 => (0xB0, 0x55),
            4 => (0x00, 101),
            // RTCP (RFC 3550 section 6.4) whose length is wrong.
            _ => (0x9F, 200 + (*second % 5)),
        };
    }
    datagram
}

/// Loud and well-formed PCMU from somebody who is not in the call.
fn stranger(sequence: u16) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let mut packet = vec![0x80, 0x00];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(0xBAD5_EED0_u32.to_be_bytes());
    packet.extend([0x10, 0x90].repeat(80));
    packet
}

async fn question() -> Utterance {
    Utterance::spoken(QUESTION, "rms").await.expect("a question")
}

/// A fixed sequence that looks like chance (splitmix64), so that a failure comes again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}
