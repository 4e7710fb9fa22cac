//! Answering an offer, and reading the answer to ours (RFC 3264 6, 7).
//! Not here: what is chosen (`select`).

use super::offer::{audio_lines, comfort_noise_line, session_lines, telephone_event_lines};
use super::select::Side;
use super::{Local, Negotiated, SdpError, parser, security, select};
use std::fmt::Write as _;

/// Our answer to `offer`, and what it agrees on.
///
/// The first audio section with a codec of ours is taken, an encrypted one before others, and of its codecs the one we
/// like best; the other sections are answered with port 0, in their places. An error turns into the fitting
/// [`crate::Rejection`] with `into()`.
pub fn answer(offer: &str, local: &Local) -> Result<(Negotiated, String), SdpError> {
    let description = parser::parse(offer)?;
    let (chosen, negotiated) = select::choose(&description, local, Side::Answerer)?;
    let mut text = session_lines(local, description.time.as_deref().unwrap_or("0 0"));
    for (place, media) in description.media.iter().enumerate() {
        if place != chosen {
            let formats = if media.formats.is_empty() { "0".to_owned() } else { media.formats.join(" ") };
            // Writing to a String cannot fail.
            let _ = write!(text, "m={} 0 {} {formats}\r\n", media.kind, media.proto);
            continue;
        }
        let Negotiated { codec, payload_type, telephone_event, comfort_noise, rtcp_mux, direction, .. } = negotiated;
        let _ = write!(text, "m=audio {} {} {payload_type}", local.port, media.proto);
        for other in [comfort_noise, telephone_event].into_iter().flatten() {
            let _ = write!(text, " {other}");
        }
        text.push_str("\r\n");
        text.push_str(&codec.lines(payload_type));
        if let Some(noise) = comfort_noise {
            text.push_str(&comfort_noise_line(noise));
        }
        if let Some(event) = telephone_event {
            text.push_str(&telephone_event_lines(event, negotiated.event_clock_hz));
        }
        text.push_str(&security::answer_lines(&negotiated.security, media, local));
        text.push_str(&audio_lines(rtcp_mux, direction));
    }
    Ok((negotiated, text))
}

/// What the other side made of our offer.
pub fn accept_answer(answer: &str, local: &Local) -> Result<Negotiated, SdpError> {
    let description = parser::parse(answer)?;
    match description.media.first() {
        Some(media) if media.port == 0 => Err(SdpError::Refused),
        _ => select::choose(&description, local, Side::Offerer).map(|(_, negotiated)| negotiated),
    }
}
