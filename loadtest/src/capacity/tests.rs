//! One plan worked out by hand, and what follows when an assumption changes.
//! The prices themselves are not tested: they are copied.

use clap::{Args, Command, FromArgMatches};

use super::*;

/// What the flags give, on top of the defaults.
fn assumptions(flags: &[&str]) -> Assumptions {
    let command = Assumptions::augment_args(Command::new("capacity"));
    let matches = command.try_get_matches_from(std::iter::once("capacity").chain(flags.iter().copied())).unwrap();
    Assumptions::from_arg_matches(&matches).unwrap()
}

fn plan(flags: &[&str]) -> CapacityPlan {
    CapacityPlan::of(&assumptions(flags)).unwrap()
}

fn dollars(plan: &CapacityPlan, what: &str) -> f64 {
    plan.edge.iter().find(|line| line.what == what).unwrap().dollars
}

fn is(found: f64, expected: f64) {
    assert!((found - expected).abs() <= expected.abs() * 1e-9 + 1e-9, "{found} is not {expected}");
}

/// A plan whose every step can be done in the head.
const ROUND: [&str; 20] = [
    "--calls=1000",
    "--call-s=100",
    "--conversing-core-percent=0.1",
    "--conversing-kib=1024",
    "--node-mib=0",
    "--set-up-ms=0",
    "--kamailio-ms=1",
    "--node-cores=1",
    "--usable=0.5",
    "--node-calls=500",
    "--spare=0.5",
    "--call-kbit-s=80",
    "--node-dollars=100",
    "--turn-s=10",
    "--events-per-turn=4",
    "--events-per-call=10",
    "--worker-ms=1",
    "--event-ms=0",
    "--object-ms=1000",
    "--recorded=0",
];

#[test]
fn a_small_plan_is_what_the_hand_says() {
    let plan = plan(&ROUND);
    let m = &plan.machines;
    // 1000 calls of 0.1 % are one core, and half of a core is used of each: two nodes, and one that may be away.
    is(m.busy_cores, 1.0);
    assert_eq!((m.nodes_needed, m.nodes, m.kamailios), (2.0, 3.0, 2.0));
    // 500 calls of a MiB each, when one of the three is away.
    is(m.memory_per_node_gib, 500.0 / 1024.0);
    is(m.gbit_s, 0.08);
    // 0.08 Gbit/s are 10 MB/s, for 2,592,000 s.
    is(m.egress_tb, 25.92);
    is(m.dollars, 500.0);
    // Ten calls a second: 25.92 million in a month, each with 10 + 10 * 4 events.
    is(dollars(&plan, "KV reads"), (25.92 - 10.0) * 0.50);
    is(dollars(&plan, "Queue operations"), (25.92 * 6.0 - 1.0) * 0.40);
    // 1296 million events are more than three nodes with four batches of 100 ms can send one by one.
    let batches = 3.0 * 4.0 * 10.0 * 2.592;
    is(dollars(&plan, "Worker requests"), (25.92 + batches - 10.0) * 0.30);
    is(dollars(&plan, "Worker CPU"), (25.92 + batches - 30.0) * 0.02);
    // A row an event and a row an apply, and 24 a call.
    is(dollars(&plan, "Durable Object rows written"), 2.0 * 1296.0 + 25.92 * 24.0 - 50.0);
    let heartbeats = 3.0 * 2.592 / 5.0 / 20.0;
    let requests = 2.0 * 1296.0 + 25.92 * 8.0 + 25.92 + batches + heartbeats;
    is(dollars(&plan, "Durable Object requests"), (requests - 1.0) * 0.15);
    is(dollars(&plan, "Durable Object duration"), (requests * 0.128 - 0.4) * 12.5);
    is(dollars(&plan, "R2 class A operations"), 0.0);
    is(plan.edge_dollars, plan.edge.iter().map(|line| line.dollars).sum());
    is(plan.minutes, 43.2e6);
    is(plan.dollars_per_minute, (500.0 + 25.92 + plan.edge_dollars) / 43.2e6);
}

#[test]
fn recordings_are_stored_as_long_as_they_are_kept() {
    let recorded = |days: &str| {
        let mut flags = ROUND.to_vec();
        flags.retain(|flag| !flag.starts_with("--recorded"));
        flags.extend(["--recorded=0.5", "--recording-kbit-s=32", days]);
        plan(&flags)
    };
    // 12.96 million recordings of 400 kB are 5184 GB.
    is(dollars(&recorded("--retention-days=30"), "R2 storage"), (5184.0 - 10.0) * 0.015);
    is(dollars(&recorded("--retention-days=60"), "R2 storage"), (10_368.0 - 10.0) * 0.015);
    is(dollars(&recorded("--retention-days=0"), "R2 class A operations"), (12.96 * 3.0 - 1.0) * 4.5);
}

#[test]
fn what_may_be_lost_at_once_can_ask_for_more_nodes_than_cores_do() {
    let few = plan(&["--node-calls=1000000"]);
    let many = plan(&["--node-calls=1000"]);
    assert!(many.machines.nodes_needed == 200.0 && few.machines.nodes_needed < 20.0, "{few}");
    is(many.machines.busy_cores, few.machines.busy_cores);
}

#[test]
fn events_that_reach_their_object_together_are_cheaper() {
    let (one, four) = (plan(&[]), plan(&["--events-together=4"]));
    assert!(four.edge_dollars < one.edge_dollars * 0.7, "{} and {}", four.edge_dollars, one.edge_dollars);
}

#[test]
fn the_quoted_plan_is_told_by_what_each_server_would_have_to_do() {
    let plan = plan(&["--freeswitch-calls=1000"]);
    is(plan.freeswitch.calls_per_server_to, 10_000.0);
    is(plan.freeswitch.servers_by_experience, 200.0);
    let text = plan.to_string();
    assert!(text.contains("20 to 30 FreeSWITCH servers: 6,667 to 10,000 calls each"), "{text}");
}

#[test]
fn an_assumption_that_cannot_be_is_named() {
    let refused = |flags: &[&str]| CapacityPlan::of(&assumptions(flags)).unwrap_err().to_string();
    assert!(refused(&["--call-s=0"]).contains("--call-s 0"));
    assert!(refused(&["--usable=1.5"]).contains("--usable 1.5"));
    assert!(refused(&["--conversing=0.8", "--bridged=0.4"]).contains("more than there are"));
    assert!(refused(&["--node-dollars=NaN"]).contains("--node-dollars"));
}
