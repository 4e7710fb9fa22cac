//! One account's credits and calls: holds, settlement, the ledger, the cap. What a question changes is one transaction.
//! Its rules are `credits`, its tables `store`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use edge_protocol::accounts::{Balance, LedgerKind};
use edge_protocol::live::LiveMessage;
use serde::Serialize;
use worker::{Delay, DurableObject, Env, Request, Response, State, durable_object};

use super::credits::{self, Change, CreditError, Terms, Verdict};
use super::database;
use super::store::Store;
use super::verbs::{
    AdmitAnswer, AdmitQuestion, BalanceQuestion, EnterQuestion, LedgerAnswer, LedgerQuestion, SettleAnswer,
    SettleQuestion,
};
use crate::http::ApiError;
use crate::{clock, objects};

/// How much longer than its longest time a call may go unheard of, seconds; `HOLD_GRACE_S` changes it.
const HOLD_GRACE_S: u64 = 15 * 60;
/// How long a call that is over is remembered, seconds; `CALLS_KEPT_S` changes it. Nobody asks for it so late.
const CALLS_KEPT_S: u64 = 30 * 86_400;
/// Calls are forgotten together, ms: the object is not woken for each.
const FORGET_MS: u64 = 86_400_000;
/// Most entries of the ledger in one answer.
pub const MAX_LEDGER_ENTRIES: u32 = 500;

/// How long an admission waits for others to be written with it: a write to disk takes longer.
const GATHER: Duration = Duration::from_millis(2);
/// How often dashboards are told of a balance that keeps changing.
const TELL_EVERY: Duration = Duration::from_millis(200);

#[durable_object]
pub struct Account {
    state: State,
    env: Env,
    /// `None` if the tables could not be opened; tried again with every question.
    store: RefCell<Option<Rc<Store>>>,
    /// What the alarm was last set to; `None`: not since the object woke.
    alarm_ms: Cell<Option<u64>>,
    waiting: RefCell<Vec<Waiting>>,
    /// One message about the balance is on its way at a time; what changes meanwhile goes with the next.
    telling: Rc<Telling>,
}

/// An admission that was asked for and is not answered yet.
struct Waiting {
    question: AdmitQuestion,
    answer: Rc<RefCell<Option<Result<Verdict, ApiError>>>>,
}

/// A verdict for each that waited, in order, and the store if holds were written to it.
type Decided = (Vec<Result<Verdict, CreditError>>, Option<Rc<Store>>);

#[derive(Default)]
struct Telling {
    busy: Cell<bool>,
    next: Cell<Option<Balance>>,
}

#[derive(Serialize)]
struct Publish {
    messages: Vec<LiveMessage>,
}

impl DurableObject for Account {
    fn new(state: State, env: Env) -> Self {
        let telling = Rc::default();
        let (store, alarm_ms, waiting) = (RefCell::default(), Cell::default(), RefCell::default());
        Self { state, env, store, alarm_ms, waiting, telling }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let verb = objects::verb(&request);
        match verb.as_str() {
            "admit" => objects::answer(self.admit(&mut request).await),
            "settle" => objects::answer(self.settle(&mut request).await),
            "grant" => objects::answer(self.enter(&mut request, LedgerKind::Grant).await),
            "refund" => objects::answer(self.enter(&mut request, LedgerKind::Refund).await),
            "adjust" => objects::answer(self.enter(&mut request, LedgerKind::Adjustment).await),
            "balance" => objects::answer(self.balance(&mut request).await),
            "ledger" => objects::answer(self.ledger(&mut request).await),
            _ => objects::answer::<()>(Err(ApiError::not_found(verb))),
        }
    }

    /// Expires the holds of calls that never ended, and forgets calls that are long over.
    async fn alarm(&self) -> worker::Result<Response> {
        // An error brings the alarm again, later and later.
        match self.expire().await {
            Ok(()) => Response::empty(),
            Err(error) => Err(worker::Error::RustError(error.message)),
        }
    }
}

// === impl Account ===

