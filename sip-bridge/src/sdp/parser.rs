//! Reading a session description (RFC 8866 5): tolerant of what real devices write, strict about what is used.
//! Not here: choosing from it (`select`).

use super::fingerprint::Setup;
use super::{Direction, SdpError};
use std::net::IpAddr;

/// Longer descriptions are refused; bytes.
const MAX_BYTES: usize = 16 * 1024;
const MAX_LINES: usize = 512;
const MAX_MEDIA: usize = 16;
const MAX_FORMATS: usize = 64;
/// Lines of a=crypto and of a=fingerprint that are looked at.
const MAX_KEYS: usize = 16;
/// Characters of a faulty line that an error repeats.
const QUOTED_CHARS: usize = 60;

/// A whole description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// Value of t=, which an answer repeats (RFC 3264 6).
    pub time: Option<String>,
    pub media: Vec<Media>,
}

/// One m= section, with what the session level says for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    pub kind: String,
    pub port: u16,
    /// Transport, as "RTP/AVP".
    pub proto: String,
    pub formats: Vec<String>,
    pub address: Option<Address>,
    pub direction: Direction,
    pub rtpmaps: Vec<RtpMap>,
    /// Format parameters of payload types: a=fmtp (RFC 8866 6.15).
    pub fmtps: Vec<(u8, String)>,
    pub ptime_ms: Option<u32>,
    pub maxptime_ms: Option<u32>,
    pub rtcp: Option<Rtcp>,
    pub rtcp_mux: bool,
    /// Values of a=crypto (RFC 4568).
    pub crypto: Vec<String>,
    /// Values of a=fingerprint (RFC 8122).
    pub fingerprints: Vec<String>,
    pub setup: Option<Setup>,
}

/// Where c= or a=rtcp points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Ip(IpAddr),
    /// A host name or a network we do not know.
    Other(String),
}

/// a=rtpmap (RFC 8866 6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RtpMap {
    pub payload_type: u8,
    pub name: String,
    pub clock_rate_hz: u32,
    pub channels: u32,
}

/// a=rtcp (RFC 3605).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rtcp {
    pub port: u16,
    pub address: Option<Address>,
}

/// What a section, or the session for all sections, may say.
#[derive(Clone, Default)]
struct Scope {
    address: Option<Address>,
    direction: Option<Direction>,
    ptime_ms: Option<u32>,
    maxptime_ms: Option<u32>,
    rtcp: Option<Rtcp>,
    rtcp_mux: bool,
    rtpmaps: Vec<RtpMap>,
    crypto: Vec<String>,
    fingerprints: Vec<String>,
    setup: Option<Setup>,
    fmtps: Vec<(u8, String)>,
}

pub(super) fn parse(text: &str) -> Result<Description, SdpError> {
    if text.len() > MAX_BYTES {
        return Err(SdpError::TooLarge { what: "bytes", limit: MAX_BYTES });
    }
    let mut session = Scope::default();
    let mut time = None;
    let mut media: Vec<(Media, Scope)> = Vec::new();
    let mut version_seen = false;
    // Line ends: CRLF by the RFC, LF from many devices, CR from a few.
    for (index, line) in text.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).enumerate() {
        if index >= MAX_LINES {
            return Err(SdpError::TooLarge { what: "lines", limit: MAX_LINES });
        }
        let bad = |why| malformed(index + 1, why, line);
        let (kind, value) = line.split_once('=').ok_or_else(|| bad("no '='"))?;
        let (kind, value) = (kind.trim(), value.trim());
        if kind.len() != 1 {
            return Err(bad("a type is one letter"));
        }
        if !version_seen {
            if (kind, value) != ("v", "0") {
                return Err(bad("must begin with v=0"));
            }
            version_seen = true;
            continue;
        }
        let scope = media.last_mut().map_or(&mut session, |(_, scope)| scope);
        match kind {
            "c" => scope.address = Some(connection(value).ok_or_else(|| bad("not a connection address"))?),
            "t" if time.is_none() => time = plain_time(value),
            "a" => attribute(value, scope).map_err(bad)?,
            "m" => {
                if media.len() == MAX_MEDIA {
                    return Err(SdpError::TooLarge { what: "m= sections", limit: MAX_MEDIA });
                }
                media.push((media_line(value).map_err(bad)?, Scope::default()));
            }
            _ => {}
        }
    }
    if !version_seen {
        return Err(SdpError::Empty("nothing in it"));
    }
    let media = media.into_iter().map(|(media, own)| combine(media, own, &session)).collect();
    Ok(Description { time, media })
}

fn malformed(line: usize, why: &'static str, text: &str) -> SdpError {
    SdpError::Malformed { line, why, text: text.chars().take(QUOTED_CHARS).collect() }
}

/// What a section does not say itself it takes from the session.
fn combine(media: Media, own: Scope, session: &Scope) -> Media {
    Media {
        address: own.address.or_else(|| session.address.clone()),
        direction: own.direction.or(session.direction).unwrap_or(Direction::SendRecv),
        ptime_ms: own.ptime_ms.or(session.ptime_ms),
        maxptime_ms: own.maxptime_ms.or(session.maxptime_ms),
        rtcp: own.rtcp,
        rtcp_mux: own.rtcp_mux || session.rtcp_mux,
        rtpmaps: own.rtpmaps,
        crypto: own.crypto,
        fingerprints: if own.fingerprints.is_empty() { session.fingerprints.clone() } else { own.fingerprints },
        setup: own.setup.or(session.setup),
        fmtps: own.fmtps,
        ..media
    }
}

