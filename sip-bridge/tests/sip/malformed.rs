//! Text that is no SIP, or bad SIP: answered where the RFC says so, and other calls never notice.
//! Not here: well-formed requests that are refused (`refusals`), what each torture message deserves (`torture`).

use crate::bench::*;
use crate::raw_phone::RawPhone;
use sip_bridge::{DialogEvent, Rejection};

/// The torture messages of RFC 4475, byte for byte.
const TORTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rfc4475");

#[tokio::test]
async fn the_torture_messages_disturb_no_call() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (ours, mut theirs) = established(&caller, &mut callee, false).await;
    let mut files = 0;
    for entry in std::fs::read_dir(TORTURE).expect("the messages") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "dat") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("readable");
        let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
        phone.send_bytes(&bytes).await;
        let mut phone = RawPhone::tcp(callee.handle().local_addr()).await;
        phone.send_bytes(&bytes).await;
        files += 1;
    }
    assert_eq!(files, 49);
    // Whatever became a call is turned away.
    while let Ok(Some(call)) = tokio::time::timeout(T1 * 10, callee.next_call()).await {
        call.reject(Rejection::new(486)).await;
    }
    assert!(soon("BYE", ours.bye(None)).await.is_ok());
    assert!(matches!(next_event(&mut theirs).await, DialogEvent::Ended { .. }));
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn garbage_disturbs_no_call() {
    let (caller, mut callee) = (endpoint().await, endpoint().await);
    let (ours, _theirs) = established(&caller, &mut callee, false).await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let whole = phone.request("INVITE", 1, "1", "", "", &offer()).into_bytes();
    // A number generator with a fixed seed: the same garbage on every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..(random() % 6 + 1) {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() as usize % bytes.len() + 1);
        phone.send_bytes(&bytes).await;
        while let Ok(call) = tokio::time::timeout(std::time::Duration::ZERO, callee.next_call()).await {
            drop(call);
        }
    }
    for bytes in [&b""[..], b"\r\n\r\n", b"\0", b"SIP/2.0", b"INVITE", &[0xff; 3000]] {
        phone.send_bytes(bytes).await;
    }
    while let Ok(Some(call)) = tokio::time::timeout(T1 * 5, callee.next_call()).await {
        drop(call);
    }
    assert!(soon("BYE", ours.bye(None)).await.is_ok());
    nothing_left(&[caller.handle(), callee.handle()]).await;
}

#[tokio::test]
async fn broken_requests_are_answered_with_what_is_wrong() {
    let callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let good = phone.request("OPTIONS", 1, "1", "", "", "");
    let cases = [
        (good.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505),
        (good.replace("OPTIONS", "NEWMETHOD"), 501),
        (good.replace("OPTIONS sip:", "OPTIONS nobodyKnowsThisScheme:"), 416),
        (good.replace("Content-Length: 0", "Content-Length: 99"), 400),
        (good.replace("Content-Length: 0", "Content-Length: -1"), 400),
        (good.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), 400),
        (good.replace(&format!(";tag={}", phone.from_tag), ""), 400),
        (good.replace("Call-ID", "X-Call-ID"), 400),
        (good.replace(" SIP/2.0\r\n", "  SIP/2.0\r\n"), 400),
    ];
    for (text, code) in cases {
        phone.send(&text).await;
        let answer = phone.receive().await;
        assert_eq!(answer.code(), code, "{text}");
        assert!(answer.header("Via").is_some());
    }
}

#[tokio::test]
async fn odd_but_legal_requests_are_understood() {
    let callee = endpoint().await;
    let mut phone = RawPhone::udp(callee.handle().local_addr()).await;
    let good = phone.request("OPTIONS", 1, "1", "", "", "");
    let cases = [
        good.replace("Content-Length: 0\r\n", ""),
        format!("\r\n\r\n{good}"),
        good.replace("Via:", "v:").replace("From:", "f:").replace("To:", "t:").replace("Call-ID:", "i:"),
        good.replace("CSeq: 1", "CSeq:\r\n  1"),
        good.replace("Max-Forwards: 70", "Max-Forwards: 0"),
    ];
    for (number, text) in cases.iter().enumerate() {
        phone.send(&text.replace("-1;rport", &format!("-odd{number};rport"))).await;
        assert_eq!(phone.receive().await.code(), 200, "{text}");
    }
    // Latin-1 in a display name must not cost the headers after it.
    let latin: Vec<u8> = good
        .replace("-1;rport", "-latin;rport")
        .replace("Raw", "R~w")
        .bytes()
        .map(|byte| if byte == b'~' { 0xe4 } else { byte })
        .collect();
    phone.send_bytes(&latin).await;
    assert_eq!(phone.receive().await.code(), 200);
}

#[tokio::test]
async fn a_malformed_message_on_one_tcp_connection_leaves_the_others_alone() {
    let mut callee = endpoint().await;
    let to = callee.handle().local_addr();
    let mut good = RawPhone::tcp(to).await;
    let mut bad = RawPhone::tcp(to).await;
    bad.send("INVITE nonsense\r\nContent-Length: x\r\n\r\n").await;
    good.invite("", &offer()).await;
    next_call(&mut callee).await.reject(Rejection::new(486)).await;
    let tag = good.receive_code(486).await.to_tag();
    good.ack_refusal(1, "1", &tag).await;
    nothing_left(&[callee.handle()]).await;
}
