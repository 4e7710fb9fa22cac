//! DTLS-SRTP (RFC 5763, RFC 5764): the handshake that makes SRTP keys, as pure state on top of rtc-dtls.
//! Where its datagrams go and when it is given up for the call are the leg's business; SRTP itself is `srtp`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::RTCCryptoProvider;
use rtc_dtls::crypto_provider::providers::AwsLcRsProvider;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error as RtcError;
use sha2::{Digest, Sha256, Sha384, Sha512};
use thiserror::Error;

use super::srtp::{KeyLength, MasterKey, Profile};
use crate::clock::Moment;

/// Longest datagram of a handshake we send, so that it has room where RTP has; bytes.
pub const MAX_DATAGRAM_BYTES: usize = 480;

/// Handshake messages are cut into pieces of this; their headers and the record's come on top.
const FRAGMENT_BYTES: usize = 400;

/// A flight that is not answered is sent again after so long: a phone call's round trips are far shorter.
const RETRANSMIT: Duration = Duration::from_millis(500);

/// A handshake that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(10);

/// The other side as rtc-dtls knows it: the real address is the leg's business and may change behind NAT.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 5004));

/// Label of the exported keys (RFC 5764 section 4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Protection profiles, best first.
const PROFILES: [(SrtpProtectionProfile, Profile); 4] = [
    (SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, Profile::Aes128Gcm),
    (SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm, Profile::Aes256Gcm),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, Profile::Aes128CmSha1_80),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32, Profile::Aes128CmSha1_32),
];

/// Our certificate, self-signed (ECDSA P-256): the other side knows it by its fingerprint. One a process.
pub struct Identity {
    fingerprint: [u8; 32],
    client: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
    /// What rtc-dtls takes for the clock's zero.
    zero: Instant,
}

/// Our part in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We begin: DTLS client.
    Active,
    /// We wait: DTLS server.
    Passive,
}

/// SHA-2 hash of the certificate the other side must have; 32, 48 or 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub Vec<u8>);

/// What a handshake is to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub identity: Arc<Identity>,
    pub role: Role,
    pub fingerprint: Fingerprint,
}

/// The keys a handshake made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedKeys {
    pub ours: MasterKey,
    pub theirs: MasterKey,
}

/// Why there are no keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DtlsError {
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    #[error("the handshake cannot begin: {0}")]
    Begin(String),
    #[error("the handshake is not through after {} s: {last}", LIMIT.as_secs())]
    TimedOut { last: String },
    #[error("the other side's certificate is not the one its SDP names")]
    WrongCertificate,
    #[error("no SRTP profile in common")]
    NoProfile,
    #[error("the keys cannot be exported: {0}")]
    Export(String),
    #[error(transparent)]
    Key(#[from] KeyLength),
}

/// One handshake. It lives on when it is through: the other side may not have heard our last word.
pub struct Handshake {
    endpoint: Endpoint,
    terms: Terms,
    begun: Moment,
    outcome: Option<Result<(), DtlsError>>,
    /// What went wrong last; garbage is no reason to give up before time.
    last: Option<RtcError>,
}

// === impl Identity ===

impl Identity {
    /// Makes a new certificate. `zero`: [`crate::clock::Clock::zero`] of the moments handed in later.
    ///
    /// # Errors
    /// [`DtlsError::Certificate`] if there is no randomness or no memory.
    pub fn generate(zero: Instant) -> Result<Self, DtlsError> {
        let failed = |error: RtcError| DtlsError::Certificate(error.to_string());
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::new());
        let certificate =
            Certificate::generate_self_signed(vec!["tandem".to_owned()], provider.crypto()).map_err(failed)?;
        let fingerprint = certificate.certificate.first().map(|der| Sha256::digest(der).into()).unwrap_or_default();
        let config = |is_client| {
            ConfigBuilder::default()
                .with_crypto_provider(provider.clone())
                .with_certificates(vec![certificate.clone()])
                .with_srtp_protection_profiles(PROFILES.map(|(profile, _)| profile).to_vec())
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                // Nobody vouches for these certificates but the SDP: `verified` compares fingerprints.
                .with_insecure_skip_verify(true)
                .with_flight_interval(RETRANSMIT)
                .with_mtu(FRAGMENT_BYTES)
                .build(is_client, None)
                .map(Arc::new)
        };
        let (client, server) = (config(true).map_err(failed)?, config(false).map_err(failed)?);
        Ok(Self { fingerprint, client, server, zero })
    }

    /// SHA-256 of the certificate, for a=fingerprint.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    fn instant(&self, now: Moment) -> Instant {
        self.zero + Duration::from_micros(now.as_micros())
    }
}

