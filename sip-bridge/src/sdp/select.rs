//! Choosing from the other side's description: section, codec, addresses (RFC 3264 6, 7).
//! Not here: the text of either side's description.

use super::parser::{Address, Description, Media, RtpMap};
use super::{COMFORT_NOISE, Codec, Direction, Local, Negotiated, OpusWishes, PTIME_MS, SdpError, security};
use std::net::{IpAddr, SocketAddr};

/// Longest packet length taken at its word, ms.
const MAX_PTIME_MS: u32 = 200;

/// Names in an error message; more are left out.
const LISTED: usize = 12;

/// Which side of the offer we are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// We choose, and take the numbers of the offer.
    Answerer,
    /// The other side has chosen, and may use numbers of its own.
    Offerer,
}

/// The first audio section we can speak, an encrypted one before others, by its place among all sections.
pub(super) fn choose(description: &Description, local: &Local, side: Side) -> Result<(usize, Negotiated), SdpError> {
    let mut first_refusal = None;
    let mut in_the_clear = None;
    for (place, media) in description.media.iter().enumerate() {
        if media.kind != "audio" || media.port == 0 {
            continue;
        }
        match negotiate(media, local, side) {
            Ok(negotiated) if negotiated.security.is_encrypted() => return Ok((place, negotiated)),
            Ok(negotiated) => {
                in_the_clear.get_or_insert((place, negotiated));
            }
            Err(error) => {
                first_refusal.get_or_insert(error);
            }
        }
    }
    let nothing_fits = || SdpError::NoAudio {
        offered: match description.media.as_slice() {
            [] => "nothing".to_owned(),
            media => list(media.iter().map(|m| format!("{}{}", m.kind, if m.port == 0 { " (disabled)" } else { "" }))),
        },
    };
    in_the_clear.ok_or_else(|| first_refusal.unwrap_or_else(nothing_fits))
}

fn negotiate(media: &Media, local: &Local, side: Side) -> Result<Negotiated, SdpError> {
    let security = security::negotiate(media, local, side)?;
    let payload_types = media.formats.iter().filter_map(|format| format.parse::<u8>().ok());
    let spoken = payload_types.clone().filter_map(|pt| codec_of(media, pt, local).map(|codec| (pt, codec)));
    let (payload_type, codec) = match side {
        // Of what we like equally well, the first offered.
        Side::Answerer => spoken.min_by_key(|(_, codec)| local.codecs.iter().position(|ours| ours.is_like(*codec))),
        Side::Offerer => { spoken }.next(),
    }
    .ok_or_else(|| SdpError::NoCodec {
        offered: offered_codecs(media),
        spoken: list(local.codecs.iter().map(|codec| codec.name().to_owned())),
    })?;
    let at_clock = |hz| payload_types.clone().find(|pt| is_named(media, *pt, "telephone-event", hz));
    let own_clock = codec.clock_rate_hz();
    // Many phones name the event at 8000 Hz only, whatever the codec.
    let event_clock_hz = if at_clock(own_clock).is_some() { own_clock } else { 8000 };
    let telephone_event = at_clock(event_clock_hz);
    let comfort_noise = payload_types
        .clone()
        .find(|pt| is_named(media, *pt, "CN", 8000) || (*pt == COMFORT_NOISE && rtpmap_of(media, *pt).is_none()))
        .filter(|_| own_clock == 8000);
    let address = reachable(media.address.as_ref(), local)?;
    let rtcp_mux = media.rtcp_mux && local.rtcp_mux;
    let remote_rtp = SocketAddr::new(address, media.port);
    let remote_rtcp = match &media.rtcp {
        _ if rtcp_mux => remote_rtp,
        Some(rtcp) => {
            let own = rtcp.address.as_ref().map(|own| reachable(Some(own), local)).transpose()?;
            SocketAddr::new(own.unwrap_or(address), rtcp.port)
        }
        None => SocketAddr::new(address, media.port.saturating_add(1)),
    };
    // c=0.0.0.0 is the old way to hold (RFC 3264 8.4): nothing may be sent there.
    let direction = media.direction.reversed();
    let direction = if address.is_unspecified() { direction.without_sending() } else { direction };
    let ptime_ms = media.ptime_ms.filter(|ms| *ms <= MAX_PTIME_MS).unwrap_or(PTIME_MS);
    let wishes = media.fmtps.iter().find(|(pt, _)| *pt == payload_type).map(|(_, text)| OpusWishes::parse(text));
    Ok(Negotiated {
        codec,
        payload_type,
        receive_payload_type: match side {
            Side::Answerer => payload_type,
            Side::Offerer => codec.offered_payload_type(),
        },
        telephone_event,
        event_clock_hz,
        comfort_noise,
        ptime_ms: media.maxptime_ms.map_or(ptime_ms, |most| ptime_ms.min(most)),
        opus: wishes.filter(|_| codec == Codec::Opus).unwrap_or_default(),
        remote_rtp,
        remote_rtcp,
        rtcp_mux,
        direction,
        security,
    })
}

