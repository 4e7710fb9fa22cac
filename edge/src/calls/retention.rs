//! How long a call's object keeps what it knows when nothing else says so.
//! A call that ended and has an account is kept as long as the account says: `carry_out`.

use super::state::CallState;

/// A call that has no account, or whose end never comes, is forgotten so long after the last event, ms: 30 days.
pub const SILENT_MS: u64 = 30 * DAY_MS;
/// Nothing that was just learned is forgotten sooner, ms.
pub const DAY_MS: u64 = 86_400_000;

/// Until when a call that just changed is kept, if that is to be noted anew. It is moved a day at a time: not every
/// event is worth a write.
pub fn until_ms(call: &CallState, noted_ms: Option<u64>, now_ms: u64) -> Option<u64> {
    if call.ended() && call.account_id().is_some() {
        return None;
    }
    noted_ms.is_none_or(|noted_ms| noted_ms + DAY_MS < now_ms + SILENT_MS).then_some(now_ms + SILENT_MS)
}

#[cfg(test)]
mod tests;