/// Two with the same certificate are the same.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    fn is_of(&self, certificate: &[u8]) -> bool {
        match self.0.len() {
            32 => self.0 == Sha256::digest(certificate).as_slice(),
            48 => self.0 == Sha384::digest(certificate).as_slice(),
            64 => self.0 == Sha512::digest(certificate).as_slice(),
            _ => false,
        }
    }
}

// === impl Handshake ===

impl Handshake {
    /// Begins it; as active side the first datagram waits to be sent.
    pub fn new(terms: Terms, now: Moment) -> Self {
        let server = (terms.role == Role::Passive).then(|| terms.identity.server.clone());
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, server);
        let mut outcome = None;
        if terms.role == Role::Active
            && let Err(error) = endpoint.connect(terms.identity.instant(now), PEER, terms.identity.client.clone(), None)
        {
            outcome = Some(Err(DtlsError::Begin(error.to_string())));
        }
        Self { endpoint, terms, begun: now, outcome, last: None }
    }

    /// A datagram arrived. The keys, if it was the last one that was needed.
    pub fn handle(&mut self, now: Moment, datagram: &[u8]) -> Option<ExportedKeys> {
        let events = self.endpoint.read(self.terms.identity.instant(now), PEER, None, BytesMut::from(datagram));
        let complete = match events {
            Ok(events) => events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)),
            Err(error) => {
                self.last = Some(error);
                false
            }
        };
        if !complete || self.outcome.is_some() {
            return None;
        }
        let exported = match self.endpoint.get_connection_state(PEER) {
            Some(state) => export(state, &self.terms),
            None => Err(DtlsError::Export("no connection".to_owned())),
        };
        self.outcome = Some(exported.as_ref().map(|_| ()).map_err(Clone::clone));
        exported.ok()
    }

    /// Time passed: repeats what was not answered, and gives up in the end.
    pub fn tick(&mut self, now: Moment) {
        if self.outcome.is_some() {
            return;
        }
        let instant = self.terms.identity.instant(now);
        if self.endpoint.poll_timeout(&PEER).is_some_and(|due| due <= instant)
            && let Err(error) = self.endpoint.handle_timeout(PEER, instant)
        {
            self.last.get_or_insert(error);
        }
        if now.since(self.begun) >= LIMIT {
            let last = self.last.as_ref().map_or_else(|| "no answer".to_owned(), ToString::to_string);
            self.outcome = Some(Err(DtlsError::TimedOut { last }));
        }
    }

    /// Writes the next datagram to be sent into `out`, and says how long it is.
    pub fn next_datagram(&mut self, out: &mut [u8]) -> Option<usize> {
        let datagram = self.endpoint.poll_transmit()?.message;
        out.get_mut(..datagram.len())?.copy_from_slice(&datagram);
        Some(datagram.len())
    }

    /// Why there will be no keys.
    pub fn error(&self) -> Option<&DtlsError> {
        self.outcome.as_ref()?.as_ref().err()
    }
}

/// Tells DTLS from RTP and RTCP on a shared port (RFC 7983).
pub fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=63, ..])
}

/// The keys of a handshake that is through, if the other side is who it should be (RFC 5764 section 4.2).
fn export(state: &State, terms: &Terms) -> Result<ExportedKeys, DtlsError> {
    if !state.peer_certificates.first().is_some_and(|certificate| terms.fingerprint.is_of(certificate)) {
        return Err(DtlsError::WrongCertificate);
    }
    let agreed = state.srtp_protection_profile();
    let profile = PROFILES.iter().find(|(profile, _)| *profile == agreed).map(|(_, profile)| *profile);
    let profile = profile.ok_or(DtlsError::NoProfile)?;
    let (key, salt) = (profile.key_bytes(), profile.salt_bytes());
    let exported = state
        .export_keying_material(LABEL, &[], 2 * (key + salt))
        .map_err(|error| DtlsError::Export(error.to_string()))?;
    // Client's key, server's key, client's salt, server's salt.
    let (keys, salts) = exported.as_ref().split_at(2 * key);
    let side =
        |place: usize| MasterKey::new(profile, &[&keys[place * key..][..key], &salts[place * salt..][..salt]].concat());
    let (client, server) = (side(0)?, side(1)?);
    Ok(match terms.role {
        Role::Active => ExportedKeys { ours: client, theirs: server },
        Role::Passive => ExportedKeys { ours: server, theirs: client },
    })
}

#[cfg(test)]
mod tests;
