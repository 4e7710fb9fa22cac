//! The rules of prepaid credits: grants, holds, settlement, expiry. Pure: what is known goes in, what changes comes out.
//! Where it is kept is `store`'s, who may ask is the routes'.
//!
//! Two things hold after every change: the sum of the ledger is the total, and what calls hold is never more than the
//! total. So the account is never overdrawn, whatever is repeated, late or out of order.

use edge_protocol::accounts::{Balance, LedgerEntry, LedgerKind};
use edge_protocol::admission::RefusalReason;
use thiserror::Error;

/// Shorter calls are not worth answering, seconds: credits for less are no credits.
pub const MIN_CALL_S: u32 = 10;
/// Longest call anybody can hold credits for, seconds.
pub const MAX_CALL_S: u32 = 86_400;
/// Most that one entry may move and one account may have: a billion credits. Far below 2^53, so that every sum is exact
/// in JavaScript's numbers too.
pub const MAX_MICROCREDITS: i64 = 1_000_000_000_000_000;
/// Dearest call, microcredits per second: a thousand credits.
pub const MAX_RATE: i64 = 1_000_000_000;

/// The account's money in sums. The ledger and the calls say the same in detail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Sum of all ledger entries.
    pub total: i64,
    /// Held by calls that are not settled.
    pub held: i64,
    /// Calls that hold credits now, be it none because they are free.
    pub active_calls: u32,
    /// Ledger entries; the last one's id.
    pub entries: u64,
}

/// What the account knows of a call's money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCredits {
    pub call_id: String,
    /// Microcredits per second, as agreed when the call started.
    pub rate: i64,
    /// What was promised to the call; 0 if it was never asked for.
    pub max_call_s: u32,
    /// Held for the call, now or before it was settled.
    pub held: i64,
    /// When the hold ends even if nobody says that the call did, ms since the Unix epoch.
    pub expires_at_ms: u64,
    pub state: CallState,
}

/// Where a call's money stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// The call runs, as far as is known.
    Held,
    /// Nobody said that it ended; what it held is free again. It may still be settled.
    Expired,
    Settled {
        charged: i64,
        /// What the seconds cost beyond what was there to pay for them.
        uncollected: i64,
    },
}

/// What a call asks to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Longest call its agent allows, seconds.
    pub max_call_s: u32,
    /// Microcredits per second.
    pub rate: i64,
    /// Calls the account may have at the same time.
    pub max_calls: u32,
    /// How much longer than its longest time a call may go unheard of, ms.
    pub grace_ms: u64,
}

/// Whether a call may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may, for so many seconds.
    Accept {
        max_call_s: u32,
    },
    Refuse {
        reason: RefusalReason,
    },
}

/// What a call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    pub charged: i64,
    pub uncollected: i64,
}

/// What is to be written, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub sums: Sums,
    pub entry: Option<LedgerEntry>,
    pub call: Option<CallCredits>,
}

/// What cannot be done with the account's credits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CreditError {
    #[error("{0} microcredits: must be 1 to {MAX_MICROCREDITS}")]
    Amount(i64),
    #[error("{0} microcredits would bring the account over {MAX_MICROCREDITS}")]
    TooMuch(i64),
    #[error("{wanted} microcredits are to be taken, {available} are available")]
    Insufficient { wanted: i64, available: i64 },
    #[error("`{reference}` was entered before with {before} microcredits, not {now}")]
    Differs { reference: String, before: i64, now: i64 },
    #[error("{field} {value}: must be at most {max}")]
    Terms { field: &'static str, value: i64, max: i64 },
    #[error("the call {0} is over")]
    CallOver(String),
}

// === impl Sums ===

impl Sums {
    pub fn available(&self) -> i64 {
        self.total - self.held
    }

    pub fn balance(&self) -> Balance {
        Balance {
            total_microcredits: self.total,
            held_microcredits: self.held,
            available_microcredits: self.available(),
            active_calls: self.active_calls,
        }
    }

    fn with_entry(&mut self, kind: LedgerKind, microcredits: i64, reference: &str, now_ms: u64) -> LedgerEntry {
        self.entries += 1;
        self.total += microcredits;
        LedgerEntry { id: self.entries, at_ms: now_ms, kind, microcredits, reference: reference.to_owned() }
    }

    fn release(&mut self, call: &CallCredits) {
        self.held -= call.held;
        self.active_calls = self.active_calls.saturating_sub(1);
    }
}