/// `audio 49170/2 RTP/AVP 0 8 101`
fn media_line(value: &str) -> Result<Media, &'static str> {
    let mut words = value.split_ascii_whitespace();
    let kind = words.next().ok_or("no media type")?.to_ascii_lowercase();
    let port = words.next().ok_or("no port")?;
    let port = port.split('/').next().unwrap_or(port).parse().map_err(|_| "not a port")?;
    let proto = words.next().ok_or("no transport")?.to_owned();
    let formats: Vec<String> = words.map(str::to_owned).take(MAX_FORMATS + 1).collect();
    if formats.len() > MAX_FORMATS {
        return Err("too many formats");
    }
    Ok(Media {
        kind,
        port,
        proto,
        formats,
        address: None,
        direction: Direction::SendRecv,
        rtpmaps: Vec::new(),
        fmtps: Vec::new(),
        ptime_ms: None,
        maxptime_ms: None,
        rtcp: None,
        rtcp_mux: false,
        crypto: Vec::new(),
        fingerprints: Vec::new(),
        setup: None,
    })
}

/// `IN IP4 192.0.2.1/127`: the part after the slash is for multicast.
fn connection(value: &str) -> Option<Address> {
    let mut words = value.split_ascii_whitespace();
    let network = words.next()?;
    let kind = words.next()?;
    let address = words.next()?;
    let host = address.split('/').next().unwrap_or(address);
    let known = network.eq_ignore_ascii_case("IN") && ["IP4", "IP6"].iter().any(|k| kind.eq_ignore_ascii_case(k));
    Some(match host.parse() {
        Ok(ip) if known => Address::Ip(ip),
        _ => Address::Other(value.chars().take(QUOTED_CHARS).collect()),
    })
}

/// Two numbers, or nothing: an answer repeats them.
fn plain_time(value: &str) -> Option<String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let is_number = |word: &&str| word.len() <= 20 && word.bytes().all(|b| b.is_ascii_digit());
    (words.len() == 2 && words.iter().all(is_number)).then(|| words.join(" "))
}

fn attribute(value: &str, scope: &mut Scope) -> Result<(), &'static str> {
    let (name, value) = match value.split_once(':') {
        Some((name, value)) => (name.trim(), value.trim()),
        None => (value, ""),
    };
    match name {
        "sendrecv" => scope.direction = Some(Direction::SendRecv),
        "sendonly" => scope.direction = Some(Direction::SendOnly),
        "recvonly" => scope.direction = Some(Direction::RecvOnly),
        "inactive" => scope.direction = Some(Direction::Inactive),
        "rtcp-mux" => scope.rtcp_mux = true,
        "crypto" if scope.crypto.len() < MAX_KEYS => scope.crypto.push(value.to_owned()),
        "fingerprint" if scope.fingerprints.len() < MAX_KEYS => scope.fingerprints.push(value.to_owned()),
        "setup" => scope.setup = Setup::parse(value),
        // A packet length nobody can send is as good as none.
        "ptime" => scope.ptime_ms = milliseconds(value),
        "maxptime" => scope.maxptime_ms = milliseconds(value),
        "rtcp" => scope.rtcp = Some(rtcp(value).ok_or("not an RTCP port")?),
        // A payload type of a section we refuse anyway may be anything, so a bad line is only left out.
        "rtpmap" if scope.rtpmaps.len() < MAX_FORMATS => scope.rtpmaps.extend(rtpmap(value)),
        "fmtp" if scope.fmtps.len() < MAX_FORMATS => scope.fmtps.extend(fmtp(value)),
        _ => {}
    }
    Ok(())
}

fn milliseconds(value: &str) -> Option<u32> {
    value.split('.').next().and_then(|ms| ms.parse().ok()).filter(|ms| *ms > 0)
}

fn rtcp(value: &str) -> Option<Rtcp> {
    let (port, address) = value.split_once(' ').unwrap_or((value, ""));
    let address = if address.trim().is_empty() { None } else { Some(connection(address)?) };
    Some(Rtcp { port: port.trim().parse().ok()?, address })
}

/// `101 telephone-event/8000/1`
fn rtpmap(value: &str) -> Option<RtpMap> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    Some(RtpMap {
        payload_type: payload_type.trim().parse().ok().filter(|pt| *pt < 128)?,
        name: parts.next()?.to_owned(),
        clock_rate_hz: parts.next()?.trim().parse().ok()?,
        channels: parts.next().and_then(|n| n.trim().parse().ok()).unwrap_or(1),
    })
}

/// `96 useinbandfec=1;usedtx=0`
fn fmtp(value: &str) -> Option<(u8, String)> {
    let (payload_type, parameters) = value.split_once(' ')?;
    Some((payload_type.trim().parse().ok().filter(|pt| *pt < 128)?, parameters.trim().to_owned()))
}
