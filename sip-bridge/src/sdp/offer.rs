//! Our offer, and the lines an offer and an answer have in common (RFC 3264 5).
//! Not here: answering (`answer`).

use super::security::{offer_lines, offered_transport};
use super::select::direction_line;
use super::{COMFORT_NOISE, Codec, Direction, Local, PTIME_MS, TELEPHONE_EVENT, TELEPHONE_EVENT_48K};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Our offer: the codecs we speak, comfort noise, telephone-event, both ways.
pub fn offer(local: &Local) -> String {
    let mut text = session_lines(local, "0 0");
    let _ = write!(text, "m=audio {} {}", local.port, offered_transport(&local.security));
    for codec in &local.codecs {
        let _ = write!(text, " {}", codec.offered_payload_type());
    }
    let narrow = local.codecs.iter().any(|codec| codec.clock_rate_hz() == 8000);
    let events: Vec<(u8, u32)> = [(narrow, TELEPHONE_EVENT, 8000), (speaks_opus(local), TELEPHONE_EVENT_48K, 48_000)]
        .into_iter()
        .filter_map(|(offered, payload_type, hz)| offered.then_some((payload_type, hz)))
        .collect();
    if narrow {
        let _ = write!(text, " {COMFORT_NOISE}");
    }
    for (payload_type, _) in &events {
        let _ = write!(text, " {payload_type}");
    }
    text.push_str("\r\n");
    for codec in &local.codecs {
        text.push_str(&codec.lines(codec.offered_payload_type()));
    }
    if narrow {
        text.push_str(&comfort_noise_line(COMFORT_NOISE));
    }
    for (payload_type, clock_rate_hz) in events {
        text.push_str(&telephone_event_lines(payload_type, clock_rate_hz));
    }
    text.push_str(&offer_lines(local));
    text.push_str(&audio_lines(local.rtcp_mux, Direction::SendRecv));
    text
}

/// v= to t= (RFC 8866 5). `time` is the value of t=.
pub(super) fn session_lines(local: &Local, time: &str) -> String {
    let family = match local.addr {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    };
    let Local { addr, session_id, version, .. } = local;
    format!("v=0\r\no=tandem {session_id} {version} IN {family} {addr}\r\ns=-\r\nc=IN {family} {addr}\r\nt={time}\r\n")
}

fn speaks_opus(local: &Local) -> bool {
    local.codecs.contains(&Codec::Opus)
}

pub(super) fn comfort_noise_line(payload_type: u8) -> String {
    format!("a=rtpmap:{payload_type} CN/8000\r\n")
}

/// Digits 0 to 15 (RFC 4733 2.4.1).
pub(super) fn telephone_event_lines(payload_type: u8, clock_rate_hz: u32) -> String {
    format!("a=rtpmap:{payload_type} telephone-event/{clock_rate_hz}\r\na=fmtp:{payload_type} 0-15\r\n")
}

pub(super) fn audio_lines(rtcp_mux: bool, direction: Direction) -> String {
    let mux = if rtcp_mux { "a=rtcp-mux\r\n" } else { "" };
    format!("a=ptime:{PTIME_MS}\r\n{mux}{}", direction_line(direction))
}
