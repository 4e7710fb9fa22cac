//! Calls that stand without audio, by the hundred, in one node with few ports.

use std::sync::Arc;
use std::time::Duration;

use loadtest::caller::{Phone, Target};
use loadtest::fleet::Progress;
use loadtest::hold::{self, Hold};
use sip_bridge::sdp::Codec;
use tokio_util::sync::CancellationToken;

use crate::stack::Stack;

#[tokio::test]
async fn hundreds_of_calls_without_audio_share_few_ports_and_all_are_ended() {
    const CALLS: usize = 600;
    let settings = vec![("TANDEM_RECORDING", "false".to_owned())];
    let stack = Stack::start_with(1, &settings).await.expect("Kamailio and a node");
    let phone = Arc::new(Phone::start(([127, 0, 0, 1], 0).into(), 1).await.expect("a phone"));
    let target = Target {
        codecs: vec![Codec::Pcmu],
        patience: Duration::from_secs(20),
        ..Target::to(format!("sip:agent@127.0.0.1:{}", stack.port))
    };
    let wanted = Hold { calls: CALLS, rate: 200.0, hold: Duration::from_secs(3), target };
    let progress = Arc::new(Progress::default());
    let report = hold::run(phone, wanted, progress, CancellationToken::new()).await.expect("a port for reports");
    assert_eq!(report.problems(), [""; 0]);
    assert_eq!((report.held, report.still_up, report.ended), (CALLS, CALLS, CALLS));
    assert!(report.reports > 0, "the calls' own time goes on: the node reports");
    stack.nodes[0].until_idle(Duration::from_secs(5)).await.expect("no call stays behind");
}
