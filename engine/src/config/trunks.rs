//! `[trunks.NAME]` and `[[routes]]`: the ways out of a node, and numbers that are put straight through.
//! Which way a call takes is decided in `node::trunks`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ApiKey;

/// A way out: a carrier's trunk, or a PBX.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkConfig {
    /// SIP URI of the trunk; a number that is called becomes its user part. `;transport=tcp` is honoured.
    pub uri: String,
    /// Next hop, `host:port`, where it is not the URI's own host.
    #[serde(default)]
    pub proxy: String,
    #[serde(default)]
    pub transport: TrunkTransport,
    /// For the carrier's digest challenge (RFC 8760).
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub password: ApiKey,
    /// Who calls, where a call does not say: a SIP URI, or a number of the trunk.
    #[serde(default)]
    pub from: String,
    /// Headers added to each INVITE.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How the numbers begin that go this way, where a call names no trunk: `+49`. The longest that fits counts.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// The carrier joins two calls of ours by itself (REFER with Replaces, RFC 3891): an attended transfer is handed to it
    /// once the agent has spoken with the other party.
    #[serde(default)]
    pub replaces: bool,
    /// How keys are pressed in calls through this trunk.
    #[serde(default)]
    pub dtmf: Dtmf,
    /// Most calls at a time through this trunk; 0: as many as the node holds.
    #[serde(default)]
    pub max_calls: usize,
    /// How long a call may ring, seconds.
    #[serde(default = "default_ring_timeout_s")]
    pub ring_timeout_s: u32,
}

/// Transport to the next hop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkTransport {
    #[default]
    Udp,
    Tcp,
    /// Needs `[sip_tls]`.
    Tls,
}

/// How keys are pressed towards the other side; keys of theirs are taken however they come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtmf {
    /// As telephone-event where that is agreed on, else by SIP INFO where that is allowed, else as tones.
    #[default]
    Auto,
    /// As telephone-event (RFC 4733) where that is agreed on, else as tones.
    Rfc4733,
    /// By SIP INFO (`application/dtmf-relay`).
    Info,
    /// As tones in the audio.
    Inband,
}

/// Calls to a number that no agent answers: they are put straight through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// The dialled number or SIP user name; `*` is every one that no other route names.
    pub number: String,
    /// Who is called instead: a SIP URI or a number; empty: the number that was dialled.
    #[serde(default)]
    pub to: String,
    /// The way out; empty: the only trunk, or the URI's own host.
    #[serde(default)]
    pub trunk: String,
    /// Record it, if the node records at all.
    #[serde(default)]
    pub record: bool,
}

/// Ways out that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrunkError {
    #[error("trunks.{name}.uri {uri:?} is not a SIP URI like \"sip:carrier.example\"")]
    Uri { name: String, uri: String },
    #[error("trunks.{name}.ring_timeout_s = {value}: must be 1 to 600")]
    RingTimeout { name: String, value: u32 },
    #[error("trunks.{name}.numbers: {prefix:?} is no beginning of a number, like \"+49\" or \"0\"")]
    Prefix { name: String, prefix: String },
    #[error("trunks.{one} and trunks.{other} both take numbers that begin with {prefix:?}")]
    PrefixTaken { prefix: String, one: String, other: String },
    #[error("a route for {number:?} names the trunk {trunk:?}, which is not there")]
    NoTrunk { number: String, trunk: String },
    #[error("there are two routes for {0:?}")]
    Twice(String),
    #[error("a route needs somewhere to go: give it a `trunk`, or a SIP URI as `to`")]
    Nowhere,
}

/// The longest that a phone may ring, seconds.
pub const RING_TIMEOUT_S: std::ops::RangeInclusive<u32> = 1..=600;

fn default_ring_timeout_s() -> u32 {
    45
}

/// Looks for what cannot work, before anything starts.
///
/// # Errors
/// The first [`TrunkError`].
pub fn check(trunks: &BTreeMap<String, TrunkConfig>, routes: &[RouteConfig]) -> Result<(), TrunkError> {
    for (name, trunk) in trunks {
        if !trunk.uri.starts_with("sip:") && !trunk.uri.starts_with("sips:") {
            return Err(TrunkError::Uri { name: name.clone(), uri: trunk.uri.clone() });
        }
        if !RING_TIMEOUT_S.contains(&trunk.ring_timeout_s) {
            return Err(TrunkError::RingTimeout { name: name.clone(), value: trunk.ring_timeout_s });
        }
    }
    let mut taken = BTreeMap::new();
    for (name, trunk) in trunks {
        for prefix in &trunk.numbers {
            let dialled = prefix.strip_prefix('+').unwrap_or(prefix);
            if dialled.is_empty() || !dialled.bytes().all(|key| key.is_ascii_digit() || b"*#".contains(&key)) {
                return Err(TrunkError::Prefix { name: name.clone(), prefix: prefix.clone() });
            }
            if let Some(one) = taken.insert(prefix, name) {
                return Err(TrunkError::PrefixTaken { prefix: prefix.clone(), one: one.clone(), other: name.clone() });
            }
        }
    }
    for (at, route) in routes.iter().enumerate() {
        let (number, trunk) = (route.number.clone(), route.trunk.clone());
        if !trunk.is_empty() && !trunks.contains_key(&trunk) {
            return Err(TrunkError::NoTrunk { number, trunk });
        }
        if trunk.is_empty() && trunks.is_empty() && !route.to.starts_with("sip") {
            return Err(TrunkError::Nowhere);
        }
        if routes.iter().skip(at + 1).any(|other| other.number == number) {
            return Err(TrunkError::Twice(number));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