impl Account {
    /// Waits a moment for others that ask, so that one write to disk answers all of them.
    async fn admit(&self, request: &mut Request) -> Result<AdmitAnswer, ApiError> {
        let question: AdmitQuestion = objects::question(request).await?;
        let answer: Rc<RefCell<Option<Result<Verdict, ApiError>>>> = Rc::default();
        self.waiting.borrow_mut().push(Waiting { question, answer: Rc::clone(&answer) });
        Delay::from(GATHER).await;
        // Whoever wakes first answers everybody. Nobody depends on another to wake.
        if answer.borrow().is_none() {
            self.admit_waiting().await;
        }
        match answer.take().unwrap_or_else(|| Err(ApiError::internal("an admission without an answer")))? {
            Verdict::Accept { max_call_s } => Ok(AdmitAnswer::Accept { max_call_s }),
            Verdict::Refuse { reason } => Ok(AdmitAnswer::Refuse { reason }),
        }
    }

    /// Answers everybody who waits; what goes wrong with all of them together is everybody's answer.
    async fn admit_waiting(&self) {
        let mut waiting = self.waiting.take();
        // Who gave up needs no hold.
        waiting.retain(|one| Rc::strong_count(&one.answer) > 1);
        let refuse_all = |error: &ApiError| {
            for one in &waiting {
                one.answer.replace(Some(Err(error.clone())));
            }
        };
        match self.decide(&waiting) {
            Ok((verdicts, store)) => {
                for (one, verdict) in waiting.iter().zip(verdicts) {
                    one.answer.replace(Some(verdict.map_err(ApiError::from)));
                }
                if let Some(store) = store
                    && let Err(error) = self.await_expiry(&store).await
                {
                    refuse_all(&error);
                }
            }
            Err(error) => refuse_all(&error),
        }
    }

    fn decide(&self, waiting: &[Waiting]) -> Result<Decided, ApiError> {
        let (now_ms, store, grace_ms) = (clock::now_ms(), self.store()?, self.seconds("HOLD_GRACE_S", HOLD_GRACE_S));
        let (mut sums, mut changes, mut verdicts) = (store.sums()?, Vec::<Change>::new(), Vec::new());
        for Waiting { question, .. } in waiting {
            let call_id = question.call_id.as_str();
            let terms = Terms {
                max_call_s: question.max_call_s,
                rate: question.rate_microcredits_per_second,
                max_calls: question.max_calls,
                grace_ms,
            };
            let mut just_now = changes.iter().filter_map(|change| change.call.as_ref());
            let known = match just_now.find(|call| call.call_id == call_id) {
                Some(call) => Some(call.clone()),
                None => store.call(call_id)?,
            };
            verdicts.push(credits::admit(sums, known.as_ref(), call_id, terms, now_ms).map(|(verdict, change)| {
                if let Some(change) = change {
                    sums = change.sums;
                    changes.push(change);
                }
                verdict
            }));
        }
        self.commit(&store, &changes)?;
        Ok((verdicts, (!changes.is_empty()).then_some(store)))
    }

    async fn settle(&self, request: &mut Request) -> Result<SettleAnswer, ApiError> {
        let question: SettleQuestion = objects::question(request).await?;
        let (now_ms, store) = (clock::now_ms(), self.store()?);
        let rate = match store.call(&question.call_id)? {
            Some(call) => call.rate,
            None => database::rate(&self.env, &self.account_id()?).await?,
        };
        // Read again: something else may have happened while the rate was looked up.
        let (sums, known) = (store.sums()?, store.call(&question.call_id)?);
        let (settlement, change) =
            credits::settle(sums, known.as_ref(), &question.call_id, question.duration_ms, rate, now_ms);
        self.commit(&store, change.as_slice())?;
        Ok(SettleAnswer { charged_microcredits: settlement.charged, uncollected_microcredits: settlement.uncollected })
    }

    async fn enter(&self, request: &mut Request, kind: LedgerKind) -> Result<Balance, ApiError> {
        let question: EnterQuestion = objects::question(request).await?;
        let (now_ms, store) = (clock::now_ms(), self.store()?);
        let (sums, known) = (store.sums()?, store.entry(kind, &question.reference)?);
        let (microcredits, reference) = (question.microcredits, &question.reference);
        let (_, change) = credits::enter(sums, known.as_ref(), kind, microcredits, reference, now_ms)?;
        self.commit(&store, change.as_slice())?;
        Ok(change.map_or(sums, |change| change.sums).balance())
    }

    async fn balance(&self, request: &mut Request) -> Result<Balance, ApiError> {
        let BalanceQuestion {} = objects::question(request).await?;
        Ok(self.store()?.sums()?.balance())
    }

    async fn ledger(&self, request: &mut Request) -> Result<LedgerAnswer, ApiError> {
        let LedgerQuestion { limit, before } = objects::question(request).await?;
        Ok(LedgerAnswer { entries: self.store()?.ledger(limit.min(MAX_LEDGER_ENTRIES), before)? })
    }

