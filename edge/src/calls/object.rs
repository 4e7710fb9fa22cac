//! One call: its events applied once and in order, what they cause, its socket for a client without a phone.
//! The rules are beside it, without `worker`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use edge_protocol::VERSION;
use edge_protocol::live::LiveMessage;
use serde_json::{Value, json};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use super::carry_out::{self, Done};
use super::effects::{self, Effect};
use super::relay;
use super::retention;
use super::sequence;
use super::state::{self, CallState};
use super::store::Store;
use super::verbs::{ApplyAnswer, ApplyQuestion, PrepareQuestion, ReadAnswer, SettledQuestion};
use crate::http::ApiError;
use crate::{clock, objects};

/// The alarm comes so long after effects were noted, ms, should the object die while it carries them out.
const CAREFUL_MS: u64 = 5_000;
/// What was prepared for a session that never came is kept so long, ms.
const UNUSED_MS: u64 = 3_600_000;

/// A call. Cheap to clone: what is carried out in the background holds on to it.
#[durable_object]
pub struct CallSession {
    call: Rc<Inner>,
}

pub(super) struct Inner {
    pub(super) state: State,
    pub(super) env: Env,
    store: RefCell<Option<Rc<Store>>>,
    /// Effects are being carried out.
    busy: Cell<bool>,
    /// Told to dashboards in order; one message is on its way at a time.
    telling: Cell<bool>,
    to_tell: RefCell<Vec<LiveMessage>>,
}

