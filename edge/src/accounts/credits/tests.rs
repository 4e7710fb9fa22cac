//! The rules one by one, then all of them under random histories.

use std::collections::BTreeMap;

use edge_protocol::accounts::{LedgerEntry, LedgerKind};
use edge_protocol::admission::RefusalReason;
use proptest::prelude::*;

use super::*;

const GRACE_MS: u64 = 900_000;

/// An account in memory: applies changes as the object does.
#[derive(Debug, Clone, Default, PartialEq)]
struct Book {
    sums: Sums,
    ledger: Vec<LedgerEntry>,
    calls: BTreeMap<String, CallCredits>,
}

impl Book {
    fn with(microcredits: i64) -> Self {
        let mut book = Self::default();
        book.enter(LedgerKind::Grant, microcredits, "first", 0).unwrap();
        book
    }

    fn apply(&mut self, change: Option<Change>) {
        let Some(change) = change else { return };
        if let Some(entry) = change.entry {
            assert!(self.entry(entry.kind, &entry.reference).is_none(), "{:?} is there twice", entry);
            self.ledger.push(entry);
        }
        if let Some(call) = change.call {
            self.calls.insert(call.call_id.clone(), call);
        }
        self.sums = change.sums;
        self.check();
    }

    fn check(&self) {
        let held = |call: &&CallCredits| call.state == CallState::Held;
        assert_eq!(self.ledger.iter().map(|entry| entry.microcredits).sum::<i64>(), self.sums.total);
        assert_eq!(self.calls.values().filter(held).map(|call| call.held).sum::<i64>(), self.sums.held);
        assert_eq!(self.calls.values().filter(held).count(), self.sums.active_calls as usize);
        assert!(self.sums.available() >= 0 && self.sums.held >= 0, "overdrawn: {:?}", self.sums);
        let ids: Vec<u64> = self.ledger.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, (1..=self.sums.entries).collect::<Vec<_>>());
    }

    fn entry(&self, kind: LedgerKind, reference: &str) -> Option<&LedgerEntry> {
        self.ledger.iter().find(|entry| entry.kind == kind && entry.reference == reference)
    }

    fn admit(&mut self, call_id: &str, terms: Terms, now_ms: u64) -> Result<Verdict, CreditError> {
        let (verdict, change) = admit(self.sums, self.calls.get(call_id), call_id, terms, now_ms)?;
        self.apply(change);
        Ok(verdict)
    }

    fn settle(&mut self, call_id: &str, duration_ms: u64, rate: i64, now_ms: u64) -> Settlement {
        let (settlement, change) = settle(self.sums, self.calls.get(call_id), call_id, duration_ms, rate, now_ms);
        self.apply(change);
        settlement
    }

    fn enter(
        &mut self,
        kind: LedgerKind,
        microcredits: i64,
        reference: &str,
        now_ms: u64,
    ) -> Result<LedgerEntry, CreditError> {
        let (entry, change) = enter(self.sums, self.entry(kind, reference), kind, microcredits, reference, now_ms)?;
        self.apply(change);
        Ok(entry)
    }

    fn expire_all(&mut self, now_ms: u64) {
        for call in self.calls.clone().values() {
            let change = expire(self.sums, call, now_ms);
            self.apply(change);
        }
    }
}

fn terms(max_call_s: u32, rate: i64) -> Terms {
    Terms { max_call_s, rate, max_calls: 100, grace_ms: GRACE_MS }
}

#[test]
fn a_call_holds_its_longest_time_and_pays_its_seconds() {
    let mut book = Book::with(1_000_000);
    assert_eq!(book.admit("a", terms(300, 833), 0), Ok(Verdict::Accept { max_call_s: 300 }));
    assert_eq!(book.sums.balance().held_microcredits, 249_900);
    assert_eq!(book.settle("a", 41_001, 0, 50_000), Settlement { charged: 42 * 833, uncollected: 0 });
    assert_eq!(book.sums.balance().available_microcredits, 1_000_000 - 42 * 833);
    assert_eq!(book.sums.active_calls, 0);
}

