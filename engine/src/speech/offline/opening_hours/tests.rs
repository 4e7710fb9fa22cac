//! Opening hours and times as they are said.
//! The agent file they come from is tested in `agent_file`.

use jiff::civil::date;

use super::*;

fn hours() -> OpeningHours {
    let mut hours = OpeningHours::default();
    for day in ["monday", "tuesday"] {
        hours.set(day, "9-12:30, 14:00-24:00").unwrap();
    }
    hours.set("friday", "10:00-16:00").unwrap();
    hours
}

#[test]
fn a_day_is_said_as_it_was_asked_for() {
    let monday = date(2026, 11, 16).at(8, 0, 0, 0);
    assert_eq!(
        hours().sentence(Day::Today, monday),
        "Today we are open from 9 a.m. to 12:30 p.m. and from 2 p.m. to midnight."
    );
    assert_eq!(hours().sentence(Day::On(Weekday::Friday), monday), "On Friday we are open from 10 a.m. to 4 p.m.");
    assert_eq!(hours().sentence(Day::On(Weekday::Sunday), monday), "On Sunday we are closed.");
}

#[test]
fn days_of_the_same_hours_are_said_together() {
    assert_eq!(
        hours().week(),
        "We are open Monday to Tuesday from 9 a.m. to 12:30 p.m. and from 2 p.m. to midnight and Friday from 10 a.m. to 4 p.m."
    );
    assert_eq!(OpeningHours::default().week(), "We are closed all week.");
}

#[test]
fn outside_the_hours_the_next_opening_is_said() {
    let friday = date(2026, 11, 20);
    assert_eq!(hours().now(friday.at(15, 59, 0, 0)), "Yes, we are open until 4 p.m.");
    assert_eq!(hours().now(friday.at(16, 0, 0, 0)), "No, we are closed right now. We open on Monday at 9 a.m.");
    assert_eq!(hours().now(friday.at(9, 0, 0, 0)), "No, we are closed right now. We open today at 10 a.m.");
    assert_eq!(OpeningHours::default().now(friday.at(9, 0, 0, 0)), "No, we are closed.");
}

#[test]
fn wrong_days_and_hours_are_refused() {
    let mut hours = OpeningHours::default();
    assert!(hours.set("funday", "9-18").unwrap_err().contains("not a weekday"));
    assert!(hours.set("monday", "nine to six").unwrap_err().contains("should look like"));
    assert!(hours.set("monday", "18:00-9:00").unwrap_err().contains("later"));
    assert!(hours.set("monday", "9-12, 11-14").unwrap_err().contains("later"));
}

#[test]
fn dates_have_their_endings() {
    for (day, said) in
        [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"), (30, "30th")]
    {
        assert_eq!(say_date(date(2026, 11, day).at(0, 0, 0, 0)), format!("November {said}"));
    }
}
