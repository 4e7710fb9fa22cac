use super::{FrameLeg, HANGOVER, LawFrame, MOST_WAITING, PRIME, STANDING, WATCHED};
use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;
use crate::clock::Moment;

/// A loud frame that can be told from others.
fn loud(n: u8) -> LawFrame {
    [n & 0x3F; FRAME_SAMPLES]
}

const QUIET: LawFrame = [0xFF; FRAME_SAMPLES];

/// The first byte of the next frame that is played.
fn played(leg: &mut FrameLeg) -> u8 {
    let mut pcm = [0; FRAME_SAMPLES];
    leg.next_frame(&mut pcm);
    Law::Mu.encode(pcm[0])
}

fn leg() -> FrameLeg {
    FrameLeg::new(Law::Mu, Moment::default())
}

#[test]
fn frames_are_played_in_order_and_after_a_gap_with_a_short_wait() {
    let mut leg = leg();
    for n in 1..=3 {
        leg.push(Moment::default(), &loud(n));
        assert_eq!(played(&mut leg), n, "who keeps time is not waited for");
    }
    assert_eq!(played(&mut leg), 0xFF, "a frame is late");
    leg.push(Moment::default(), &loud(4));
    assert_eq!(played(&mut leg), 0xFF, "one frame is not enough any more");
    leg.push(Moment::default(), &loud(5));
    assert_eq!([played(&mut leg), played(&mut leg), played(&mut leg)], [4, 5, 0xFF]);
}

#[test]
fn a_single_frame_does_not_wait_for_ever() {
    let mut leg = leg();
    leg.push(Moment::default(), &loud(9));
    assert_eq!([played(&mut leg), played(&mut leg)], [9, 0xFF]);
    leg.push(Moment::default(), &loud(1));
    let heard: Vec<u8> = (0..=PRIME + 1).map(|_| played(&mut leg)).collect();
    assert!(heard.contains(&1), "{heard:?}");
}

#[test]
fn a_burst_is_smoothed_and_what_exceeds_the_room_displaces_the_oldest_once_told() {
    let mut leg = leg();
    let told: Vec<bool> = (0..MOST_WAITING + 3).map(|n| leg.push(Moment::default(), &loud(n as u8))).collect();
    assert_eq!(told.iter().filter(|&&t| t).count(), 1);
    assert!(told[MOST_WAITING]);
    assert_eq!(played(&mut leg), 3, "the three oldest are gone");
    assert_eq!(leg.quality().packets_lost, 3);
}

#[test]
fn delay_that_never_drains_is_taken_out_of_silence_and_never_out_of_speech() {
    let mut leg = leg();
    let now = Moment::default();
    for _ in 0..20 {
        leg.push(now, &loud(1));
    }
    for _ in 0..2 * WATCHED {
        leg.push(now, &loud(1));
        assert_eq!(played(&mut leg), 1);
    }
    assert_eq!(leg.waiting.len(), 20, "nothing of the speech was skipped");
    for _ in 0..2 * WATCHED {
        leg.push(now, &QUIET);
        played(&mut leg);
    }
    assert!(leg.waiting.len() <= STANDING + 1, "{} still wait", leg.waiting.len());
}

#[test]
fn bursts_that_drain_are_no_delay() {
    let mut leg = leg();
    let now = Moment::default();
    let (mut heard, mut given) = (0, 0);
    for tick in 0..500 {
        if tick % 50 == 0 {
            for _ in 0..50 {
                leg.push(now, if given % 2 == 0 { &QUIET } else { &[0xFE; FRAME_SAMPLES] });
                given += 1;
            }
        }
        heard += u32::from(!leg.waiting.is_empty());
        played(&mut leg);
    }
    assert!(heard >= 490, "{heard} of 500 frames were played");
}

#[test]
fn silence_is_sent_while_the_agent_speaks_and_a_little_after() {
    let mut leg = leg();
    leg.send_frame(Moment::default(), false);
    assert!(!leg.sends());
    leg.send_frame(Moment::default(), true);
    assert!(leg.sends());
    let sent = (0..100).filter(|_| {
        leg.send_frame(Moment::default(), false);
        leg.sends()
    });
    assert_eq!(sent.count(), usize::from(HANGOVER) - 1);
}

#[test]
fn after_a_flush_nothing_is_sent_until_the_agent_speaks_again() {
    let mut leg = leg();
    leg.send_frame(Moment::default(), true);
    leg.send_frame(Moment::default(), true);
    leg.flush();
    assert!(!leg.sends());
    leg.send_frame(Moment::default(), false);
    assert!(!leg.sends());
    assert_eq!(leg.quality().packets_sent, 1);
    leg.send_frame(Moment::default(), true);
    assert!(leg.sends());
}

#[test]
fn a_line_that_brings_nothing_is_silent_until_it_does() {
    let mut leg = leg();
    let later = Moment::from_millis(9000);
    assert_eq!(leg.silent_for(later).as_secs(), 9);
    leg.push(later, &QUIET);
    assert_eq!(leg.silent_for(later).as_secs(), 0);
    leg.heard_from(Moment::from_millis(11_000));
    assert_eq!(leg.silent_for(Moment::from_millis(12_000)).as_secs(), 1);
}