#[test]
fn a_call_is_as_long_as_the_credits_last_and_not_worth_starting_below_ten_seconds() {
    let mut book = Book::with(25 * 100);
    assert_eq!(book.admit("a", terms(300, 100), 0), Ok(Verdict::Accept { max_call_s: 25 }));
    let refused = Ok(Verdict::Refuse { reason: RefusalReason::InsufficientCredits });
    assert_eq!(book.admit("b", terms(300, 100), 0), refused);
    let mut book = Book::with(10 * 100 - 1);
    assert_eq!(book.admit("a", terms(300, 100), 0), refused);
}

#[test]
fn two_hundred_calls_against_credits_for_fifty_are_fifty_calls() {
    let mut book = Book::with(50 * 300 * 833);
    let accepted = (0..200)
        .filter(|n| matches!(book.admit(&format!("call-{n}"), terms(300, 833), 0), Ok(Verdict::Accept { .. })))
        .count();
    assert_eq!(accepted, 50);
    assert_eq!(book.sums.available(), 0);
}

#[test]
fn a_free_call_holds_nothing_but_counts() {
    let mut book = Book::default();
    let free = Terms { max_calls: 1, ..terms(300, 0) };
    assert_eq!(book.admit("a", free, 0), Ok(Verdict::Accept { max_call_s: 300 }));
    assert_eq!(book.admit("b", free, 0), Ok(Verdict::Refuse { reason: RefusalReason::AccountCallLimit }));
    assert_eq!(book.settle("a", 20_000, 0, 0), Settlement { charged: 0, uncollected: 0 });
    assert_eq!(book.admit("b", free, 0), Ok(Verdict::Accept { max_call_s: 300 }));
}

#[test]
fn a_call_longer_than_its_hold_pays_what_it_held() {
    let mut book = Book::with(1_000_000);
    book.admit("a", terms(10, 100), 0).unwrap();
    assert_eq!(book.settle("a", 12_000, 100, 0), Settlement { charged: 1000, uncollected: 200 });
    assert_eq!(book.sums.available(), 999_000);
}

#[test]
fn a_call_without_a_hold_pays_what_there_is() {
    let mut book = Book::with(1000);
    assert_eq!(book.settle("offline", 15_000, 100, 0), Settlement { charged: 1000, uncollected: 500 });
    assert_eq!(book.settle("another", 15_000, 100, 0), Settlement { charged: 0, uncollected: 1500 });
    assert_eq!(book.sums.total, 0);
}

#[test]
fn what_other_calls_hold_is_not_taken_for_a_call_without_a_hold() {
    let mut book = Book::with(2000);
    book.admit("a", terms(15, 100), 0).unwrap();
    assert_eq!(book.settle("offline", 10_000, 100, 0), Settlement { charged: 500, uncollected: 500 });
    assert_eq!(book.settle("a", 15_000, 100, 0), Settlement { charged: 1500, uncollected: 0 });
}

#[test]
fn a_hold_expires_and_a_late_end_still_pays() {
    let mut book = Book::with(10_000);
    book.admit("a", terms(60, 100), 0).unwrap();
    book.expire_all(60_000 + GRACE_MS - 1);
    assert_eq!(book.sums.held, 6000);
    book.expire_all(60_000 + GRACE_MS);
    assert_eq!((book.sums.held, book.sums.active_calls), (0, 0));
    // At the rate agreed then, whatever it is now.
    assert_eq!(book.settle("a", 20_000, 999, 0), Settlement { charged: 2000, uncollected: 0 });
    assert_eq!(book.admit("a", terms(60, 100), 0), Err(CreditError::CallOver("a".into())));
}

