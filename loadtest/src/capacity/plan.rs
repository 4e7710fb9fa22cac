//! The whole plan: machines, edge, money a month and a minute, beside the often-quoted plan of a few FreeSWITCH servers.
//! What it begins with is `assumptions`.

use std::fmt;

use serde::Serialize;

use super::assumptions::{AssumptionError, Assumptions};
use super::edge::{self, EdgeLine};
use super::machines::{Limit, Machines};
use crate::report::Table;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CapacityPlan {
    pub assumptions: Assumptions,
    pub machines: Machines,
    pub edge: Vec<EdgeLine>,
    pub edge_dollars: f64,
    pub speech_dollars: f64,
    /// All of it, $ a month.
    pub dollars: f64,
    pub minutes: f64,
    /// $ of a minute of a call.
    pub dollars_per_minute: f64,
    /// $ a month if audio went through the edge too; it does not.
    pub audio_at_edge_dollars: f64,
    pub freeswitch: Freeswitch,
}

/// The plan that is often quoted, and what would have to be so for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Freeswitch {
    pub servers_from: f64,
    pub servers_to: f64,
    /// Calls of one server, by that plan.
    pub calls_per_server_from: f64,
    pub calls_per_server_to: f64,
    /// % of a core a call may take at most, on the same machines.
    pub core_percent_from: f64,
    pub core_percent_to: f64,
    /// Servers by what operators tell a server holds.
    pub servers_by_experience: f64,
    pub dollars_by_experience: f64,
}

// === impl CapacityPlan ===

impl CapacityPlan {
    /// # Errors
    /// [`AssumptionError`] if they make no sense.
    pub fn of(assumptions: &Assumptions) -> Result<Self, AssumptionError> {
        assumptions.check()?;
        let a = assumptions;
        let machines = Machines::of(a);
        let edge = edge::lines(a, machines.nodes);
        let edge_dollars = edge.iter().map(|line| line.dollars).sum();
        let minutes = a.minutes_per_month();
        let speech_dollars = minutes * a.speech_dollars_per_minute;
        let dollars = machines.dollars + machines.egress_dollars + edge_dollars + speech_dollars;
        Ok(Self {
            machines,
            edge,
            edge_dollars,
            speech_dollars,
            dollars,
            minutes,
            dollars_per_minute: dollars / minutes,
            audio_at_edge_dollars: edge::audio_dollars(a),
            freeswitch: Freeswitch::of(a),
            assumptions: assumptions.clone(),
        })
    }
}

// === impl Freeswitch ===

impl Freeswitch {
    fn of(a: &Assumptions) -> Self {
        let calls_per_server = |servers: f64| a.calls / servers;
        let core_percent = |servers: f64| 100.0 * a.node_cores * a.usable / calls_per_server(servers);
        let by_experience = (a.calls / a.freeswitch_calls).ceil();
        Self {
            servers_from: a.freeswitch_from,
            servers_to: a.freeswitch_to,
            calls_per_server_from: calls_per_server(a.freeswitch_to),
            calls_per_server_to: calls_per_server(a.freeswitch_from),
            core_percent_from: core_percent(a.freeswitch_from),
            core_percent_to: core_percent(a.freeswitch_to),
            servers_by_experience: by_experience,
            dollars_by_experience: by_experience * a.node_dollars,
        }
    }
}

impl fmt::Display for CapacityPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (a, m, fs) = (&self.assumptions, &self.machines, &self.freeswitch);
        let mut table = Table::default();
        let limit = match m.limited_by {
            Limit::Cores => "by cores",
            Limit::CallsPerNode => "by calls a node may lose",
        };
        table
            .row("calls at once", thousands(a.calls))
            .row("set-ups", format!("{:.0} a second, calls of {:.0} s", m.calls_per_second, a.call_s))
            .row(
                "nodes",
                format!(
                    "{} of {} cores ({} needed, {limit}), {} calls each",
                    m.nodes,
                    a.node_cores,
                    m.nodes_needed,
                    thousands(m.calls_per_node)
                ),
            )
            .row("cores busy", format!("{:.0}, {:.0} % of all", m.busy_cores, m.busy_share_of_node * 100.0))
            .row("memory of a node", format!("{:.1} GiB", m.memory_per_node_gib))
            .row("sockets of a node", format!("{}, {} calls each", m.sockets_per_node, a.calls_per_socket))
            .row(
                "traffic of a node",
                format!("{:.2} Gbit/s each way, {} packets a second", m.gbit_s_per_node, thousands(m.packets_per_node)),
            )
            .row("traffic of all", format!("{:.1} Gbit/s each way", m.gbit_s))
            .row("Kamailio", format!("{} machines, {:.2} cores busy", m.kamailios, m.kamailio_cores))
            .row("", "");
        for line in &self.edge {
            table.row(line.what, format!("{:>12}  {} {}", dollars(line.dollars), quantity(line.used), line.unit));
        }
        table
            .row("", "")
            .row("machines a month", format!("{:>12}", dollars(m.dollars)))
            .row("audio that leaves them", format!("{:>12}  {} TB", dollars(m.egress_dollars), thousands(m.egress_tb)))
            .row("edge a month", format!("{:>12}", dollars(self.edge_dollars)));
        if self.speech_dollars > 0.0 {
            table.row("speech providers", format!("{:>12}", dollars(self.speech_dollars)));
        }
        table
            .row("all of it a month", format!("{:>12}", dollars(self.dollars)))
            .row(
                "a minute of a call",
                format!("{:>12}  of {} minutes", format!("${:.6}", self.dollars_per_minute), quantity(self.minutes)),
            )
            .row("", "")
            .row(
                "if audio went by the edge",
                format!("{:>12}  more (it does not)", dollars(self.audio_at_edge_dollars)),
            )
            .row(
                "the often-quoted plan",
                format!(
                    "{} to {} FreeSWITCH servers: {} to {} calls each, {:.2} to {:.2} % of a core a call",
                    fs.servers_from,
                    fs.servers_to,
                    thousands(fs.calls_per_server_from),
                    thousands(fs.calls_per_server_to),
                    fs.core_percent_from,
                    fs.core_percent_to
                ),
            )
            .row(
                "  as operators tell",
                format!(
                    "{} servers of {} calls, {} a month",
                    fs.servers_by_experience,
                    thousands(a.freeswitch_calls),
                    dollars(fs.dollars_by_experience)
                ),
            );
        write!(f, "{table}")
    }
}

fn dollars(amount: f64) -> String {
    format!("${}", thousands(amount))
}

/// `8.64 billion`, `12.3 million`, or the number itself.
fn quantity(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} billion", v / 1e9),
        v if v >= 1e6 => format!("{:.1} million", v / 1e6),
        v => thousands(v),
    }
}

/// Rounded, with a comma every three digits.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
