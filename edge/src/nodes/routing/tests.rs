#![allow(clippy::unwrap_used, reason = "a test may panic")]

use edge_protocol::link::{Heartbeat, NodeStatus};
use edge_protocol::live::NodeSummary;
use proptest::prelude::*;

use super::{Candidate, Weights, choose, dispatcher_weights};

fn node(name: &str, version: &str, active_calls: u32) -> Candidate {
    let heartbeat = Heartbeat {
        v: edge_protocol::VERSION,
        node: name.into(),
        version: version.into(),
        status: NodeStatus::Ok,
        http_url: format!("http://{name}"),
        active_calls,
        max_calls: 100,
        uptime_s: 1,
        late_slots: 0.0,
        cpu_cores: 0.1,
        memory_bytes: 1,
        events_waiting: 0,
        recordings_waiting: 0,
    };
    Candidate { node: NodeSummary { heartbeat, seen_at_ms: 0, alive: true, linked: true }, sent: 0, drained: false }
}

fn weights(pairs: &[(&str, u32)]) -> Weights {
    pairs.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect()
}

fn chosen(candidates: &[Candidate], weights: &Weights, draw: f64) -> Option<String> {
    choose(candidates, weights, draw).map(|candidate| candidate.node.heartbeat.node.clone())
}

#[test]
fn without_weights_the_least_loaded_node_is_taken_and_calls_sent_count() {
    let mut nodes = [node("a", "1", 10), node("b", "2", 5)];
    assert_eq!(chosen(&nodes, &Weights::new(), 0.5).unwrap(), "b");
    nodes[1].sent = 6;
    assert_eq!(chosen(&nodes, &Weights::new(), 0.5).unwrap(), "a");
}

#[test]
fn a_version_with_no_open_node_leaves_its_share_to_the_other() {
    let mut nodes = [node("a", "1", 0), node("b", "2", 0)];
    let split = weights(&[("1", 90), ("2", 10)]);
    nodes[0].node.alive = false;
    assert_eq!(chosen(&nodes, &split, 0.1).unwrap(), "b");
    nodes[1].drained = true;
    assert_eq!(chosen(&nodes, &split, 0.1), None);
}

#[test]
fn weight_zero_gets_nothing_unless_there_is_nobody_else() {
    let nodes = [node("a", "1", 0), node("b", "2", 0)];
    let split = weights(&[("1", 0), ("2", 100)]);
    assert!((0..=100).all(|at| chosen(&nodes, &split, f64::from(at) / 100.0).unwrap() == "b"));
    assert_eq!(chosen(&nodes[..1], &split, 0.3).unwrap(), "a");
}

#[test]
fn dispatcher_weights_follow_the_split_and_leave_out_who_takes_no_calls() {
    let mut nodes = vec![node("a", "1", 0), node("b", "1", 0), node("c", "2", 0), node("d", "2", 0)];
    nodes[3].drained = true;
    assert_eq!(dispatcher_weights(&nodes, &weights(&[("1", 90), ("2", 10)])), [45, 45, 10, 0]);
    assert_eq!(dispatcher_weights(&nodes, &Weights::new()).iter().sum::<u32>(), 100);
    assert_eq!(dispatcher_weights(&[], &Weights::new()), Vec::<u32>::new());
}

#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    Dead,
    Busy,
    Draining,
    Drained,
    Full,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        3 => Just(Trouble::None),
        1 => Just(Trouble::Dead),
        1 => Just(Trouble::Busy),
        1 => Just(Trouble::Draining),
        1 => Just(Trouble::Drained),
        1 => Just(Trouble::Full),
    ]
}

proptest! {
    #[test]
    fn the_split_is_the_weights(one in 1u32..100, other in 1u32..100, sizes in (1usize..5, 1usize..5)) {
        let names: Vec<String> = (0..10).map(|at| format!("n{at}")).collect();
        let mut nodes: Vec<Candidate> = names.iter().take(sizes.0).map(|name| node(name, "1", 0)).collect();
        nodes.extend(names.iter().skip(5).take(sizes.1).map(|name| node(name, "2", 0)));
        let split = weights(&[("1", one), ("2", other)]);
        let draws = 1_000;
        let first = (0..draws)
            .filter(|draw| choose(&nodes, &split, f64::from(*draw) / f64::from(draws)).unwrap().version() == "1")
            .count();
        let expected = f64::from(one) / f64::from(one + other);
        prop_assert!((first as f64 / f64::from(draws) - expected).abs() < 0.002);
    }

    #[test]
    fn nobody_who_takes_no_calls_is_chosen_and_somebody_who_does_is(
        troubles in prop::collection::vec((trouble(), 0u32..2, 0u32..99), 0..12),
        split in (0u32..3, 0u32..3),
        draw in 0.0f64..=1.0,
    ) {
        let nodes: Vec<Candidate> = troubles.iter().enumerate().map(|(at, (trouble, version, calls))| {
            let mut candidate = node(&format!("n{at}"), &version.to_string(), *calls);
            match trouble {
                Trouble::None => {}
                Trouble::Dead => candidate.node.alive = false,
                Trouble::Busy => candidate.node.heartbeat.status = NodeStatus::Busy,
                Trouble::Draining => candidate.node.heartbeat.status = NodeStatus::Draining,
                Trouble::Drained => candidate.drained = true,
                Trouble::Full => candidate.node.heartbeat.active_calls = 100,
            }
            candidate
        }).collect();
        let healthy: Vec<&str> = troubles.iter().zip(&nodes)
            .filter(|((trouble, ..), _)| matches!(trouble, Trouble::None))
            .map(|(_, candidate)| candidate.node.heartbeat.node.as_str()).collect();
        match choose(&nodes, &weights(&[("0", split.0), ("1", split.1)]), draw) {
            Some(candidate) => prop_assert!(healthy.contains(&candidate.node.heartbeat.node.as_str())),
            None => prop_assert!(healthy.is_empty()),
        }
        let total: u32 = dispatcher_weights(&nodes, &weights(&[("0", split.0), ("1", split.1)])).iter().sum();
        prop_assert_eq!(total, if healthy.is_empty() { 0 } else { 100 });
    }
}
