//! Whether a job is tried again, and when.
//! How often at most is the queue's: `max_retries` in wrangler.toml.

use super::Outcome;

/// First delay, seconds, unless `RETRY_BASE_S` says otherwise. With five retries: 30 s, 2 min, 8 min, 32 min, 2 h.
pub const BASE_S: u32 = 30;
/// Longest delay a queue takes, seconds.
const MAX_S: u32 = 12 * 60 * 60;

/// Seconds until the next try, after `tries` of them.
pub fn delay_s(base_s: u32, tries: u32) -> u32 {
    4u32.checked_pow(tries.saturating_sub(1)).map_or(MAX_S, |factor| base_s.saturating_mul(factor)).min(MAX_S)
}

/// What an HTTP status means for a job: 2xx is done; what the other side may mend (5xx, 408, 425, 429) is tried again;
/// anything else is its last word.
pub fn outcome(who: &str, status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Done,
        408 | 425 | 429 | 500..=599 => Outcome::Retry(format!("{who} answered {status}")),
        _ => Outcome::GiveUp(format!("{who} answered {status}")),
    }
}

#[cfg(test)]
mod tests;
