//! Two legs of the media thread talk to each other over loopback UDP, without signalling.
//! What is said on one must be heard on the other, and told with the right times.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::Ipv4Addr;
use std::time::Duration;

use engine::audio::g711::Law;
use loadtest::caller::media::{Event, LegHandle, MediaThread, Route};
use loadtest::measure::alignment;
use loadtest::voice::Utterance;
use tokio::sync::mpsc::UnboundedReceiver;

/// Far longer than anything here takes; reached only when an event does not come.
const LIMIT: Duration = Duration::from_secs(20);

fn route(to: &LegHandle) -> Route {
    let codec = Law::Mu.into();
    Route { remote: to.local(), codec, payload_type: 0, receive_payload_type: 0, telephone_event: Some(101) }
}

/// A second of a gliding tone: long enough to align, never periodic.
fn tone() -> Utterance {
    let samples: Vec<i16> = (0..8000)
        .map(|n| {
            let t = f64::from(n) / 8000.0;
            ((t * (300.0 + 150.0 * t) * std::f64::consts::TAU).sin() * 9000.0) as i16
        })
        .collect();
    Utterance::from_samples(&samples, "tone").unwrap()
}

async fn wait_for(events: &mut UnboundedReceiver<Event>, wanted: impl Fn(&Event) -> bool) -> Event {
    tokio::time::timeout(LIMIT, async {
        loop {
            let event = events.recv().await.expect("the media thread ended");
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
    .expect("the event did not come")
}

#[tokio::test]
async fn what_one_leg_says_the_other_hears_sample_by_sample() {
    let media = MediaThread::start().unwrap();
    let (speaker, mut spoken) = media.open(Ipv4Addr::LOCALHOST, false).unwrap();
    let (listener, mut heard) = media.open(Ipv4Addr::LOCALHOST, true).unwrap();
    speaker.connect(route(&listener), None);
    listener.connect(route(&speaker), None);
    speaker.say(tone());

    let Event::SayingStarted { at: said } = wait_for(&mut spoken, |e| matches!(e, Event::SayingStarted { .. })).await
    else {
        unreachable!("filtered above")
    };
    let Event::VoiceStarted { at: came } = wait_for(&mut heard, |e| matches!(e, Event::VoiceStarted { .. })).await
    else {
        unreachable!("filtered above")
    };
    assert!(came >= said, "heard at {came:?}, said at {said:?}");
    let Event::Said { at: last_said } = wait_for(&mut spoken, |e| matches!(e, Event::Said { .. })).await else {
        unreachable!("filtered above")
    };
    let Event::VoiceEnded { last } = wait_for(&mut heard, |e| matches!(e, Event::VoiceEnded { .. })).await else {
        unreachable!("filtered above")
    };
    assert!(last >= last_said, "last heard at {last:?}, last said at {last_said:?}");

    let report = listener.close().await.unwrap();
    let found = alignment::compare(&report.heard, tone().samples()).unwrap();
    assert!(found.correlation >= 0.999 && found.longest_gap_ms == 0, "{found:?}");
    assert_eq!((report.received.lost, report.received.timestamp_jumps, report.ignored), (0, 0, 0));
    assert_eq!(report.voiced_frames, 50);
}

#[tokio::test]
async fn a_pressed_key_is_told_and_is_not_audio() {
    let media = MediaThread::start().unwrap();
    let (presser, mut pressed) = media.open(Ipv4Addr::LOCALHOST, false).unwrap();
    let (listener, _heard) = media.open(Ipv4Addr::LOCALHOST, false).unwrap();
    presser.connect(route(&listener), None);
    listener.connect(route(&presser), None);
    presser.press('#');
    wait_for(&mut pressed, |e| matches!(e, Event::Pressed { .. })).await;
    presser.close().await.unwrap();
    let report = listener.close().await.unwrap();
    assert!(report.ignored >= 8, "event packets: {}", report.ignored);
    assert_eq!(report.voiced_frames, 0);
}

#[tokio::test]
async fn every_packet_due_is_counted() {
    let media = MediaThread::start().unwrap();
    let (speaker, mut spoken) = media.open(Ipv4Addr::LOCALHOST, false).unwrap();
    let (listener, _heard) = media.open(Ipv4Addr::LOCALHOST, false).unwrap();
    speaker.connect(route(&listener), None);
    speaker.say(tone());
    wait_for(&mut spoken, |e| matches!(e, Event::Said { .. })).await;
    let sending = speaker.close().await.unwrap().sending;
    assert!(sending.nominal >= 50 && sending.sent <= sending.nominal, "{sending:?}");
    assert_eq!(sending.lateness.count(), sending.sent);
}
