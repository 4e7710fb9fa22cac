//! How it feels to talk to an agent: questions, pauses, interruptions and sounds, one call each, many at a time.
//! What is said in a call is `items`, how it is heard `scene`; the numbers are `report::FeelReport`.

mod items;
mod scene;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use items::{Kind, SetMissing};
pub use scene::Outcome;

use crate::caller::media::LegReport;
use crate::caller::{CallEnded, DialError, Phone, Target};
use items::Item;
use scene::Scene;

/// Between the first calls, so that they do not all do the same at the same time.
const APART: Duration = Duration::from_millis(137);

/// What to do.
pub struct Plan {
    pub target: Target,
    /// Calls at a time.
    pub callers: usize,
    pub kinds: Vec<Kind>,
    /// Calls of each kind at most.
    pub most: usize,
}

/// What one call led to.
pub struct Tried {
    pub kind: Kind,
    /// What was said.
    pub name: String,
    pub outcome: Result<Outcome, Failed>,
    /// `None` if there was no call, or its thread is gone.
    pub media: Option<LegReport>,
}

/// Why a call tells nothing.
#[derive(Debug, Error)]
pub enum Failed {
    #[error("no call: {0}")]
    Dial(#[from] DialError),
    #[error("the call was over: {0}")]
    Ended(#[from] CallEnded),
}

/// Why nothing could be tried.
#[derive(Debug, Error)]
pub enum NotTried {
    #[error(transparent)]
    Set(#[from] SetMissing),
    #[error("the first call: {0}")]
    First(#[from] Failed),
    #[error("the first question was not answered")]
    NotAnswered,
}

/// Runs all of it. `on_done` is told how many calls of how many are over.
///
/// # Errors
/// [`NotTried`] if already the first call shows that there is nothing to be measured.
pub async fn run(
    phone: Arc<Phone>,
    plan: Plan,
    stop: CancellationToken,
    on_done: impl Fn(usize, usize),
) -> Result<(Duration, Vec<Tried>), NotTried> {
    let mut items = items::items(&plan.kinds, plan.most)?;
    let reply = length_of_reply(&phone, &plan.target, &items).await?;
    items.iter_mut().for_each(|item| item.reply = reply);
    let all = items.len();
    let waiting = Arc::new(Mutex::new(VecDeque::from(items)));
    let (done, mut results) = tokio::sync::mpsc::unbounded_channel();
    let mut callers = JoinSet::new();
    for n in 0..plan.callers {
        let (phone, waiting, target) = (phone.clone(), waiting.clone(), plan.target.clone());
        let (done, stop) = (done.clone(), stop.clone());
        callers.spawn(async move {
            tokio::time::sleep(APART * n as u32).await;
            let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            while let Some(item) = next().filter(|_| !stop.is_cancelled()) {
                let _ = done.send(tried(&phone, &target, item).await);
            }
        });
    }
    drop(done);
    let mut tried = Vec::with_capacity(all);
    while let Some(one) = results.recv().await {
        tried.push(one);
        on_done(tried.len(), all);
    }
    Ok((reply, tried))
}

async fn tried(phone: &Phone, target: &Target, item: Item) -> Tried {
    let (outcome, media) = match Scene::begin(phone, target).await {
        Ok(mut scene) => {
            let outcome = scene.play(&item).await.map_err(Failed::Ended);
            (outcome, scene.hang_up().await)
        }
        Err(failed) => (Err(failed), None),
    };
    Tried { kind: item.kind, name: item.name, outcome, media }
}

/// How long the agent speaks when nobody says anything: what its answer is compared with.
async fn length_of_reply(phone: &Phone, target: &Target, items: &[Item]) -> Result<Duration, NotTried> {
    let Some(question) = items.first().map(|item| &item.question) else { return Ok(Duration::ZERO) };
    let mut scene = Scene::begin(phone, target).await?;
    let length = scene.whole_answer(question).await.map_err(Failed::Ended)?;
    scene.hang_up().await;
    length.ok_or(NotTried::NotAnswered)
}
