use std::time::Duration;

use super::{MOST_UNDER_WAY, Marks};
use crate::clock::Moment;

/// Ticks of 20 ms in which a frame is sent, or not, each mark coming back so many ticks later.
fn run(marks: &mut Marks, now: &mut Moment, ticks: usize, sends: bool, back_after: Option<u64>) -> Vec<u32> {
    let mut sent: Vec<(u32, Moment)> = Vec::new();
    for _ in 0..ticks {
        if let Some(after) = back_after {
            for (mark, _) in sent.iter().filter(|(_, at)| now.millis_since(*at) == after * 20) {
                marks.came_back(*now, *mark);
            }
        }
        sent.extend(marks.tick(*now, sends).map(|mark| (mark, *now)));
        *now = *now + Duration::from_millis(20);
    }
    sent.into_iter().map(|(mark, _)| mark).collect()
}

#[test]
fn a_voice_is_marked_where_it_begins_every_half_second_and_behind_its_end() {
    let (mut marks, mut now) = (Marks::new(), Moment::default());
    assert_eq!(run(&mut marks, &mut now, 10, false, None), [] as [u32; 0]);
    assert_eq!(run(&mut marks, &mut now, 60, true, None), [1, 2, 3]);
    assert_eq!(run(&mut marks, &mut now, 60, false, None), [4]);
}

#[test]
fn what_was_sent_since_the_mark_that_came_back_last_is_not_played_yet() {
    let (mut marks, mut now) = (Marks::new(), Moment::default());
    run(&mut marks, &mut now, 60, true, None);
    assert_eq!(marks.unplayed(now), Duration::ZERO, "nobody sends marks back");
    let (mut marks, mut now) = (Marks::new(), Moment::default());
    run(&mut marks, &mut now, 60, true, Some(15));
    assert_eq!(marks.unplayed(now), Duration::from_millis(300));
    // The client stops playing: the mark that is missing tells.
    run(&mut marks, &mut now, 40, true, None);
    assert!(marks.unplayed(now) >= Duration::from_millis(800), "{:?}", marks.unplayed(now));
    // Silence is played up sooner or later.
    run(&mut marks, &mut now, 100, false, None);
    let mark = marks.under_way.back().unwrap().0;
    marks.came_back(now, mark);
    run(&mut marks, &mut now, 128, false, None);
    assert_eq!(marks.unplayed(now), Duration::ZERO);
}

#[test]
fn marks_that_come_back_because_they_were_flushed_were_not_played() {
    let (mut marks, mut now) = (Marks::new(), Moment::default());
    run(&mut marks, &mut now, 60, true, Some(15));
    let missing = marks.under_way.clone();
    marks.flush();
    for (mark, _) in missing {
        marks.came_back(now, mark);
    }
    assert_eq!(marks.lag, Some(Duration::from_millis(300)));
    assert_eq!(marks.unplayed(now), Duration::ZERO);
}

#[test]
fn a_client_that_sends_no_mark_back_costs_no_memory() {
    let (mut marks, mut now) = (Marks::new(), Moment::default());
    run(&mut marks, &mut now, 50_000, true, None);
    assert_eq!(marks.under_way.len(), MOST_UNDER_WAY);
    marks.came_back(now, 77_777);
    assert_eq!(marks.unplayed(now), Duration::ZERO);
}
