//! Offers of ours in an answered call, by re-INVITE or UPDATE: their turn, glare, the answer (RFC 3261 14.1,
//! RFC 3311 5.1). Not here: offers that come in (`requests`), the way a request takes (`sending`).

use super::core::DialogCore;
use super::refresh;
use crate::SipError;
use crate::agent::{Agent, lock};
use crate::digest::client::Attempts;
use crate::message::body::{self, Body};
use crate::message::request;
use crate::session_timer::min_se_of;
use crate::transport::Flow;
use crate::wake::Wake;
use rsipstack::sip::{Header, Method, Request, Response, SipMessage};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often an offer that met one of theirs is made again.
const ATTEMPTS: usize = 6;

/// How many times 64*T1 a re-INVITE may stay without a final answer before it is cancelled: 192 s, more than
/// Timer C (RFC 3261 16.6).
const PATIENCE: u32 = 6;

/// What a re-INVITE or UPDATE of ours says about the media.
pub(super) enum Change {
    Offer(String),
    /// The description that is in force already.
    Same(String),
    /// Nothing: an UPDATE that only refreshes.
    Nothing,
}

/// Sends `offer` and returns the answer's SDP.
pub(super) async fn offer(
    agent: &Arc<Agent>,
    core: &Arc<DialogCore>,
    method: Method,
    offer: String,
) -> Result<String, SipError> {
    let change = Change::Offer(offer);
    let response = exchange(agent, core, method, &change).await?;
    let Body::Sdp(answer) = body::read(&response, &response.body) else {
        return Err(SipError::NoAnswer { method: method.to_string() });
    };
    if let Change::Offer(offer) = change {
        lock(&core.session).described(offer, None);
    }
    Ok(answer)
}

/// Sends a re-INVITE or UPDATE in its turn, again after a glare, until the dialog's end at the latest.
pub(super) async fn exchange(
    agent: &Arc<Agent>,
    core: &Arc<DialogCore>,
    method: Method,
    change: &Change,
) -> Result<Response, SipError> {
    let made = async {
        core.settled.cancelled().await;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let turn = core.turns.ours().await;
            let answer = attempt(agent, core, method, change).await;
            let again = if attempts < ATTEMPTS {
                answer.as_ref().ok().and_then(|answer| again(agent, core, answer))
            } else {
                None
            };
            if let Some(wait) = again {
                drop(turn);
                tokio::time::sleep(wait).await;
                continue;
            }
            let answer = core.heed(agent, method, answer);
            if let Ok(response) = &answer {
                core.refresh_target(response, None);
                refresh::agreed(agent, core, response);
            }
            return answer;
        }
    };
    tokio::select! {
        answer = made => answer,
        () = core.ended.cancelled() => Err(SipError::Ended(format!("during {method}"))),
    }
}

/// When to ask again after an answer that wants it: 491, or 422 with a longer session in mind (RFC 4028 7.3).
fn again(agent: &Agent, core: &DialogCore, answer: &Response) -> Option<Duration> {
    match answer.status_code.code() {
        491 => Some(glare_wait(agent, core)),
        422 => {
            let least = min_se_of(&answer.headers)?;
            let mut lifetime = lock(&core.lifetime);
            let longer = least > lifetime.least;
            lifetime.least = lifetime.least.max(least);
            longer.then_some(Duration::ZERO)
        }
        _ => None,
    }
}

/// RFC 3261 14.1: 2.1 to 4 s if the Call-ID is ours, else 0 to 2 s, in units of 10 ms; in proportion to T1.
fn glare_wait(agent: &Agent, core: &DialogCore) -> Duration {
    let (least, most) = if core.owns_call_id { (210, 400) } else { (0, 200) };
    let units: u32 = rand::random_range(least..=most);
    // T1 is 500 ms, 50 units, by the book.
    agent.timers.t1 * units / 50
}

