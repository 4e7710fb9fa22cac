//! Opening hours a weekday, and how they are said.
//! Which time it is comes from outside.

use jiff::civil::{DateTime, Time, Weekday};

/// Monday to Sunday.
const WEEK: [(Weekday, &str); 7] = [
    (Weekday::Monday, "monday"),
    (Weekday::Tuesday, "tuesday"),
    (Weekday::Wednesday, "wednesday"),
    (Weekday::Thursday, "thursday"),
    (Weekday::Friday, "friday"),
    (Weekday::Saturday, "saturday"),
    (Weekday::Sunday, "sunday"),
];

/// From opening to closing.
type Span = (Time, Time);

/// When a business is open. A day that is not named is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpeningHours {
    days: [Vec<Span>; 7],
}

/// A day as a caller asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    Today,
    Tomorrow,
    On(Weekday),
}

impl Day {
    /// From the words of a `<day>` slot, such as `on monday`.
    pub fn from_words(words: &str) -> Option<Self> {
        match words.trim_start_matches("on ").trim() {
            "today" => Some(Self::Today),
            "tomorrow" => Some(Self::Tomorrow),
            name => WEEK.iter().find(|(_, n)| *n == name).map(|(day, _)| Self::On(*day)),
        }
    }
}

impl OpeningHours {
    /// `monday`, `9:00-12:30, 14:00-18:00` or `closed`.
    pub fn set(&mut self, day: &str, hours: &str) -> Result<(), String> {
        let Some((weekday, _)) = WEEK.iter().find(|(_, name)| *name == day) else {
            return Err(format!("\"{day}\" is not a weekday; monday to sunday are"));
        };
        let mut spans: Vec<Span> = Vec::new();
        if hours.trim() != "closed" {
            for part in hours.split(',') {
                let span = parse_span(part).ok_or_else(|| {
                    format!("\"{hours}\" should look like 9:00-18:00, or 9:00-12:00, 14:00-18:00, or closed")
                })?;
                if span.0 >= span.1 || spans.last().is_some_and(|last| last.1 > span.0) {
                    return Err(format!("\"{hours}\": each time must be later than the one before"));
                }
                spans.push(span);
            }
        }
        if let Some(slot) = self.days.get_mut(index(*weekday)) {
            *slot = spans;
        }
        Ok(())
    }

    fn on(&self, weekday: Weekday) -> &[Span] {
        self.days.get(index(weekday)).map_or(&[], Vec::as_slice)
    }

    /// A sentence: `Tomorrow we are open from 9 a.m. to 6 p.m.`
    pub fn sentence(&self, day: Day, now: DateTime) -> String {
        let (weekday, said) = match day {
            Day::Today => (now.weekday(), "Today".to_owned()),
            Day::Tomorrow => (now.weekday().next(), "Tomorrow".to_owned()),
            Day::On(weekday) => (weekday, format!("On {}", weekday_name(weekday))),
        };
        match self.on(weekday) {
            [] => format!("{said} we are closed."),
            spans => end_sentence(format!("{said} we are open {}", say_spans(spans))),
        }
    }

    /// A sentence: `We are open Monday to Friday from 9 a.m. to 6 p.m. and Saturday from 10 a.m. to 2 p.m.`
    pub fn week(&self) -> String {
        let mut groups: Vec<(Weekday, Weekday, &[Span])> = Vec::new();
        for (weekday, _) in WEEK {
            let spans = self.on(weekday);
            match groups.last_mut() {
                Some((_, last, hours)) if *hours == spans && last.next() == weekday => *last = weekday,
                _ => groups.push((weekday, weekday, spans)),
            }
        }
        let said: Vec<String> = groups
            .into_iter()
            .filter(|(_, _, spans)| !spans.is_empty())
            .map(|(first, last, spans)| match first == last {
                true => format!("{} {}", weekday_name(first), say_spans(spans)),
                false => format!("{} to {} {}", weekday_name(first), weekday_name(last), say_spans(spans)),
            })
            .collect();
        match said.split_last() {
            None => "We are closed all week.".to_owned(),
            Some((only, [])) => end_sentence(format!("We are open {only}")),
            Some((last, rest)) => end_sentence(format!("We are open {} and {last}", rest.join(", "))),
        }
    }

    /// A sentence: `Yes, we are open until 6 p.m.` or `No, we are closed right now. We open tomorrow at 9 a.m.`
    pub fn now(&self, now: DateTime) -> String {
        let time = now.time();
        if let Some((_, closing)) = self.on(now.weekday()).iter().find(|(from, to)| *from <= time && time < *to) {
            return end_sentence(format!("Yes, we are open until {}", say_time(*closing)));
        }
        let mut weekday = now.weekday();
        for ahead in 0..=7 {
            let next = self.on(weekday).iter().find(|(from, _)| ahead > 0 || *from > time);
            if let Some((opening, _)) = next {
                let when = match ahead {
                    0 => "today".to_owned(),
                    1 => "tomorrow".to_owned(),
                    _ => format!("on {}", weekday_name(weekday)),
                };
                let opening = say_time(*opening);
                return end_sentence(format!("No, we are closed right now. We open {when} at {opening}"));
            }
            weekday = weekday.next();
        }
        "No, we are closed.".to_owned()
    }
}

/// `9:30 a.m.`, or `9 a.m.` on the hour.
pub fn say_time(time: Time) -> String {
    let half = if time.hour() < 12 { "a.m." } else { "p.m." };
    let hour = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    match time.minute() {
        0 => format!("{hour} {half}"),
        // Closing at midnight is kept as the last minute of the day.
        59 if time.hour() == 23 => "midnight".to_owned(),
        minute => format!("{hour}:{minute:02} {half}"),
    }
}

/// `November 20th`.
pub fn say_date(now: DateTime) -> String {
    let ending = match (now.day() % 10, now.day()) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{} {}{ending}", now.strftime("%B"), now.day())
}

pub fn weekday_name(weekday: Weekday) -> String {
    let name = WEEK.iter().find(|(day, _)| *day == weekday).map_or("", |(_, name)| name);
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn say_spans(spans: &[Span]) -> String {
    let said: Vec<String> =
        spans.iter().map(|(from, to)| format!("from {} to {}", say_time(*from), say_time(*to))).collect();
    said.join(" and ")
}

/// A sentence that ends in `p.m.` has its full stop already.
fn end_sentence(text: String) -> String {
    if text.ends_with('.') { text } else { text + "." }
}

fn index(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0)
}

fn parse_span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    Some((parse_time(from)?, parse_time(to)?))
}

/// `9`, `9:30` or `24:00`, the last minute of the day.
fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
    let (hour, minute) = (hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?);
    if (hour, minute) == (24, 0) { Time::new(23, 59, 0, 0).ok() } else { Time::new(hour, minute, 0, 0).ok() }
}

#[cfg(test)]
mod tests;
