//! Our offer, and the lines an offer and an answer have in common (RFC 3264 5).
//! Not here: answering (`answer`).

use super::security::{offer_lines, offered_transport};
use super::select::direction_line;
use super::{Codec, Direction, Local, PTIME_MS, TELEPHONE_EVENT};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Our offer: PCMU, PCMA, telephone-event, both ways.
pub fn offer(local: &Local) -> String {
    let mut text = session_lines(local, "0 0");
    let _ = write!(text, "m=audio {} {} 0 8 {TELEPHONE_EVENT}\r\n", local.port, offered_transport(&local.security));
    for codec in Codec::ALL {
        text.push_str(&codec_line(codec, codec.static_payload_type()));
    }
    text.push_str(&telephone_event_lines(TELEPHONE_EVENT));
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

pub(super) fn codec_line(codec: Codec, payload_type: u8) -> String {
    format!("a=rtpmap:{payload_type} {}/8000\r\n", codec.name())
}

/// Digits 0 to 15 (RFC 4733 2.4.1).
pub(super) fn telephone_event_lines(payload_type: u8) -> String {
    format!("a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n")
}

pub(super) fn audio_lines(rtcp_mux: bool, direction: Direction) -> String {
    let mux = if rtcp_mux { "a=rtcp-mux\r\n" } else { "" };
    format!("a=ptime:{PTIME_MS}\r\n{mux}{}", direction_line(direction))
}