    async fn expire(&self) -> Result<(), ApiError> {
        let (now_ms, store) = (clock::now_ms(), self.store()?);
        let (mut sums, mut changes) = (store.sums()?, Vec::new());
        for call in store.due(now_ms)? {
            if let Some(change) = credits::expire(sums, &call, now_ms) {
                sums = change.sums;
                changes.push(change);
            }
        }
        self.commit(&store, &changes)?;
        let kept_ms = self.seconds("CALLS_KEPT_S", CALLS_KEPT_S);
        store.forget_over(now_ms.saturating_sub(kept_ms))?;
        let forget_ms = store.first_over_ms()?.map(|over_ms| over_ms.saturating_add(kept_ms + FORGET_MS));
        self.alarm_ms.set(None);
        self.set_alarm(store.next_expiry_ms()?.into_iter().chain(forget_ms).min()).await
    }

    /// Writes what the rules said, read a moment ago without an await between, and tells the dashboards.
    fn commit(&self, store: &Store, changes: &[Change]) -> Result<(), ApiError> {
        let Some(last) = changes.last() else { return Ok(()) };
        store.commit(changes)?;
        self.tell(last.sums.balance());
        Ok(())
    }

    fn store(&self) -> Result<Rc<Store>, ApiError> {
        if let Some(store) = self.store.borrow().as_ref() {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(Store::open(self.state.storage())?);
        // The alarm is not told the object's name.
        if let Some(name) = self.state.id().name() {
            store.keep_fact("account_id", &name)?;
        }
        self.store.replace(Some(Rc::clone(&store)));
        Ok(store)
    }

    fn account_id(&self) -> Result<String, ApiError> {
        self.store()?.fact("account_id")?.ok_or_else(|| ApiError::internal("an account object without a name"))
    }

    /// Sees to it that the alarm comes when the next hold expires. Asked right after the holds were written, both are
    /// kept or neither.
    async fn await_expiry(&self, store: &Store) -> Result<(), ApiError> {
        self.set_alarm(store.next_expiry_ms()?).await
    }

    async fn set_alarm(&self, next_ms: Option<u64>) -> Result<(), ApiError> {
        let Some(next_ms) = next_ms else { return Ok(()) };
        // An alarm that comes too early finds nothing due and sets the next.
        if self.alarm_ms.get().is_some_and(|alarm_ms| alarm_ms <= next_ms) {
            return Ok(());
        }
        self.alarm_ms.set(Some(next_ms));
        let in_ms = Duration::from_millis(next_ms.saturating_sub(clock::now_ms()));
        let set = self.state.storage().set_alarm(in_ms).await;
        if set.is_err() {
            self.alarm_ms.set(None);
        }
        Ok(set?)
    }

    /// A var in seconds, as ms.
    fn seconds(&self, name: &str, default: u64) -> u64 {
        let seconds = self.env.var(name).ok().and_then(|seconds| seconds.to_string().parse().ok());
        seconds.unwrap_or(default).saturating_mul(1000)
    }

    /// Tells the account's dashboards, if there are any; nothing waits for it.
    fn tell(&self, balance: Balance) {
        self.telling.next.set(Some(balance));
        if self.telling.busy.replace(true) {
            return;
        }
        let (telling, env, account_id) = (Rc::clone(&self.telling), self.env.clone(), self.account_id());
        self.state.wait_until(async move {
            while let (Some(balance), Ok(account_id)) = (telling.next.take(), &account_id) {
                let publish = Publish { messages: vec![LiveMessage::Balance { balance }] };
                // The next change tells again.
                let _: Result<serde_json::Value, _> =
                    objects::ask(&env, "LIVE_FEEDS", account_id, "publish", &publish).await;
                Delay::from(TELL_EVERY).await;
            }
            telling.busy.set(false);
        });
    }
}

// === impl ApiError ===

impl From<CreditError> for ApiError {
    fn from(error: CreditError) -> Self {
        let message = error.to_string();
        match error {
            CreditError::Amount(_) | CreditError::Terms { .. } => Self::bad_request(message),
            CreditError::TooMuch(_) | CreditError::Differs { .. } | CreditError::CallOver(_) => Self::conflict(message),
            CreditError::Insufficient { .. } => Self::new(402, "insufficient_credits", message),
        }
    }
}
