//! A small fleet in virtual time: what the report says must be what was done to it.
//! How fast it runs is not looked at.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::report::{SimReport, sim_page};

const S: Duration = Duration::from_secs(1);

/// 120 calls on six nodes for 40 s, and nothing happens.
fn quiet() -> Plan {
    Plan {
        seed: 7,
        calls: 120,
        nodes: 6,
        node_capacity: 40,
        ramp: 5 * S,
        hold: 16 * S,
        length: 40 * S,
        media_one_in: 40,
        balance: Balance::RoundRobin,
        fr_timer: S / 2,
        ping_every: 2 * S,
        stages: Stages { transcript: S / 10, token: S / 10, speech: S / 10, spread: 0.3 },
        loss: None,
        redial: 1.0,
        redial_after: 2 * S,
        roll_out: None,
        slowdown: None,
        waves: Vec::new(),
        one_way: 0.0,
        threads: 1,
    }
}

fn report(plan: &Plan) -> SimReport {
    let found = run(plan, &Progress::default(), &CancellationToken::new()).unwrap();
    let report = SimReport::new(plan, &found);
    assert_eq!(report.problems(), [""; 0]);
    report
}

fn lossy() -> Plan {
    Plan { loss: Some(NodeLoss { at: 15 * S, nodes: 1, back_after: None }), ..quiet() }
}

#[test]
fn a_quiet_fleet_answers_every_call_and_is_heard_both_ways() {
    let report = report(&quiet());
    assert!((115..=135).contains(&report.most_at_once), "{report}");
    assert_eq!((report.refused, report.lost, report.cut_by_drain, report.timed_out), (0, 0, 0, 0));
    // Calls that are over within the second the greeting takes are not heard.
    assert!(report.one_way.both_ways * 10 > report.answered * 9, "{report}");
    assert!(report.caller_heard.count >= 3, "{report}");
    assert!((400.0..2500.0).contains(&report.caller_heard.p50_ms), "{report}");
    assert_eq!(report.unanswered, 0);
    assert!(report.model.conversing > 0 && report.model.conversing * 20 < report.model.call_instances, "{report}");
}

#[test]
fn with_media_for_all_every_call_ticks_to_its_end() {
    let few = Plan { calls: 12, nodes: 2, length: 20 * S, ..quiet() };
    let (all, some) = (report(&Plan { media_one_in: 1, ..few.clone() }), report(&few));
    assert_eq!((all.model.conversing, all.answered), (all.model.call_instances, some.answered));
    assert!(all.model.ticks > some.model.ticks * 4, "{} and {}", all.model.ticks, some.model.ticks);
}

#[test]
fn one_seed_gives_one_report_whatever_the_threads() {
    let plan = Plan {
        roll_out: Some(RollOut { at: 20 * S, at_once: 2, limit: 3 * S, restart: S }),
        one_way: 0.1,
        waves: vec![Wave { at: 18 * S, length: 2 * S, factor: 2.0 }],
        ..lossy()
    };
    let json = |plan: &Plan| serde_json::to_string(&report(plan)).unwrap();
    let first = json(&plan);
    assert_eq!(first, json(&plan));
    assert_eq!(first, json(&Plan { threads: 3, ..plan.clone() }));
    assert_ne!(first, json(&Plan { seed: 8, ..plan }));
}

#[test]
fn a_lost_node_loses_its_calls_and_callers_who_dial_again_fill_the_others() {
    let report = report(&lossy());
    let loss = report.node_loss.unwrap();
    assert!((15..=25).contains(&report.lost), "{report}");
    assert_eq!((loss.recovery.lost, report.redialled), (report.lost, report.lost));
    // Until the next OPTIONS calls go to the dead node and wait for it once.
    assert!(report.timed_out > 0 && loss.recovery.delayed > 0, "{report}");
    assert!(report.setup.max_ms >= 500.0, "{report}");
    assert!(loss.recovery.set_up_s.is_some_and(|s| (1..=4).contains(&s)), "{report}");
    assert!(loss.recovery.calls_up_s.is_some(), "{report}");
}

#[test]
fn a_node_that_comes_back_takes_calls_again() {
    let mut plan = lossy();
    plan.loss = Some(NodeLoss { at: 15 * S, nodes: 6, back_after: Some(5 * S) });
    let report = report(&plan);
    assert!(report.lost > 100 && report.refused > 0, "{report}");
    assert!(report.seconds[30].up > 60, "{report}");
}

