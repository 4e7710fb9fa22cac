//! Whether and how media is encrypted: the transport of a section, the keys in it, and what both sides make of them
//! (RFC 4568, RFC 5763). Not here: how keys and fingerprints are written (`crypto`, `fingerprint`).

use super::crypto::{Crypto, crypto_line};
use super::fingerprint::Setup;
use super::parser::Media;
use super::select::Side;
use super::{DtlsRole, Fingerprint, Local, Mki, SdesKey, SdesKeys, SdpError, Suite};
use std::fmt::Write as _;

/// Whether calls are encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum SrtpPolicy {
    /// Never: RTP/SAVP is refused, keys beside RTP/AVP are passed over.
    #[default]
    Off,
    /// Where the other side offers it.
    Optional,
    /// Always: what is offered in the clear is refused.
    Required,
}

/// How keys come about in offers of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OfferedKeying {
    /// No keys.
    #[default]
    Plain,
    /// a=crypto: keys in the SDP.
    Sdes,
    /// a=fingerprint: keys by a DTLS handshake.
    Dtls,
}

/// Our end of the encryption; by default there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    pub policy: SrtpPolicy,
    pub offer: OfferedKeying,
    pub keys: SdesKeys,
    /// Of our certificate; without one DTLS is not spoken.
    pub fingerprint: Option<Fingerprint>,
    /// Our part in the DTLS association that already exists, which a new offer does not turn around.
    pub role: Option<DtlsRole>,
}

/// How the media of a section is encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MediaSecurity {
    #[default]
    Plain,
    /// Keys were exchanged in the SDP: each side encrypts with its own.
    Sdes { suite: Suite, ours: SdesKey, theirs: SdesKey, mki: Option<Mki> },
    /// Keys come out of a DTLS handshake with whoever has a certificate of this fingerprint.
    Dtls { role: DtlsRole, fingerprint: Fingerprint },
}

/// What a section's transport says about encryption.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    /// RTP/AVP; keys beside it mean "if you like".
    Plain,
    Srtp,
    DtlsSrtp,
}

// === impl MediaSecurity ===

impl MediaSecurity {
    pub fn is_encrypted(&self) -> bool {
        *self != Self::Plain
    }
}

// === impl Transport ===

impl Transport {
    fn of(proto: &str) -> Option<Self> {
        Some(match proto.to_ascii_uppercase().as_str() {
            "RTP/AVP" | "RTP/AVPF" => Self::Plain,
            "RTP/SAVP" | "RTP/SAVPF" => Self::Srtp,
            "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF" => Self::DtlsSrtp,
            _ => return None,
        })
    }
}

/// How the media of a section of the other side's is encrypted, by what it says and what we want.
pub(super) fn negotiate(media: &Media, local: &Local, side: Side) -> Result<MediaSecurity, SdpError> {
    let ours = &local.security;
    let not_spoken = || SdpError::Transport { offered: media.proto.clone(), spoken: spoken(ours.policy) };
    let transport = Transport::of(&media.proto).ok_or_else(not_spoken)?;
    if ours.policy == SrtpPolicy::Off {
        return if transport == Transport::Plain { Ok(MediaSecurity::Plain) } else { Err(not_spoken()) };
    }
    let by_crypto = || agreed_key(media, ours, side);
    let by_dtls = || association(media, ours, side);
    match transport {
        Transport::DtlsSrtp => by_dtls(),
        Transport::Srtp if media.crypto.is_empty() => by_dtls(),
        Transport::Srtp => by_crypto(),
        Transport::Plain => match by_crypto().or_else(|_| by_dtls()) {
            Ok(security) => Ok(security),
            Err(_) if ours.policy == SrtpPolicy::Optional => Ok(MediaSecurity::Plain),
            Err(_) => Err(not_spoken()),
        },
    }
}

/// The first a=crypto line that can be used, in the offerer's order; of an answer the one that takes up ours.
fn agreed_key(media: &Media, ours: &Security, side: Side) -> Result<MediaSecurity, SdpError> {
    let mut refused = Vec::new();
    for line in &media.crypto {
        match Crypto::parse(line) {
            Ok(crypto)
                if side == Side::Offerer && (ours.offer, crypto.tag) != (OfferedKeying::Sdes, crypto.suite.tag()) =>
            {
                refused.push(format!("{} (not what was offered)", crypto.suite.name()));
            }
            Ok(Crypto { suite, key, mki, .. }) => {
                return Ok(MediaSecurity::Sdes { suite, ours: ours.keys.of(suite), theirs: key, mki });
            }
            Err(why) => refused.push(why),
        }
    }
    Err(SdpError::Keys(if refused.is_empty() { "no a=crypto".to_owned() } else { refused.join(", ") }))
}