/// What a payload type means here: its a=rtpmap, or the static assignment when there is none.
fn codec_of(media: &Media, payload_type: u8, local: &Local) -> Option<Codec> {
    let mut ours = local.codecs.iter().copied();
    match rtpmap_of(media, payload_type) {
        // Opus is always written with two channels; one that is not is Opus all the same.
        Some(map) => ours.find(|codec| {
            map.name.eq_ignore_ascii_case(codec.name())
                && map.clock_rate_hz == codec.clock_rate_hz()
                && (map.channels == 1 || *codec == Codec::Opus)
        }),
        None => ours.find(|codec| codec.static_payload_type() == Some(payload_type)),
    }
}

fn rtpmap_of(media: &Media, payload_type: u8) -> Option<&RtpMap> {
    media.rtpmaps.iter().find(|map| map.payload_type == payload_type)
}

fn is_named(media: &Media, payload_type: u8, name: &str, clock_rate_hz: u32) -> bool {
    rtpmap_of(media, payload_type)
        .is_some_and(|map| map.name.eq_ignore_ascii_case(name) && map.clock_rate_hz == clock_rate_hz)
}

/// The address, if it is one and of our family: a socket of one family cannot reach the other.
fn reachable(address: Option<&Address>, local: &Local) -> Result<IpAddr, SdpError> {
    match address {
        Some(Address::Ip(ip)) if ip.is_ipv4() == local.addr.is_ipv4() && !ip.is_multicast() => Ok(*ip),
        Some(Address::Ip(ip)) => Err(SdpError::Address(ip.to_string())),
        Some(Address::Other(text)) => Err(SdpError::Address(text.clone())),
        None => Err(SdpError::Address("no c= line".to_owned())),
    }
}

/// Codec names of a section, for a message to people.
fn offered_codecs(media: &Media) -> String {
    list(media.formats.iter().filter_map(|format| {
        let payload_type = format.parse::<u8>().ok();
        match media.rtpmaps.iter().find(|map| Some(map.payload_type) == payload_type) {
            Some(map) if map.name.eq_ignore_ascii_case("telephone-event") => None,
            Some(map) if map.clock_rate_hz == 8000 => Some(map.name.clone()),
            Some(map) => Some(format!("{}/{}", map.name, map.clock_rate_hz)),
            None => Some(payload_type.and_then(static_name).map_or_else(|| format!("payload {format}"), str::to_owned)),
        }
    }))
}

/// Names of RFC 3551 table 4 that telephones still offer without a=rtpmap.
fn static_name(payload_type: u8) -> Option<&'static str> {
    Some(match payload_type {
        3 => "GSM",
        4 => "G723",
        7 => "LPC",
        9 => "G722",
        13 => "CN",
        15 => "G728",
        18 => "G729",
        _ => return None,
    })
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.take(LISTED).map(|name| name.chars().take(24).collect()).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Direction of our answer, as the attribute says it.
pub(super) fn direction_line(direction: Direction) -> String {
    format!("a={}\r\n", direction.attribute())
}
