//! Fills one cache entry at a time, however many ask for it: who comes while the source is being read waits for the
//! same answer. An object, because one request's reading must not be awaited in another's.

use std::cell::{Cell, RefCell};

use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use serde::{Deserialize, Serialize};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use super::entry::{Entry, Source};
use super::{layers, source, version};
use crate::clock;
use crate::http::ApiError;
use crate::objects;

type Reading = Shared<LocalBoxFuture<'static, Result<Option<Entry>, ApiError>>>;

/// What the verb `fill` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filled {
    pub entry: Option<Entry>,
    /// How often this object has asked the source since it woke.
    pub readings: u32,
}

#[durable_object]
pub struct CacheFill {
    _state: State,
    env: Env,
    /// The value read last, while it is fresh: KV takes a moment to show it everywhere.
    kept: RefCell<Option<Entry>>,
    reading: RefCell<Option<Reading>>,
    readings: Cell<u32>,
    /// Counts `forget`s: a reading begun before one is not kept.
    forgotten: Cell<u32>,
}

impl DurableObject for CacheFill {
    fn new(state: State, env: Env) -> Self {
        Self {
            _state: state,
            env,
            kept: RefCell::default(),
            reading: RefCell::default(),
            readings: Cell::new(0),
            forgotten: Cell::new(0),
        }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        match objects::verb(&request).as_str() {
            "fill" => objects::answer(self.fill(&mut request).await),
            "forget" => objects::answer(self.forget()),
            verb => objects::answer::<()>(Err(ApiError::not_found(verb))),
        }
    }
}

// === impl CacheFill ===

impl CacheFill {
    async fn fill(&self, request: &mut Request) -> Result<Filled, ApiError> {
        let source: Source = objects::question(request).await?;
        let kept = self.kept.borrow().clone().filter(|entry| entry.is_fresh(clock::now_ms()));
        let entry = match kept {
            Some(entry) => Some(entry),
            None => self.read(source).await?,
        };
        Ok(Filled { entry, readings: self.readings.get() })
    }

    async fn read(&self, source: Source) -> Result<Option<Entry>, ApiError> {
        let generation = self.forgotten.get();
        let under_way = self.reading.borrow().clone();
        let reading = under_way.unwrap_or_else(|| self.begin(source.clone()));
        let outcome = reading.clone().await;
        let first = self.reading.borrow().as_ref().is_some_and(|current| current.ptr_eq(&reading));
        if first {
            self.reading.replace(None);
            if let (Ok(Some(entry)), true) = (&outcome, generation == self.forgotten.get()) {
                self.kept.replace(Some(entry.clone()));
                layers::put_kv(&self.env, &source.key(&version(&self.env)), entry, clock::now_ms()).await;
            }
        }
        outcome
    }

    fn begin(&self, source: Source) -> Reading {
        let env = self.env.clone();
        let reading = async move { source::read(&env, &source).await }.boxed_local().shared();
        self.readings.set(self.readings.get().saturating_add(1));
        self.reading.replace(Some(reading.clone()));
        reading
    }

    fn forget(&self) -> Result<(), ApiError> {
        self.forgotten.set(self.forgotten.get().wrapping_add(1));
        self.kept.replace(None);
        self.reading.replace(None);
        Ok(())
    }
}
