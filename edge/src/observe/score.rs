//! What the bindings' checks add up to: ok, degraded or down, and a number from 0 to 100.
//! The checks are `health`'s.

use serde::Serialize;

/// How one binding fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    #[serde(skip)]
    pub name: &'static str,
    pub ok: bool,
    /// How long it took to answer.
    pub ms: u64,
    /// Without it no call can be admitted or kept.
    #[serde(skip)]
    pub needed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// Calls go on; something else does not.
    Degraded,
    /// Something calls need is gone: 503.
    Down,
}

/// What all checks together say.
pub fn status(checks: &[Check]) -> Status {
    if checks.iter().any(|check| check.needed && !check.ok) {
        Status::Down
    } else if checks.iter().any(|check| !check.ok) {
        Status::Degraded
    } else {
        Status::Ok
    }
}

/// Share of what works, in per cent. What calls need counts three times.
pub fn score(checks: &[Check]) -> u32 {
    let weight = |check: &Check| if check.needed { 3 } else { 1 };
    let all: u32 = checks.iter().map(weight).sum();
    let working: u32 = checks.iter().filter(|check| check.ok).map(weight).sum();
    (working * 100).checked_div(all).unwrap_or(100)
}

#[cfg(test)]
mod tests;
