//! SRTP keys in SDP: a=crypto (RFC 4568), with the suites of its section 6.2 and of RFC 7714 section 14.2.
//! Not here: whether keys are wanted (`security`), and what they do to packets.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::fmt;

/// Longest master key with its salt; bytes.
const MAX_KEY_BYTES: usize = 44;

/// Packets a key may protect at most (RFC 3711 section 9.2).
const MAX_LIFETIME: u64 = 1 << 48;

/// A crypto suite we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    AesCm128HmacSha1_80,
    AeadAes128Gcm,
    AeadAes256Gcm,
    AesCm128HmacSha1_32,
}

/// A master key with its master salt behind it. Does not show itself in logs or dumps.
#[derive(Clone, PartialEq, Eq)]
pub struct SdesKey {
    bytes: [u8; MAX_KEY_BYTES],
    used: usize,
}

/// Our keys for one call, one for each suite, in [`Suite::ALL`]'s order: random bytes of which a suite takes what it
/// needs. All zeroes by default, for who sends none.
#[derive(Clone, PartialEq, Eq)]
pub struct SdesKeys(pub [[u8; MAX_KEY_BYTES]; Suite::ALL.len()]);

/// Master key identifier: stands in every packet (RFC 3711 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mki {
    pub value: u32,
    /// Bytes it takes in a packet, 1 to 128.
    pub bytes: u8,
}

/// One a=crypto line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crypto {
    /// Tells the lines of an offer apart; an answer repeats it.
    pub tag: u32,
    pub suite: Suite,
    pub key: SdesKey,
    pub mki: Option<Mki>,
    /// Packets the key may protect, if the line says so.
    pub lifetime: Option<u64>,
}

// === impl Suite ===

impl Suite {
    /// All of them, in the order we offer them: the one everybody speaks first.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::AesCm128HmacSha1_32];

    pub fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Bytes of master key and master salt together.
    pub fn key_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16 + 14,
            Self::AeadAes128Gcm => 16 + 12,
            Self::AeadAes256Gcm => 32 + 12,
        }
    }

    /// Tag of our a=crypto line for it: its place, from 1.
    pub(super) fn tag(self) -> u32 {
        Self::ALL.iter().position(|suite| *suite == self).map_or(0, |place| place as u32 + 1)
    }
}

// === impl SdesKey ===

impl SdesKey {
    /// `None` if there are more bytes than any suite takes.
    pub fn new(key_and_salt: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_KEY_BYTES];
        bytes.get_mut(..key_and_salt.len())?.copy_from_slice(key_and_salt);
        Some(Self { bytes, used: key_and_salt.len() })
    }

    /// Master key, then master salt.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

impl fmt::Debug for SdesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SdesKey({} bytes)", self.used)
    }
}

// === impl SdesKeys ===

impl SdesKeys {
    /// Our key for `suite`.
    pub fn of(&self, suite: Suite) -> SdesKey {
        let place = Suite::ALL.iter().position(|known| *known == suite).unwrap_or(0);
        let used = suite.key_bytes();
        let mut key = SdesKey { bytes: [0; MAX_KEY_BYTES], used };
        key.bytes[..used].copy_from_slice(&self.0[place][..used]);
        key
    }
}

impl Default for SdesKeys {
    fn default() -> Self {
        Self([[0; MAX_KEY_BYTES]; Suite::ALL.len()])
    }
}

impl fmt::Debug for SdesKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SdesKeys")
    }
}

// === impl Crypto ===

impl Crypto {
    /// Reads the value of a=crypto. The error says why the line cannot be used, and never holds the key.
    pub(super) fn parse(value: &str) -> Result<Self, String> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9).and_then(|tag| tag.parse().ok()).ok_or("no tag")?;
        let name = words.next().ok_or("no suite")?;
        let suite = Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name));
        let suite = suite.ok_or_else(|| short(name))?;
        let refused = |why: &str| format!("{} ({why})", suite.name());
        let keys = words.next().ok_or_else(|| refused("no key"))?;
        if keys.contains(';') {
            return Err(refused("several keys"));
        }
        let inline = keys.strip_prefix("inline:").ok_or_else(|| refused("a key method that is not inline"))?;
        let mut parts = inline.split('|');
        let key = parts.next().and_then(|key| STANDARD.decode(key).or_else(|_| STANDARD_NO_PAD.decode(key)).ok());
        let key = key.filter(|key| key.len() == suite.key_bytes()).and_then(|key| SdesKey::new(&key));
        let key = key.ok_or_else(|| refused("a key of another length"))?;
        let (mut lifetime, mut mki) = (None, None);
        for part in parts {
            match part.split_once(':') {
                Some((value, bytes)) if mki.is_none() => {
                    mki = Some(Mki::parse(value, bytes).ok_or_else(|| refused("a bad MKI"))?);
                }
                None if lifetime.is_none() && mki.is_none() => {
                    lifetime = Some(packets(part).ok_or_else(|| refused("a bad lifetime"))?);
                }
                _ => return Err(refused("a bad key")),
            }
        }
        // Section 6.3: what changes how packets are protected must be understood; "-" marks what need not.
        let harmless = |word: &&str| word.starts_with('-') || word.to_ascii_uppercase().starts_with("WSH=");
        if let Some(parameter) = words.find(|word| !harmless(word)) {
            return Err(refused(&format!("session parameter {}", short(parameter))));
        }
        Ok(Self { tag, suite, key, mki, lifetime })
    }
}

/// Our a=crypto line.
pub(super) fn crypto_line(tag: u32, suite: Suite, key: &SdesKey) -> String {
    format!("a=crypto:{tag} {} inline:{}\r\n", suite.name(), STANDARD.encode(key.as_bytes()))
}

// === impl Mki ===

impl Mki {
    fn parse(value: &str, bytes: &str) -> Option<Self> {
        let bytes: u8 = bytes.parse().ok().filter(|bytes| (1..=128).contains(bytes))?;
        let value: u32 = value.parse().ok()?;
        let fits = bytes >= 4 || value >> (8 * u32::from(bytes)) == 0;
        fits.then_some(Self { value, bytes })
    }
}

/// `2^20`, or a plain number.
fn packets(text: &str) -> Option<u64> {
    let number = match text.strip_prefix("2^") {
        Some(power) => 1_u64.checked_shl(power.parse().ok()?)?,
        None => text.parse().ok()?,
    };
    (1..=MAX_LIFETIME).contains(&number).then_some(number)
}

fn short(text: &str) -> String {
    text.chars().take(32).collect()
}
