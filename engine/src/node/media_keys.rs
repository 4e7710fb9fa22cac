//! The node's side of media encryption: its certificate, fresh keys for each call, and what SDP agreed on as calls
//! take it. What is agreed on is sip-bridge's; what is done with the keys is the call's.

use std::sync::Arc;

use rand::RngCore;
use sip_bridge::sdp::{self, OfferedKeying, SrtpPolicy};

use crate::call::{MediaSecurity, SrtpKeys};
use crate::clock::Clock;
use crate::config::{Config, SrtpMode, SrtpOffer};
use crate::rtp::dtls::{DtlsError, Fingerprint, Identity, Role, Terms};
use crate::rtp::srtp::{MasterKey, Mki, Profile};

/// What a node's calls have in common.
pub struct MediaKeys {
    policy: SrtpPolicy,
    offer: OfferedKeying,
    /// `None`: nothing is encrypted.
    identity: Option<Arc<Identity>>,
}

// === impl MediaKeys ===

impl MediaKeys {
    /// Makes the certificate, if calls may be encrypted.
    ///
    /// # Errors
    /// [`DtlsError::Certificate`] if that fails.
    pub fn new(config: &Config, clock: &Clock) -> Result<Self, DtlsError> {
        let policy = match config.srtp {
            SrtpMode::Off => SrtpPolicy::Off,
            SrtpMode::Optional => SrtpPolicy::Optional,
            SrtpMode::Required => SrtpPolicy::Required,
        };
        let offer = match config.srtp_offer {
            SrtpOffer::Plain => OfferedKeying::Plain,
            SrtpOffer::Sdes => OfferedKeying::Sdes,
            SrtpOffer::Dtls => OfferedKeying::Dtls,
        };
        let identity = match policy {
            SrtpPolicy::Off => None,
            _ => Some(Arc::new(Identity::generate(clock.zero())?)),
        };
        Ok(Self { policy, offer, identity })
    }

    /// Our end of a new call's encryption.
    pub fn of_a_call(&self) -> sdp::Security {
        let fingerprint = self.identity.as_ref().map(|identity| sdp::Fingerprint {
            hash: sdp::HashFunction::Sha256,
            digest: identity.fingerprint().to_vec(),
        });
        sdp::Security { policy: self.policy, offer: self.offer, keys: fresh_keys(), fingerprint, role: None }
    }

    /// Prepares the answer to a new offer of the other side, of which `agreed` would be the outcome. True if our keys
    /// changed: a new key of theirs begins everything anew, on our side too.
    pub fn renew(local: &mut sdp::Security, before: Option<&sdp::Negotiated>, agreed: &sdp::Negotiated) -> bool {
        let theirs = |agreed: &sdp::Negotiated| match &agreed.security {
            sdp::MediaSecurity::Sdes { theirs, .. } => Some(theirs.clone()),
            _ => None,
        };
        let renewed = before.and_then(theirs).zip(theirs(agreed)).is_some_and(|(old, new)| old != new);
        if renewed {
            local.keys = fresh_keys();
        }
        renewed
    }

    /// What was agreed on, as the call takes it. `None`, which cannot be: keys of another length than their suite's.
    pub fn terms(&self, agreed: &sdp::MediaSecurity) -> Option<MediaSecurity> {
        Some(match agreed {
            sdp::MediaSecurity::Plain => MediaSecurity::Plain,
            sdp::MediaSecurity::Sdes { .. } => MediaSecurity::Srtp(srtp_keys(agreed)?),
            sdp::MediaSecurity::Dtls { role, fingerprint } => MediaSecurity::Dtls(Terms {
                identity: self.identity.clone()?,
                role: match role {
                    sdp::DtlsRole::Active => Role::Active,
                    sdp::DtlsRole::Passive => Role::Passive,
                },
                fingerprint: Fingerprint(fingerprint.digest.clone()),
            }),
        })
    }
}

/// Our part in the association that was agreed on, which later offers keep.
pub fn role_of(agreed: &sdp::Negotiated) -> Option<sdp::DtlsRole> {
    match agreed.security {
        sdp::MediaSecurity::Dtls { role, .. } => Some(role),
        _ => None,
    }
}

/// The keys that came in the SDP.
pub fn srtp_keys(agreed: &sdp::MediaSecurity) -> Option<SrtpKeys> {
    let sdp::MediaSecurity::Sdes { suite, ours, theirs, mki } = agreed else { return None };
    let profile = profile(*suite);
    Some(SrtpKeys {
        ours: MasterKey::new(profile, ours.as_bytes()).ok()?,
        theirs: MasterKey::new(profile, theirs.as_bytes()).ok()?,
        mki: mki.map(|mki| Mki { value: mki.value, bytes: mki.bytes }),
    })
}

/// Random keys for one call.
pub fn fresh_keys() -> sdp::SdesKeys {
    let mut keys = sdp::SdesKeys::default();
    keys.0.iter_mut().for_each(|key| rand::rng().fill_bytes(key));
    keys
}

/// The profile a crypto suite of SDP stands for.
fn profile(suite: sdp::Suite) -> Profile {
    match suite {
        sdp::Suite::AesCm128HmacSha1_80 => Profile::Aes128CmSha1_80,
        sdp::Suite::AesCm128HmacSha1_32 => Profile::Aes128CmSha1_32,
        sdp::Suite::AeadAes128Gcm => Profile::Aes128Gcm,
        sdp::Suite::AeadAes256Gcm => Profile::Aes256Gcm,
    }
}