impl DurableObject for CallSession {
    fn new(state: State, env: Env) -> Self {
        let call = Inner {
            state,
            env,
            store: RefCell::default(),
            busy: Cell::default(),
            telling: Cell::default(),
            to_tell: RefCell::default(),
        };
        Self { call: Rc::new(call) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let (call, verb) = (&self.call, objects::verb(&request));
        match verb.as_str() {
            "prepare" => objects::answer(call.prepare(&mut request).await),
            "apply" => objects::answer(call.apply(&mut request).await),
            "read" => objects::answer(call.read()),
            "recording_stored" => objects::answer(call.recording_stored().await),
            "settled" => objects::answer(call.settled(&mut request).await),
            "session" => match relay::serve(call, &request) {
                Ok(response) => Ok(response),
                Err(error) => error.to_response(),
            },
            _ => objects::answer::<()>(Err(ApiError::not_found(verb))),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        // An error brings the alarm again, later and later.
        match self.call.on_alarm().await {
            Ok(()) => Response::empty(),
            Err(error) => Err(worker::Error::RustError(error.message)),
        }
    }
}

// === impl Inner ===

impl Inner {
    /// A session is to come. If none does, this is forgotten.
    async fn prepare(&self, request: &mut Request) -> Result<Value, ApiError> {
        let question: PrepareQuestion = objects::question(request).await?;
        let (store, delete_at_ms) = (self.store()?, clock::now_ms() + UNUSED_MS);
        let text = serde_json::to_string(&question).map_err(|e| ApiError::internal(e.to_string()))?;
        store.keep_fact("prepared", &text)?;
        store.keep_delete_at_ms(delete_at_ms)?;
        self.state.storage().set_alarm(Duration::from_millis(UNUSED_MS)).await?;
        Ok(json!({}))
    }

    async fn apply(self: &Rc<Self>, request: &mut Request) -> Result<ApplyAnswer, ApiError> {
        let ApplyQuestion { events, .. } = objects::question(request).await?;
        let Some(call_id) = events.first().map(|event| event.call_id.clone()) else {
            return Ok(ApplyAnswer { next_seq: self.store()?.next_seq()? });
        };
        if let Some(event) = events.iter().find(|event| event.v != VERSION || event.call_id != call_id) {
            return Err(ApiError::bad_request(format!("event {} is not one of this call and version", event.seq)));
        }
        self.change(&call_id, |store, call| {
            let events = sequence::following(store.next_seq()?, events);
            for event in &events {
                store.append(event)?;
                call.apply(event);
            }
            Ok(events.into_iter().map(|event| LiveMessage::Event { event, call: None }).collect())
        })
        .await?;
        Ok(ApplyAnswer { next_seq: self.store()?.next_seq()? })
    }

    fn read(self: &Rc<Self>) -> Result<ReadAnswer, ApiError> {
        let (store, call) = self.known()?;
        if store.next_due_ms()?.is_some() {
            // Whoever should have done it may be gone.
            self.carry_out_soon();
        }
        let events = store.events()?;
        Ok(ReadAnswer { summary: call.summary, transcript: state::transcript(&events), events })
    }

    async fn recording_stored(self: &Rc<Self>) -> Result<Value, ApiError> {
        let (_, call) = self.known()?;
        self.change(&call.summary.call_id, |store, call| {
            if !std::mem::replace(&mut call.summary.recorded, true) && call.ended() && call.account_id().is_some() {
                store.plan_again(Effect::Record, clock::now_ms())?;
            }
            Ok(vec![])
        })
        .await?;
        Ok(json!({}))
    }

    async fn settled(self: &Rc<Self>, request: &mut Request) -> Result<Value, ApiError> {
        let SettledQuestion { microcredits } = objects::question(request).await?;
        let (_, call) = self.known()?;
        self.change(&call.summary.call_id, |store, call| {
            if call.summary.cost_microcredits.replace(microcredits) != Some(microcredits) && call.ended() {
                store.plan_again(Effect::Record, clock::now_ms())?;
            }
            Ok(vec![])
        })
        .await?;
        Ok(json!({}))
    }

    /// Changes the call, notes what that causes, sees to it that it happens, and tells dashboards: the messages of
    /// `change`, and the call as it is then if anything changed.
    async fn change(
        self: &Rc<Self>,
        call_id: &str,
        change: impl FnOnce(&Store, &mut CallState) -> Result<Vec<LiveMessage>, ApiError>,
    ) -> Result<(), ApiError> {
        let (store, now_ms) = (self.store()?, clock::now_ms());
        let (call, mut messages, changed, to_wake) = store.together(|store| {
            let before = store.state()?;
            let mut call = before.clone().unwrap_or_else(|| CallState::new(call_id));
            let messages = change(store, &mut call)?;
            if call.ended() {
                store.plan(effects::of_end(&call), now_ms)?;
            }
            if call.summary.recorded {
                store.plan(effects::of_recording(&call), now_ms)?;
            }
            let changed = before.as_ref() != Some(&call);
            let mut to_wake = false;
            if changed {
                store.keep_state(&call)?;
                let noted_ms = store.delete_at_ms()?;
                if let Some(until_ms) = retention::until_ms(&call, noted_ms, now_ms) {
                    store.keep_delete_at_ms(until_ms)?;
                    // Where it was noted before there is an alarm, which sets the next.
                    to_wake = noted_ms.is_none();
                }
            }
            Ok((call, messages, changed, to_wake))
        })?;
        if store.next_due_ms()?.is_some() {
            // Asked right after the writes: both are kept or neither.
            self.state.storage().set_alarm(Duration::from_millis(CAREFUL_MS)).await?;
            self.carry_out_soon();
        } else if to_wake {
            self.state.storage().set_alarm(Duration::from_millis(retention::SILENT_MS)).await?;
        }
        // An admitted call that has not started is no call to look at yet.
        if changed && call.summary.started_at_ms > 0 {
            match messages.last_mut() {
                Some(LiveMessage::Event { call: after, .. }) => *after = Some(Box::new(call.summary.clone())),
                _ => messages.push(LiveMessage::Call { call: call.summary.clone() }),
            }
        }
        if let Some(account_id) = call.account_id() {
            self.tell(account_id.to_owned(), messages);
        }
        Ok(())
    }

    /// Tells the account's dashboards, in order, without anybody waiting. Who is not reached looks again later.
    fn tell(self: &Rc<Self>, account_id: String, messages: Vec<LiveMessage>) {
        if messages.is_empty() {
            return;
        }
        self.to_tell.borrow_mut().extend(messages);
        if self.telling.replace(true) {
            return;
        }
        let call = Rc::clone(self);
        self.state.wait_until(async move {
            loop {
                let messages = std::mem::take(&mut *call.to_tell.borrow_mut());
                if messages.is_empty() {
                    break;
                }
                let publish = json!({ "messages": messages });
                let _: Result<Value, _> = objects::ask(&call.env, "LIVE_FEEDS", &account_id, "publish", &publish).await;
            }
            call.telling.set(false);
        });
    }

    fn carry_out_soon(self: &Rc<Self>) {
        let call = Rc::clone(self);
        self.state.wait_until(async move {
            if let Err(error) = call.carry_out().await {
                worker::console_error!("effects of a call: {}", error.message);
            }
        });
    }

    /// Carries out what is due and sets the alarm for what is left.
    async fn carry_out(self: &Rc<Self>) -> Result<(), ApiError> {
        if self.busy.replace(true) {
            return Ok(());
        }
        let carried_out = self.carry_out_due().await;
        self.busy.set(false);
        let store = self.store()?;
        let now_ms = clock::now_ms();
        let next_ms = match store.next_due_ms()? {
            Some(due_ms) => Some(due_ms.saturating_sub(now_ms).max(200)),
            None => store.delete_at_ms()?.map(|at_ms| at_ms.saturating_sub(now_ms)),
        };
        if let Some(in_ms) = next_ms {
            self.state.storage().set_alarm(Duration::from_millis(in_ms)).await?;
        }
        carried_out
    }

    async fn carry_out_due(self: &Rc<Self>) -> Result<(), ApiError> {
        let store = self.store()?;
        // Each at most once in a round; what a round makes due comes in the next, which the alarm begins at once.
        for (effect, tries) in store.due(clock::now_ms())? {
            if effect.after().map(|before| store.is_open(before)).transpose()? == Some(true) {
                store.later(effect, tries + 1, clock::now_ms())?;
                continue;
            }
            let Some(call) = store.state()? else { return Ok(()) };
            match carry_out::carry_out(&self.env, effect, &call).await {
                Ok(done) => {
                    let changed = done != Done::Plainly && self.note(&store, effect, done)?;
                    // What changed while it was carried out is told again.
                    let same = store.state()?.is_some_and(|now| now.summary == call.summary);
                    if same || effect != Effect::Record {
                        store.done(effect)?;
                    }
                    if changed {
                        self.tell_call(&store)?;
                    }
                }
                Err(error) => {
                    let call_id = &call.summary.call_id;
                    worker::console_warn!("call {call_id}: {} failed: {}", effect.name(), error.message);
                    store.later(effect, tries + 1, clock::now_ms())?;
                }
            }
        }
        Ok(())
    }

    /// Keeps what was learned on the way; whether the call changed by it.
    fn note(&self, store: &Store, effect: Effect, done: Done) -> Result<bool, ApiError> {
        match done {
            Done::Plainly => Ok(false),
            Done::Cost(microcredits) => store.together(|store| {
                let Some(mut call) = store.state()? else { return Ok(false) };
                call.summary.cost_microcredits = Some(microcredits);
                store.keep_state(&call)?;
                store.done(effect)?;
                store.plan_again(Effect::Record, clock::now_ms())?;
                Ok(true)
            }),
            Done::KeptUntil(at_ms) => {
                // Of a call that was long over when its events came, the recording is still to come.
                store.keep_delete_at_ms(at_ms.max(clock::now_ms() + retention::DAY_MS))?;
                Ok(false)
            }
        }
    }

    fn tell_call(self: &Rc<Self>, store: &Store) -> Result<(), ApiError> {
        if let Some(call) = store.state()?
            && let Some(account_id) = call.account_id()
        {
            self.tell(account_id.to_owned(), vec![LiveMessage::Call { call: call.summary.clone() }]);
        }
        Ok(())
    }

    async fn on_alarm(self: &Rc<Self>) -> Result<(), ApiError> {
        let store = self.store()?;
        let over = store.delete_at_ms()?.is_some_and(|at_ms| at_ms <= clock::now_ms());
        if over && store.next_due_ms()?.is_none() {
            // The database keeps the summary.
            self.store.take();
            self.state.storage().delete_all().await?;
            return Ok(());
        }
        if self.busy.get() {
            self.state.storage().set_alarm(Duration::from_millis(CAREFUL_MS)).await?;
            return Ok(());
        }
        self.carry_out().await
    }

    /// A call that is known. Asking for one that is not leaves nothing behind.
    fn known(&self) -> Result<(Rc<Store>, CallState), ApiError> {
        let unknown = || ApiError::not_found("no such call");
        if self.store.borrow().is_none() && Store::find(self.state.storage())?.is_none() {
            return Err(unknown());
        }
        let store = self.store()?;
        let call = store.state()?.ok_or_else(unknown)?;
        Ok((store, call))
    }

    pub(super) fn store(&self) -> Result<Rc<Store>, ApiError> {
        if let Some(store) = self.store.borrow().as_ref() {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(Store::open(self.state.storage())?);
        self.store.replace(Some(Rc::clone(&store)));
        Ok(store)
    }
}
