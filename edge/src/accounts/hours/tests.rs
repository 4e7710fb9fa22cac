//! Opening hours across days, zones and changes of the clock.

use jiff::civil::DateTime;

use super::*;

fn shop() -> Hours {
    serde_json::from_value(serde_json::json!({
        "time_zone": "Europe/Berlin",
        "monday": ["09:00-12:30", "13:30-18:00"],
        "saturday": ["10:00-24:00"],
        "sunday": ["0:00-1:00"],
    }))
    .unwrap()
}

/// Berlin's clock.
fn at(local: &str) -> u64 {
    let local: DateTime = local.parse().unwrap();
    local.in_tz("Europe/Berlin").unwrap().timestamp().as_millisecond() as u64
}

#[test]
fn open_from_the_first_minute_to_before_the_last() {
    let shop = shop();
    assert_eq!(shop.check(), Ok(()));
    for (local, open) in [
        ("2026-11-23T08:59:59", false), // a Monday
        ("2026-11-23T09:00:00", true),
        ("2026-11-23T12:29:59", true),
        ("2026-11-23T12:30:00", false),
        ("2026-11-23T17:59:00", true),
        ("2026-11-23T18:00:00", false),
        ("2026-11-24T10:00:00", false), // closed on Tuesdays
        ("2026-11-28T23:59:59", true),  // Saturday night ...
        ("2026-11-29T00:59:00", true),  // ... into Sunday
        ("2026-11-29T01:00:00", false),
    ] {
        assert_eq!(shop.open_at(at(local)), open, "{local}");
    }
}

#[test]
fn summer_and_winter_open_at_the_same_hour_of_the_wall() {
    let shop = shop();
    // 09:00 in Berlin is 07:00 UTC in July and 08:00 UTC in November.
    let july: Timestamp = "2026-07-20T07:00:00Z".parse().unwrap();
    let november: Timestamp = "2026-11-23T07:00:00Z".parse().unwrap();
    assert!(shop.open_at(july.as_millisecond() as u64));
    assert!(!shop.open_at(november.as_millisecond() as u64));
}

#[test]
fn hours_that_make_no_sense_are_told() {
    for (monday, problem) in [
        (vec!["9-18"], "`9-18` is not an interval like `09:00-18:00`"),
        (vec!["25:00-26:00"], "`25:00-26:00` is not an interval"),
        (vec!["18:00-02:00"], "ends before it begins"),
        (vec!["09:00-12:00", "11:00-13:00"], "begins before the one before it ends"),
        (vec!["+9:00-12:00"], "is not an interval"),
    ] {
        let hours = Hours { monday: monday.into_iter().map(str::to_owned).collect(), ..shop() };
        let (field, said) = hours.check().unwrap_err();
        assert_eq!(field, "hours.monday");
        assert!(said.contains(problem), "{said}");
    }
    let hours = Hours { time_zone: "Europe/Nowhere".into(), ..shop() };
    assert_eq!(hours.check().unwrap_err().0, "hours.time_zone");
    assert!(hours.open_at(0), "hours nobody understands refuse nobody");
}

#[test]
fn the_week_is_told_in_words() {
    let words = shop().in_words();
    assert!(words.starts_with("Opening hours (Europe/Berlin): Monday 09:00-12:30 and 13:30-18:00, Tuesday closed"));
}