async fn attempt(agent: &Arc<Agent>, core: &DialogCore, method: Method, change: &Change) -> Result<Response, SipError> {
    let headers = {
        let lifetime = lock(&core.lifetime);
        let agreed = lifetime.seen_from_us();
        // Without a word of it the timer would end (RFC 4028 7.4).
        agreed.map(|agreed| agent.session_timers.wish(Some(agreed), lifetime.least)).unwrap_or_default()
    };
    let body = match change {
        Change::Offer(sdp) | Change::Same(sdp) => Some(("application/sdp", sdp.as_bytes().to_vec())),
        Change::Nothing => None,
    };
    match method {
        Method::Invite => invite(agent, core, headers, body).await,
        _ => core.exchange(agent, method, headers, body).await,
    }
}

/// Sends a re-INVITE and waits for its final response. Challenges are answered.
async fn invite(
    agent: &Arc<Agent>,
    core: &DialogCore,
    headers: Vec<Header>,
    body: Option<(&str, Vec<u8>)>,
) -> Result<Response, SipError> {
    let (mut request, flow) = core.request(agent, Method::Invite, headers, body).await?;
    let mut attempts = Attempts::default();
    loop {
        let response = transact(agent, request.clone(), &flow).await?;
        match core.answer_challenge(agent, &request, &response, &flow, &mut attempts) {
            Some(signed) => request = signed,
            None => return Ok(response),
        }
    }
}

/// One INVITE transaction. The task that owns it goes on for 64*T1, to acknowledge repeated 200s.
async fn transact(agent: &Arc<Agent>, invite: Request, flow: &Flow) -> Result<Response, SipError> {
    let failed = |why: String| SipError::Send { method: Method::Invite.to_string(), why };
    let key = TransactionKey::from_request(&invite, TransactionRole::Client).map_err(|e| failed(e.to_string()))?;
    let mut transaction = Transaction::new_client(key, invite, agent.stack.clone(), Some(flow.connection.clone()));
    transaction.destination = Some(flow.destination.clone());
    let (done, answer) = oneshot::channel();
    agent.spawn(follow(agent.clone(), transaction, flow.clone(), done));
    answer.await.map_err(|_| SipError::Refused {
        method: Method::Invite.to_string(),
        code: 408,
        reason: "No Answer After CANCEL".to_owned(),
    })
}

/// Owns a re-INVITE of ours to its end.
async fn follow(agent: Arc<Agent>, mut transaction: Transaction, flow: Flow, done: oneshot::Sender<Response>) {
    if let Err(error) = transaction.send().await {
        tracing::debug!(key = %transaction.key, %error, "cannot send a re-INVITE");
        return;
    }
    let mut done = Some(done);
    let limit = Limit::watch(&agent, &transaction);
    loop {
        match transaction.receive().await {
            Some(SipMessage::Response(response)) if response.status_code.code() >= 200 => {
                if let Some(done) = done.take() {
                    let _ = done.send(response);
                }
            }
            Some(_) => {}
            None if transaction.is_terminated() => return,
            // Woken by the limit.
            None if done.is_none() => {}
            None if limit.is_final() => return,
            None => {
                let cancel = request::cancel(&transaction.original, None, &agent.user_agent);
                let (sender, flow) = (agent.clone(), flow.clone());
                agent.spawn(async move { drop(sender.transact(cancel, flow).await) });
            }
        }
    }
}

/// Wakes the task of a re-INVITE when it is to send CANCEL, and 64*T1 later when it is to give up (RFC 3261 9.1).
struct Limit {
    passed: Arc<AtomicBool>,
    /// Its end ends the watch.
    _watched: oneshot::Sender<()>,
}

impl Limit {
    fn watch(agent: &Arc<Agent>, transaction: &Transaction) -> Self {
        let (watched, gone) = oneshot::channel();
        let passed = Arc::<AtomicBool>::default();
        let (set, task) = (passed.clone(), Wake::of(transaction));
        let timeout = agent.transaction_timeout();
        agent.spawn(async move {
            let wakes = async {
                tokio::time::sleep(timeout * PATIENCE).await;
                task.wake();
                tokio::time::sleep(timeout).await;
                set.store(true, Ordering::Release);
                task.wake();
            };
            tokio::select! {
                () = wakes => {}
                _ = gone => {}
            }
        });
        Self { passed, _watched: watched }
    }

    fn is_final(&self) -> bool {
        self.passed.load(Ordering::Acquire)
    }
}
