//! Audio in JSON: bytes as base64 (RFC 4648 section 4).
//! What the bytes are is `audio_format`'s.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::dialect::Unusable;

/// Padding is written; clients that leave it out are understood.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub fn encode(audio: &[u8]) -> String {
    BASE64.encode(audio)
}

/// 1 to `most` bytes.
///
/// # Errors
/// [`Unusable`] naming what is wrong with the text.
pub fn decode(text: &str, most: usize) -> Result<Vec<u8>, Unusable> {
    let audio = BASE64.decode(text).map_err(|e| Unusable(format!("audio is no base64: {e}")))?;
    if audio.is_empty() || audio.len() > most {
        let bytes = audio.len();
        return Err(Unusable(format!("audio of {bytes} bytes: a message takes 1 to {most}, up to 1 s")));
    }
    Ok(audio)
}
