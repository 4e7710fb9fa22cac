//! Two versions of the engine side by side: their shares of the calls, and how each does.
//! Who gets the next call is `routing`'s.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::routing::{Candidate, Weights, dispatcher_weights};
use super::stats::VersionStats;
use crate::http::ApiError;

/// `PUT /v1/admin/rollout`: shares by version; `{}` tells no versions apart.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    versions: Weights,
}

/// `GET /v1/admin/rollout`
#[derive(Debug, Clone, Serialize)]
pub struct Rollout {
    pub weights: Weights,
    /// Seen on a node, counted or weighed, in order.
    pub versions: Vec<Version>,
    /// For Kamailio: one line of its dispatcher's attributes a node.
    pub dispatcher: Vec<Destination>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Version {
    pub version: String,
    pub weight: u32,
    pub nodes: u32,
    pub active_calls: u32,
    /// Calls that ended.
    pub calls: u64,
    pub errors: u64,
    /// 0 to 1.
    pub error_rate: f64,
    pub average_duration_ms: f64,
    /// What callers heard: end of their words to the first sound of the answer, ms.
    pub latency_p50_ms: Option<u32>,
    pub latency_p95_ms: Option<u32>,
    /// Mean opinion score, 1.0 to 4.5.
    pub mos: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Destination {
    pub node: String,
    pub http_url: String,
    /// Percent; 0: no calls.
    pub weight: u32,
    /// As in dispatcher.list: `weight=45;rweight=45;duid=node-1`.
    pub attributes: String,
}

/// Reads and checks the shares.
///
/// # Errors
/// 400 naming what is wrong.
pub fn read(body: &[u8]) -> Result<Weights, ApiError> {
    let change: Change = serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let strange = |(version, weight): (&String, &u32)| version.is_empty() || version.len() > 64 || *weight > 1_000;
    if change.versions.len() > 16 || change.versions.iter().any(strange) {
        return Err(ApiError::bad_request("versions: at most 16, each with a weight of 0 to 1000"));
    }
    Ok(change.versions)
}

/// Everything side by side.
pub fn compare(weights: Weights, candidates: &[Candidate], stats: &BTreeMap<String, VersionStats>) -> Rollout {
    let shares = dispatcher_weights(candidates, &weights);
    let dispatcher = candidates.iter().zip(shares).map(|(candidate, weight)| {
        let heartbeat = &candidate.node.heartbeat;
        let attributes = format!("weight={weight};rweight={weight};duid={}", heartbeat.node);
        Destination { node: heartbeat.node.clone(), http_url: heartbeat.http_url.clone(), weight, attributes }
    });
    let dispatcher = dispatcher.collect();
    let alive = candidates.iter().filter(|candidate| candidate.node.alive);
    let of_nodes = alive.map(|candidate| candidate.node.heartbeat.version.as_str());
    let names: BTreeSet<&str> =
        of_nodes.chain(stats.keys().map(String::as_str)).chain(weights.keys().map(String::as_str)).collect();
    let none = VersionStats::default();
    let versions = names.into_iter().map(|name| {
        let stats = stats.get(name).unwrap_or(&none);
        let nodes = candidates.iter().filter(|node| node.node.alive && node.node.heartbeat.version == name);
        Version {
            version: name.to_owned(),
            weight: weights.get(name).copied().unwrap_or(0),
            nodes: nodes.clone().map(|_| 1).sum(),
            active_calls: nodes.map(|node| node.node.heartbeat.active_calls).sum(),
            calls: stats.calls,
            errors: stats.errors,
            error_rate: stats.error_rate(),
            average_duration_ms: stats.mean_duration_ms(),
            latency_p50_ms: stats.latency_percentile_ms(0.5),
            latency_p95_ms: stats.latency_percentile_ms(0.95),
            mos: stats.mos(),
        }
    });
    let versions = versions.collect();
    Rollout { versions, dispatcher, weights }
}
