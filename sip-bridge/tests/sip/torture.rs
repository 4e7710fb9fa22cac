//! The torture messages of RFC 4475, each over UDP and TCP to an endpoint of its own: what the RFC calls valid is
//! answered as it says, what it calls invalid is refused or ignored, and nothing of either stays behind.

use crate::bench::*;
use crate::raw_phone::{Message, RawPhone};
use sip_bridge::{Endpoint, Rejection};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// The torture messages, byte for byte.
const TORTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rfc4475");

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A call reaches the application, which refuses it with 486.
    Call,
    /// A final answer with this code.
    Code(u16),
    /// Not a word.
    Silence,
}
use Fate::{Call, Code, Silence};

/// File, RFC 4475 section, fate over UDP, fate over TCP.
const MESSAGES: [(&str, &str, Fate, Fate); 49] = [
    // In a dialog that nobody here knows.
    ("wsinv", "3.1.1.1", Code(481), Code(481)),
    ("intmeth", "3.1.1.2", Code(501), Code(501)),
    ("esc01", "3.1.1.3", Call, Call),
    ("escnull", "3.1.1.4", Code(405), Code(405)),
    ("esc02", "3.1.1.5", Code(501), Code(501)),
    ("lwsdisp", "3.1.1.6", Code(200), Code(200)),
    ("longreq", "3.1.1.7", Call, Call),
    // Over TCP the second request counts too; it has no Contact.
    ("dblreq", "3.1.1.8", Code(405), Code(400)),
    ("semiuri", "3.1.1.9", Code(200), Code(200)),
    ("transports", "3.1.1.10", Code(200), Code(200)),
    ("mpart01", "3.1.1.11", Code(405), Code(405)),
    ("unreason", "3.1.1.12", Silence, Silence),
    ("noreason", "3.1.1.13", Silence, Silence),
    ("badinv01", "3.1.2.1", Code(400), Code(400)),
    ("clerr", "3.1.2.2", Code(400), Silence),
    ("ncl", "3.1.2.3", Code(400), Code(400)),
    ("scalar02", "3.1.2.4", Code(400), Code(400)),
    ("scalarlg", "3.1.2.5", Silence, Silence),
    ("quotbal", "3.1.2.6", Code(400), Code(400)),
    ("ltgtruri", "3.1.2.7", Code(416), Code(416)),
    ("lwsruri", "3.1.2.8", Code(400), Code(400)),
    ("lwsstart", "3.1.2.9", Code(400), Code(400)),
    ("trws", "3.1.2.10", Code(200), Code(200)),
    ("escruri", "3.1.2.11", Call, Call),
    ("baddate", "3.1.2.12", Call, Call),
    ("regbadct", "3.1.2.13", Code(405), Code(405)),
    ("badaspec", "3.1.2.14", Code(200), Code(200)),
    ("baddn", "3.1.2.15", Code(200), Code(200)),
    ("badvers", "3.1.2.16", Code(505), Code(505)),
    ("mismatch01", "3.1.2.17", Code(400), Code(400)),
    ("mismatch02", "3.1.2.18", Code(501), Code(501)),
    ("bigcode", "3.1.2.19", Silence, Silence),
    ("badbranch", "3.2.1", Code(200), Code(200)),
    ("insuf", "3.3.1", Code(400), Code(400)),
    ("unkscm", "3.3.2", Code(416), Code(416)),
    ("novelsc", "3.3.3", Code(416), Code(416)),
    ("unksm2", "3.3.4", Code(405), Code(405)),
    ("bext01", "3.3.5", Code(420), Code(420)),
    ("invut", "3.3.6", Code(415), Code(415)),
    ("regaut01", "3.3.7", Code(405), Code(405)),
    ("multi01", "3.3.8", Code(400), Code(400)),
    ("mcl01", "3.3.9", Code(400), Code(400)),
    ("bcast", "3.3.10", Silence, Silence),
    ("zeromf", "3.3.11", Code(200), Code(200)),
    ("cparam01", "3.3.12", Code(405), Code(405)),
    ("cparam02", "3.3.13", Code(405), Code(405)),
    ("regescrt", "3.3.14", Code(405), Code(405)),
    ("sdp01", "3.3.15", Code(406), Code(406)),
    // No tag in From: a caller of RFC 2543, which nobody speaks any more.
    ("inv2543", "3.4.1", Code(400), Code(400)),
];