/// May the call start? Holds what its longest time costs, or what there is for less. Asked again, the answer is the
/// same and nothing is held again; a refusal is not remembered.
///
/// # Errors
/// Terms out of range, or a call that was settled or given up before.
pub fn admit(
    sums: Sums,
    known: Option<&CallCredits>,
    call_id: &str,
    terms: Terms,
    now_ms: u64,
) -> Result<(Verdict, Option<Change>), CreditError> {
    match known {
        Some(CallCredits { state: CallState::Held, max_call_s, .. }) => {
            return Ok((Verdict::Accept { max_call_s: *max_call_s }, None));
        }
        Some(_) => return Err(CreditError::CallOver(call_id.to_owned())),
        None => {}
    }
    at_most("max_call_s", terms.max_call_s.into(), MAX_CALL_S.into())?;
    at_most("rate", terms.rate, MAX_RATE)?;
    if sums.active_calls >= terms.max_calls {
        return Ok((Verdict::Refuse { reason: RefusalReason::AccountCallLimit }, None));
    }
    let affordable = if terms.rate == 0 { i64::from(MAX_CALL_S) } else { sums.available() / terms.rate };
    if affordable < i64::from(MIN_CALL_S.min(terms.max_call_s)) {
        return Ok((Verdict::Refuse { reason: RefusalReason::InsufficientCredits }, None));
    }
    let max_call_s = u32::try_from(affordable).unwrap_or(u32::MAX).min(terms.max_call_s);
    let call = CallCredits {
        call_id: call_id.to_owned(),
        rate: terms.rate,
        max_call_s,
        held: terms.rate * i64::from(max_call_s),
        expires_at_ms: now_ms + u64::from(max_call_s) * 1000 + terms.grace_ms,
        state: CallState::Held,
    };
    let sums = Sums { held: sums.held + call.held, active_calls: sums.active_calls + 1, ..sums };
    Ok((Verdict::Accept { max_call_s }, Some(Change { sums, entry: None, call: Some(call) })))
}

/// The call is over: charges its seconds, at most what it holds, and frees the rest. A call that holds nothing (it was
/// let in while the edge was away, or its hold expired) pays from what is available, at most all of it.
/// Settled again, the first settlement stands.
pub fn settle(
    sums: Sums,
    known: Option<&CallCredits>,
    call_id: &str,
    duration_ms: u64,
    rate: i64,
    now_ms: u64,
) -> (Settlement, Option<Change>) {
    if let Some(CallCredits { state: CallState::Settled { charged, uncollected }, .. }) = known {
        return (Settlement { charged: *charged, uncollected: *uncollected }, None);
    }
    let rate = known.map_or(rate, |call| call.rate).clamp(0, MAX_RATE);
    let seconds = i64::try_from(duration_ms.div_ceil(1000)).unwrap_or(i64::MAX);
    let cost = seconds.saturating_mul(rate);
    let mut sums = sums;
    let limit = match known {
        Some(call) if call.state == CallState::Held => {
            sums.release(call);
            call.held
        }
        _ => sums.available(),
    };
    let charged = cost.min(limit);
    let settlement = Settlement { charged, uncollected: cost - charged };
    let entry = (charged > 0).then(|| sums.with_entry(LedgerKind::CallCharge, -charged, call_id, now_ms));
    let before = known.cloned().unwrap_or_else(|| CallCredits {
        call_id: call_id.to_owned(),
        rate,
        max_call_s: 0,
        held: 0,
        expires_at_ms: now_ms,
        state: CallState::Expired,
    });
    let state = CallState::Settled { charged, uncollected: settlement.uncollected };
    (settlement, Some(Change { sums, entry, call: Some(CallCredits { state, ..before }) }))
}

/// Gives up on a call nobody said the end of: what it held is free again.
pub fn expire(sums: Sums, call: &CallCredits, now_ms: u64) -> Option<Change> {
    if call.state != CallState::Held || call.expires_at_ms > now_ms {
        return None;
    }
    let mut sums = sums;
    sums.release(call);
    Some(Change { sums, entry: None, call: Some(CallCredits { state: CallState::Expired, ..call.clone() }) })
}

/// Moves money by an entry of its own: grants and refunds bring some, adjustments bring or take. `known` is the entry
/// with the same kind and reference, if there is one: entered again, it is the same entry.
///
/// # Errors
/// An amount out of range, more than may be taken, or a reference that was used for another amount.
pub fn enter(
    sums: Sums,
    known: Option<&LedgerEntry>,
    kind: LedgerKind,
    microcredits: i64,
    reference: &str,
    now_ms: u64,
) -> Result<(LedgerEntry, Option<Change>), CreditError> {
    if let Some(entry) = known {
        return if entry.microcredits == microcredits {
            Ok((entry.clone(), None))
        } else {
            let reference = reference.to_owned();
            Err(CreditError::Differs { reference, before: entry.microcredits, now: microcredits })
        };
    }
    let may_take = matches!(kind, LedgerKind::Adjustment | LedgerKind::CallCharge);
    let size = microcredits.checked_abs().unwrap_or(i64::MAX);
    if size == 0 || size > MAX_MICROCREDITS || (microcredits < 0 && !may_take) {
        return Err(CreditError::Amount(microcredits));
    }
    if sums.total + microcredits > MAX_MICROCREDITS {
        return Err(CreditError::TooMuch(microcredits));
    }
    if microcredits < 0 && size > sums.available() {
        return Err(CreditError::Insufficient { wanted: size, available: sums.available() });
    }
    let mut sums = sums;
    let entry = sums.with_entry(kind, microcredits, reference, now_ms);
    Ok((entry.clone(), Some(Change { sums, entry: Some(entry), call: None })))
}

fn at_most(field: &'static str, value: i64, max: i64) -> Result<(), CreditError> {
    if (0..=max).contains(&value) { Ok(()) } else { Err(CreditError::Terms { field, value, max }) }
}

#[cfg(test)]
mod tests;
