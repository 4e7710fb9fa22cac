use std::time::Duration;

use super::{FromCaller, RING, ToCaller, frame_link};
use crate::call::Cue;

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn the_task_is_woken_by_what_comes_and_by_the_end_of_the_call() {
    let (mut link, mut port) = frame_link();
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(next) = port.next().await {
            seen.push(next);
        }
        seen
    });
    link.to_caller.push(ToCaller::Cue(Cue::Flush)).unwrap();
    link.waker.0.wake();
    link.to_caller.push(ToCaller::Audio([7; 160])).unwrap();
    drop(link);
    let seen = tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    assert_eq!(seen, [ToCaller::Cue(Cue::Flush), ToCaller::Audio([7; 160])]);
}

#[test]
fn a_shard_that_is_far_behind_is_not_buried_in_frames() {
    let (link, mut port) = frame_link();
    let taken = (0..1000).filter(|_| port.push(FromCaller::Key('1'))).count();
    assert_eq!(taken, RING);
    assert!(!link.is_abandoned());
    drop(port);
    assert!(link.is_abandoned());
}
