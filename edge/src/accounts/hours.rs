//! Business hours: when a profile's calls are answered as usual, in its own time zone.
//! What is said or done outside them is the profile's.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Most intervals in a day.
pub const MAX_INTERVALS: usize = 8;

const DAY_MINUTES: u16 = 24 * 60;

/// The week. A day without intervals is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Name in the IANA time zone database: `Europe/Berlin`.
    pub time_zone: String,
    /// Each interval as `09:00-18:00`, from inclusive, to exclusive, at most `24:00`; ascending, apart from each other.
    #[serde(default)]
    pub monday: Vec<String>,
    #[serde(default)]
    pub tuesday: Vec<String>,
    #[serde(default)]
    pub wednesday: Vec<String>,
    #[serde(default)]
    pub thursday: Vec<String>,
    #[serde(default)]
    pub friday: Vec<String>,
    #[serde(default)]
    pub saturday: Vec<String>,
    #[serde(default)]
    pub sunday: Vec<String>,
    #[serde(default)]
    pub outside: Outside,
}

/// What becomes of a call outside the hours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "then", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outside {
    /// It is not answered.
    #[default]
    Refuse,
    /// The agent answers, with this greeting.
    Greet { greeting: String },
}

// === impl Hours ===

impl Hours {
    /// Whether `now_ms` (since the Unix epoch) is within the hours. Hours that cannot be understood are never shut:
    /// better a call too many than one too few.
    pub fn open_at(&self, now_ms: u64) -> bool {
        let zone = TimeZone::get(&self.time_zone);
        let now = i64::try_from(now_ms).ok().and_then(|now_ms| Timestamp::from_millisecond(now_ms).ok());
        let (Ok(zone), Some(now)) = (zone, now) else { return true };
        let local = now.to_zoned(zone);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        self.day(local.weekday())
            .iter()
            .filter_map(|interval| minutes(interval))
            .any(|(from, to)| from <= minute && minute < to)
    }

    /// What is wrong with the hours: the day or field, and why.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if TimeZone::get(&self.time_zone).is_err() {
            let known = "is not in the IANA time zone database; write one like `Europe/Berlin`";
            return Err(("hours.time_zone", format!("`{}` {known}", self.time_zone)));
        }
        for (name, _, intervals) in self.week() {
            check_day(intervals).map_err(|problem| (name, problem))?;
        }
        Ok(())
    }

    /// The hours in a sentence or two, for the agent's instructions.
    pub fn in_words(&self) -> String {
        let days = self.week().into_iter().map(|(_, day, intervals)| {
            if intervals.is_empty() { format!("{day} closed") } else { format!("{day} {}", intervals.join(" and ")) }
        });
        format!("Opening hours ({}): {}.", self.time_zone, days.collect::<Vec<_>>().join(", "))
    }

    fn day(&self, weekday: Weekday) -> &[String] {
        match weekday {
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
            Weekday::Sunday => &self.sunday,
        }
    }

    fn week(&self) -> [(&'static str, &'static str, &[String]); 7] {
        [
            ("hours.monday", "Monday", &self.monday),
            ("hours.tuesday", "Tuesday", &self.tuesday),
            ("hours.wednesday", "Wednesday", &self.wednesday),
            ("hours.thursday", "Thursday", &self.thursday),
            ("hours.friday", "Friday", &self.friday),
            ("hours.saturday", "Saturday", &self.saturday),
            ("hours.sunday", "Sunday", &self.sunday),
        ]
    }
}

fn check_day(intervals: &[String]) -> Result<(), String> {
    if intervals.len() > MAX_INTERVALS {
        return Err(format!("{} intervals: at most {MAX_INTERVALS}", intervals.len()));
    }
    let mut end = 0;
    for interval in intervals {
        let Some((from, to)) = minutes(interval) else {
            return Err(format!("`{interval}` is not an interval like `09:00-18:00`"));
        };
        if from >= to {
            return Err(format!("`{interval}` ends before it begins; one past midnight is written as two"));
        }
        if from < end {
            return Err(format!("`{interval}` begins before the one before it ends"));
        }
        end = to;
    }
    Ok(())
}

/// `09:00-18:00` in minutes of the day.
fn minutes(interval: &str) -> Option<(u16, u16)> {
    let (from, to) = interval.split_once('-')?;
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let digits = |text: &str| text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hour) || minute.len() != 2 || !digits(minute) {
            return None;
        }
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
    };
    Some((minute(from)?, minute(to)?))
}

#[cfg(test)]
mod tests;