#[test]
fn money_comes_in_once_for_a_reference_and_goes_out_only_if_free() {
    let mut book = Book::with(1000);
    book.enter(LedgerKind::Refund, 50, "call-1", 1).unwrap();
    book.enter(LedgerKind::Refund, 50, "call-1", 2).unwrap();
    assert_eq!(book.sums.total, 1050);
    let differs = CreditError::Differs { reference: "call-1".into(), before: 50, now: 51 };
    assert_eq!(book.enter(LedgerKind::Refund, 51, "call-1", 3), Err(differs));
    book.admit("a", terms(10, 100), 0).unwrap();
    let short = CreditError::Insufficient { wanted: 51, available: 50 };
    assert_eq!(book.enter(LedgerKind::Adjustment, -51, "x", 4), Err(short));
    assert!(book.enter(LedgerKind::Adjustment, -50, "x", 4).is_ok());
    for amount in [0, -1, MAX_MICROCREDITS + 1, i64::MIN, i64::MAX] {
        assert_eq!(book.enter(LedgerKind::Grant, amount, "y", 5), Err(CreditError::Amount(amount)));
    }
    assert_eq!(book.enter(LedgerKind::Grant, MAX_MICROCREDITS, "y", 5), Err(CreditError::TooMuch(MAX_MICROCREDITS)));
}

/// Something that happens to an account. Few names, so that they repeat.
#[derive(Debug, Clone)]
enum Step {
    Admit { call: u8, max_call_s: u32, rate: i64, max_calls: u32 },
    Settle { call: u8, duration_ms: u64, rate: i64 },
    Enter { kind: LedgerKind, microcredits: i64, reference: u8 },
    Wait { ms: u64 },
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![Just(LedgerKind::Grant), Just(LedgerKind::Refund), Just(LedgerKind::Adjustment)];
    let amount = prop_oneof![4 => -60_000i64..300_000, 1 => any::<i64>(), 1 => Just(MAX_MICROCREDITS)];
    let duration = prop_oneof![6 => 0u64..400_000, 1 => any::<u64>()];
    let rate = prop_oneof![6 => 0i64..1000, 1 => any::<i64>()];
    prop_oneof![
        6 => (0u8..12, 0u32..400, rate.clone(), 0u32..6)
            .prop_map(|(call, max_call_s, rate, max_calls)| Step::Admit { call, max_call_s, rate, max_calls }),
        5 => (0u8..12, duration, rate).prop_map(|(call, duration_ms, rate)| Step::Settle { call, duration_ms, rate }),
        3 => (kind, amount, 0u8..6)
            .prop_map(|(kind, microcredits, reference)| Step::Enter { kind, microcredits, reference }),
        2 => (0u64..2_000_000).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Expire),
    ]
}

fn take(book: &mut Book, step: &Step, now_ms: u64) -> String {
    match step {
        Step::Admit { call, max_call_s, rate, max_calls } => {
            let terms = Terms { max_call_s: *max_call_s, rate: *rate, max_calls: *max_calls, grace_ms: GRACE_MS };
            format!("{:?}", book.admit(&call.to_string(), terms, now_ms))
        }
        Step::Settle { call, duration_ms, rate } => {
            let settlement = book.settle(&call.to_string(), *duration_ms, *rate, now_ms);
            assert!(settlement.charged >= 0 && settlement.uncollected >= 0);
            format!("{settlement:?}")
        }
        Step::Enter { kind, microcredits, reference } => {
            format!("{:?}", book.enter(*kind, *microcredits, &reference.to_string(), now_ms))
        }
        Step::Wait { .. } => String::new(),
        Step::Expire => {
            book.expire_all(now_ms);
            String::new()
        }
    }
}

proptest! {
    /// `Book::apply` checks the sums after every change; here also that a step taken twice is taken once.
    #[test]
    fn no_history_breaks_the_sums_and_repeating_changes_nothing(steps in proptest::collection::vec(step(), 1..120)) {
        let mut book = Book::default();
        let mut now_ms = 1_000;
        for step in &steps {
            if let Step::Wait { ms } = step {
                now_ms += ms;
            }
            let first = take(&mut book, step, now_ms);
            let after = book.clone();
            let second = take(&mut book, step, now_ms);
            // A refusal may not become an acceptance by asking again, nor the other way round.
            prop_assert_eq!(first, second);
            prop_assert_eq!(&book, &after);
        }
        // Whatever happened: when every call is settled nothing is held, and the ledger says where all of it went.
        let calls: Vec<String> = book.calls.keys().cloned().collect();
        for call in calls {
            book.settle(&call, 30_000, 1, now_ms);
        }
        prop_assert_eq!((book.sums.held, book.sums.active_calls), (0, 0));
    }
}