fn association(media: &Media, ours: &Security, side: Side) -> Result<MediaSecurity, SdpError> {
    if ours.fingerprint.is_none() || (side == Side::Offerer && ours.offer != OfferedKeying::Dtls) {
        return Err(SdpError::Keys("DTLS is not spoken here".to_owned()));
    }
    let believed = media.fingerprints.iter().filter_map(|value| Fingerprint::parse(value)).max_by_key(|f| f.hash);
    let Some(fingerprint) = believed else {
        return Err(SdpError::Keys(match media.fingerprints.first() {
            None => "neither a=crypto nor a=fingerprint".to_owned(),
            Some(value) => {
                format!(
                    "fingerprint {:?}; taken are sha-256, sha-384, sha-512",
                    value.chars().take(16).collect::<String>()
                )
            }
        }));
    };
    let role = match media.setup {
        Some(Setup::Active) => DtlsRole::Passive,
        Some(Setup::Passive) => DtlsRole::Active,
        // Who answers an open question begins: that saves half a round trip (RFC 5763 section 5).
        Some(Setup::ActPass) => ours.role.unwrap_or(DtlsRole::Active),
        Some(Setup::HoldConn) => return Err(SdpError::Keys("a=setup:holdconn".to_owned())),
        // RFC 4145 section 4.1: who says nothing begins.
        None => ours.role.unwrap_or(DtlsRole::Passive),
    };
    Ok(MediaSecurity::Dtls { role, fingerprint })
}

/// Lines of an answer about what was agreed on. `media`: the section that is answered.
pub(super) fn answer_lines(security: &MediaSecurity, media: &Media, local: &Local) -> String {
    match security {
        MediaSecurity::Plain => String::new(),
        MediaSecurity::Sdes { suite, ours, .. } => {
            let taken = media.crypto.iter().filter_map(|line| Crypto::parse(line).ok()).find(|c| c.suite == *suite);
            taken.map(|crypto| crypto_line(crypto.tag, *suite, ours)).unwrap_or_default()
        }
        MediaSecurity::Dtls { role, .. } => dtls_lines(local, role.setup()),
    }
}

/// Transport of our offer.
pub(super) fn offered_transport(security: &Security) -> &'static str {
    match (security.policy, security.offer) {
        (SrtpPolicy::Off, _) | (SrtpPolicy::Optional, OfferedKeying::Plain | OfferedKeying::Sdes) => "RTP/AVP",
        (SrtpPolicy::Required, OfferedKeying::Plain | OfferedKeying::Sdes) => "RTP/SAVP",
        (_, OfferedKeying::Dtls) => "UDP/TLS/RTP/SAVP",
    }
}

/// Lines of our offer about its keys.
pub(super) fn offer_lines(local: &Local) -> String {
    let security = &local.security;
    match (security.policy, security.offer) {
        (SrtpPolicy::Off, _) | (_, OfferedKeying::Plain) => String::new(),
        (_, OfferedKeying::Sdes) => {
            Suite::ALL.iter().map(|suite| crypto_line(suite.tag(), *suite, &security.keys.of(*suite))).collect()
        }
        (_, OfferedKeying::Dtls) => dtls_lines(local, "actpass"),
    }
}

fn dtls_lines(local: &Local, setup: &str) -> String {
    let mut text = format!("a=setup:{setup}\r\n");
    if let Some(fingerprint) = &local.security.fingerprint {
        // Writing to a String cannot fail.
        let _ = write!(text, "a=fingerprint:{fingerprint}\r\n");
    }
    text
}

fn spoken(policy: SrtpPolicy) -> &'static str {
    match policy {
        SrtpPolicy::Off => "RTP/AVP",
        SrtpPolicy::Optional => "RTP/AVP, RTP/SAVP, UDP/TLS/RTP/SAVP",
        SrtpPolicy::Required => "RTP/SAVP, UDP/TLS/RTP/SAVP",
    }
}

#[cfg(test)]
mod tests;