#[tokio::test]
async fn every_torture_message_meets_the_fate_its_rfc_wants() {
    let mut seen = Vec::new();
    for (place, (name, section, over_udp, over_tcp)) in MESSAGES.iter().enumerate() {
        let bytes = std::fs::read(Path::new(TORTURE).join(name).with_extension("dat")).expect("a message");
        for (tcp, expected) in [(false, over_udp), (true, over_tcp)] {
            let met = fate(&bytes, tcp, place as u8 + 10).await;
            println!("{section:9} {name:10} {} {met:?}", if tcp { "TCP" } else { "UDP" });
            seen.push((name, section, tcp, *expected, met));
        }
    }
    let wrong: Vec<_> = seen.iter().filter(|(.., expected, met)| !expected.covers(met)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

impl Fate {
    fn covers(self, met: &[Fate]) -> bool {
        match self {
            Silence => met.is_empty(),
            fate => met.contains(&fate),
        }
    }
}

/// Sends the message from a host of its own and tells what came of it, in order.
async fn fate(bytes: &[u8], tcp: bool, host: u8) -> Vec<Fate> {
    let mut callee = endpoint().await;
    let handle = callee.handle();
    let to = handle.local_addr();
    let mut phone = if tcp { RawPhone::tcp(to).await } else { RawPhone::udp_at(asking(bytes, host), to).await };
    phone.send_bytes(bytes).await;
    let mut met = Vec::new();
    let mut answers = HashMap::new();
    let quiet = tokio::time::sleep(T1 * 8);
    tokio::pin!(quiet);
    loop {
        tokio::select! {
            Some(call) = callee.next_call() => {
                met.push(Call);
                call.reject(Rejection::new(486)).await;
            }
            Some(answer) = phone.heard() => {
                // Repeated until acknowledged: once is enough.
                if answer.code() >= 200 && answers.insert(answer.0.clone(), ()).is_none() {
                    met.push(Code(answer.code()));
                }
                acknowledge(&mut phone, bytes, &answer).await;
            }
            () = &mut quiet => break,
        }
    }
    still_answers(&callee).await;
    drop(phone);
    nothing_left(&[handle]).await;
    met
}

/// Where the answer to this message goes: the port of its first Via, at the host it came from (RFC 3261 18.2.2).
fn asking(bytes: &[u8], host: u8) -> SocketAddr {
    let text = String::from_utf8_lossy(bytes);
    let via = text.lines().find(|line| line.to_ascii_lowercase().starts_with("via")).unwrap_or_default();
    let port = via
        .split(';')
        .next()
        .and_then(|sent_by| sent_by.rsplit_once(':'))
        .and_then(|(_, port)| port.trim().parse().ok());
    (Ipv4Addr::new(127, 0, 44, host), port.unwrap_or(5060)).into()
}

/// An INVITE that was refused is acknowledged, as a phone would.
async fn acknowledge(phone: &mut RawPhone, bytes: &[u8], answer: &Message) {
    if answer.code() >= 300 && answer.header("CSeq").is_some_and(|cseq| cseq.ends_with("INVITE")) {
        let text = String::from_utf8_lossy(bytes).replacen("INVITE", "ACK", 1).replace(" INVITE", " ACK");
        phone.send(&text).await;
    }
}

async fn still_answers(callee: &Endpoint) {
    let mut other = RawPhone::udp(callee.handle().local_addr()).await;
    let options = other.request("OPTIONS", 1, "alive", "", "", "");
    other.send(&options).await;
    assert_eq!(other.receive().await.code(), 200);
}
