//! Machines: nodes by cores, by memory's need and by what may be lost at once; Kamailio; ports and bandwidth.
//! What the edge takes is `edge`.

use serde::Serialize;

use super::assumptions::{Assumptions, SECONDS_PER_MONTH};

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Machines {
    pub calls_per_second: f64,
    /// Cores that calls keep busy, set-ups included.
    pub busy_cores: f64,
    /// Nodes that carry the calls, and with those that may be away.
    pub nodes_needed: f64,
    pub nodes: f64,
    /// Why it is not fewer.
    pub limited_by: Limit,
    /// When all are there.
    pub calls_per_node: f64,
    pub busy_share_of_node: f64,
    /// GiB of a node, with the calls of those that are away.
    pub memory_per_node_gib: f64,
    pub sockets_per_node: f64,
    /// Datagrams a second of a node, both ways.
    pub packets_per_node: f64,
    /// Gbit/s one way.
    pub gbit_s_per_node: f64,
    pub gbit_s: f64,
    pub kamailio_cores: f64,
    pub kamailios: f64,
    /// TB of audio sent in a month.
    pub egress_tb: f64,
    pub dollars: f64,
    pub egress_dollars: f64,
}

/// What decides how many nodes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    Cores,
    CallsPerNode,
}

/// Packets of a call a second, both ways.
const PACKETS_PER_CALL: f64 = 100.0;
/// Cores one Kamailio has for its one UDP process, planned with.
const KAMAILIO_CORES: f64 = 0.5;

// === impl Machines ===

impl Machines {
    pub fn of(a: &Assumptions) -> Self {
        let listening = 1.0 - a.conversing - a.bridged;
        let core_percent = a.conversing * a.conversing_core_percent
            + a.bridged * a.bridged_core_percent
            + listening * a.listening_core_percent;
        let kib = a.conversing * a.conversing_kib + (1.0 - a.conversing) * a.listening_kib;
        let calls_per_second = a.calls_per_second();
        let busy_cores = a.calls * core_percent / 100.0 + calls_per_second * a.set_up_ms / 1000.0;
        let by_cores = (busy_cores / (a.node_cores * a.usable)).ceil().max(1.0);
        let by_calls = (a.calls / a.node_calls).ceil();
        let nodes_needed = by_cores.max(by_calls);
        let nodes = nodes_needed + (nodes_needed * a.spare).ceil();
        let kamailio_cores = calls_per_second * a.kamailio_ms / 1000.0;
        let kamailios = (kamailio_cores / KAMAILIO_CORES).ceil().max(1.0) + a.kamailios_spare;
        let most_calls = a.calls / nodes_needed;
        let gbit_s = a.calls * a.call_kbit_s / 1e6;
        let egress_tb = gbit_s * SECONDS_PER_MONTH * a.load_factor / 8.0 / 1000.0;
        Self {
            calls_per_second,
            busy_cores,
            nodes_needed,
            nodes,
            limited_by: if by_cores >= by_calls { Limit::Cores } else { Limit::CallsPerNode },
            calls_per_node: a.calls / nodes,
            busy_share_of_node: busy_cores / (nodes * a.node_cores),
            memory_per_node_gib: (most_calls * kib / 1024.0 + a.node_mib) / 1024.0,
            sockets_per_node: (most_calls / a.calls_per_socket).ceil(),
            packets_per_node: a.calls / nodes * PACKETS_PER_CALL,
            gbit_s_per_node: gbit_s / nodes,
            gbit_s,
            kamailio_cores,
            kamailios,
            egress_tb,
            dollars: (nodes + kamailios) * a.node_dollars,
            egress_dollars: egress_tb * a.egress_dollars_per_tb,
        }
    }
}