#[test]
fn a_roll_out_with_time_cuts_no_call_off() {
    let roll_out = RollOut { at: 10 * S, at_once: 3, limit: 60 * S, restart: S };
    let report = report(&Plan { roll_out: Some(roll_out), node_capacity: 60, length: 70 * S, ..quiet() });
    let rolled = report.roll_out.unwrap();
    assert_eq!((rolled.nodes, rolled.over_limit, report.cut_by_drain), (6, 0, 0));
    assert!(rolled.took_s.is_some_and(|s| s > 16.0), "{report}");
    assert!(report.passed_on > 0, "draining nodes refuse until the next OPTIONS: {report}");
    assert_eq!(report.refused, 0);
}

#[test]
fn a_roll_out_in_a_hurry_cuts_calls_off_and_counts_them() {
    let roll_out = RollOut { at: 10 * S, at_once: 3, limit: 2 * S, restart: S };
    let report = report(&Plan { roll_out: Some(roll_out), node_capacity: 60, ..quiet() });
    let rolled = report.roll_out.unwrap();
    assert_eq!((rolled.nodes, rolled.over_limit), (6, 6));
    assert!(report.cut_by_drain > 60, "{report}");
}

#[test]
fn a_full_fleet_refuses_what_it_has_no_place_for() {
    let report = report(&Plan { node_capacity: 15, ..quiet() });
    assert_eq!(report.most_at_once, 90);
    assert!(report.refused > 0 && report.node_peaks == [15; 6], "{report}");
}

#[test]
fn slow_providers_are_heard_as_long_as_they_are_slow() {
    let slowdown = Some(Slowdown { at: 20 * S, length: 20 * S, factor: 5.0 });
    let report = report(&Plan { slowdown, media_one_in: 8, ..quiet() });
    let (all, slow) = (report.caller_heard, report.caller_heard_while_slow);
    assert!(slow.count > 0 && slow.count < all.count, "{report}");
    assert!(slow.p50_ms > all.min_ms + 400.0, "{report}");
}

#[test]
fn a_wave_is_calls_on_top() {
    let wave = Wave { at: 10 * S, length: 5 * S, factor: 3.0 };
    let (with, without) = (report(&Plan { waves: vec![wave], node_capacity: 100, ..quiet() }), report(&quiet()));
    // Twice as many again as the five seconds had.
    assert!((60..=90).contains(&(with.offered - without.offered)), "{} and {}", with.offered, without.offered);
}

#[test]
fn dead_directions_are_found_by_who_hears_nothing() {
    let report = report(&Plan { one_way: 0.3, hold: 40 * S, ramp: 2 * S, calls: 60, ..quiet() });
    let found = report.one_way;
    assert!(found.made > 5 && found.unexpected == 0, "{report}");
    assert!(found.found_by_caller > 0 && found.found_by_call > 0, "{report}");
    assert!(found.found_by_caller + found.found_by_call <= found.made, "{report}");
}

#[test]
fn a_stopped_simulation_ends_its_calls_and_still_reports() {
    let stop = CancellationToken::new();
    stop.cancel();
    let found = run(&quiet(), &Progress::default(), &stop).unwrap();
    let report = SimReport::new(&quiet(), &found);
    assert!(report.interrupted && report.offered == 0);
}

#[test]
fn a_plan_that_cannot_be_is_refused_with_its_number() {
    let refused = |plan: Plan| plan.check().unwrap_err().to_string();
    assert!(refused(Plan { nodes: 0, ..quiet() }).contains("number of nodes"));
    assert!(refused(Plan { redial: 1.5, ..quiet() }).contains("1.5"));
    assert!(refused(Plan { ramp: 30 * S, ..quiet() }).contains("30 s"));
    let loss = Some(NodeLoss { at: S, nodes: 7, back_after: None });
    assert!(refused(Plan { loss, ..quiet() }).contains("7 of 6"));
}

#[test]
fn the_page_shows_the_fleet_over_time() {
    let page = sim_page(&report(&lossy()));
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(page.contains("node(s) lost at 15 s") && page.ends_with("</html>\n"));
}
