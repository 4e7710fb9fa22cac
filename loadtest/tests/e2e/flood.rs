//! Four times the calls a node may take, straight at it: those it took keep their sound, the rest are told at once.
//! What a crowd through Kamailio meets is in `traffic`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use loadtest::caller::{self, Target};
use loadtest::fleet::{self, Fleet, Progress};
use loadtest::script::{LOAD, Script};
use tokio_util::sync::CancellationToken;

use crate::caller::MANNERS;
use crate::stack::Stack;

/// Calls the node may hold.
const PLACES: usize = 40;

/// How long each of them lasts: places become free at `PLACES / HOLD` a second.
const HOLD: Duration = Duration::from_secs(4);

#[tokio::test]
async fn four_times_the_calls_a_node_may_take_cost_those_it_took_nothing() {
    let settings = vec![("TANDEM_MAX_CALLS", PLACES.to_string())];
    let stack = Stack::start_with(1, &settings).await.expect("Kamailio and a node");
    let phone = caller::Phone::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 1).await.expect("a phone");
    let rate = 4.0 * PLACES as f64 / HOLD.as_secs_f64();
    let fleet = Fleet {
        calls: (rate * 10.0) as usize,
        rate,
        ramp: Duration::ZERO,
        hold: HOLD,
        lines: Script::parse(LOAD, "load.toml").expect("a script").prepare("load.toml", None).await.expect("voices"),
        target: Target::to(format!("sip:agent@127.0.0.1:{}", stack.nodes[0].sip)),
        manners: MANNERS,
    };
    let report = fleet::run(Arc::new(phone), fleet, Arc::new(Progress::default()), CancellationToken::new()).await;
    println!("{report}");
    let admitted = report.calls - report.refused;
    assert!(report.concurrent <= PLACES, "{} calls at once in {PLACES} places", report.concurrent);
    assert!(admitted >= report.calls / 8, "only {admitted} of {} calls were taken", report.calls);
    // Refused, not kept waiting, not dropped later.
    assert_eq!(report.lost, 0, "{:?}", report.lost_why);
    assert!(report.refused_why.keys().all(|why| why.contains("503")), "{:?}", report.refused_why);
    assert!(report.refused >= report.calls / 2, "{} of {} calls were refused", report.refused, report.calls);
    assert_eq!((report.one_way, report.media.lost), (0, 0), "{report}");
    stack.nodes[0].until_idle(Duration::from_secs(10)).await.expect("all calls are over");
}
