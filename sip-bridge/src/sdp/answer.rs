//! Answering an offer, and reading the answer to ours (RFC 3264 6, 7).
//! Not here: what is chosen (`select`).

use super::offer::{audio_lines, comfort_noise_line, session_lines, telephone_event_lines};
use super::parser::Description;
use super::select::Side;
use super::{Local, Negotiated, SdpError, parser, security, select};
use std::fmt::Write as _;

/// An offer that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer(Description);

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// [`SdpError`] if it is no description; it turns into the fitting [`crate::Rejection`] with `into()`.
    pub fn parse(offer: &str) -> Result<Self, SdpError> {
        parser::parse(offer).map(Self)
    }

    /// What it and `local`, whose port may still be to come, agree on.
    ///
    /// # Errors
    /// [`SdpError`] if that is nothing.
    pub fn agree(&self, local: &Local) -> Result<Negotiated, SdpError> {
        select::choose(&self.0, local, Side::Answerer).map(|(_, negotiated)| negotiated)
    }

    /// Our answer, and what it agrees on.
    ///
    /// The first audio section with a codec of ours is taken, an encrypted one before others, and of its codecs the one we
    /// like best; the other sections are answered with port 0, in their places.
    ///
    /// # Errors
    /// [`SdpError`] if nothing can be agreed on.
    pub fn answer(&self, local: &Local) -> Result<(Negotiated, String), SdpError> {
        let (chosen, negotiated) = select::choose(&self.0, local, Side::Answerer)?;
        let text = answer_text(&self.0, chosen, &negotiated, local);
        Ok((negotiated, text))
    }
}

/// Our answer to `offer`, and what it agrees on: [`Offer::answer`].
///
/// # Errors
/// [`SdpError`] if `offer` is no description, or nothing can be agreed on.
pub fn answer(offer: &str, local: &Local) -> Result<(Negotiated, String), SdpError> {
    Offer::parse(offer)?.answer(local)
}

fn answer_text(description: &Description, chosen: usize, negotiated: &Negotiated, local: &Local) -> String {
    let mut text = session_lines(local, description.time.as_deref().unwrap_or("0 0"));
    for (place, media) in description.media.iter().enumerate() {
        if place != chosen {
            let formats = if media.formats.is_empty() { "0".to_owned() } else { media.formats.join(" ") };
            // Writing to a String cannot fail.
            let _ = write!(text, "m={} 0 {} {formats}\r\n", media.kind, media.proto);
            continue;
        }
        let Negotiated { codec, payload_type, telephone_event, comfort_noise, rtcp_mux, direction, .. } = *negotiated;
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
    text
}

/// What the other side made of our offer.
pub fn accept_answer(answer: &str, local: &Local) -> Result<Negotiated, SdpError> {
    let description = parser::parse(answer)?;
    match description.media.first() {
        Some(media) if media.port == 0 => Err(SdpError::Refused),
        _ => select::choose(&description, local, Side::Offerer).map(|(_, negotiated)| negotiated),
    }
}
