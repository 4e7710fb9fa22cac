//! Keeps a session alive, or ends it when the other side gives no sign of life (RFC 4028 7.2, 10).
//! Not here: what is agreed on (`crate::session_timer`), how a refresh is sent (`modify`).

use super::core::DialogCore;
use super::modify::{self, Change};
use super::{DialogEnd, hang_up};
use crate::SipError;
use crate::agent::{Agent, lock};
use crate::message::response::Reply;
use crate::session_timer::{Agreed, Refresher, TooSmall};
use rsipstack::sip::{Headers, Method, Request, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The least time between two attempts to refresh.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// What is agreed about a dialog's session.
#[derive(Debug, Default)]
pub(crate) struct Lifetime {
    agreed: Option<Agreed>,
    /// We refresh.
    ours: bool,
    /// The longest Min-SE we were told in a 422, seconds.
    pub least: u32,
    /// Ends the watch over what was agreed before.
    renewed: CancellationToken,
}

impl Lifetime {
    /// What is agreed, as the next request of ours says it: its sender is the UAC.
    pub fn seen_from_us(&self) -> Option<Agreed> {
        let refresher = if self.ours { Refresher::Uac } else { Refresher::Uas };
        self.agreed.map(|agreed| Agreed { refresher, ..agreed })
    }
}

/// Our 2xx to a request that begins or refreshes a session, with what it agrees on; or 422.
pub(crate) fn answered(agent: &Arc<Agent>, core: &Arc<DialogCore>, request: &Headers, mut reply: Reply) -> Reply {
    let agreed = agent.session_timers.answer(request).unwrap_or_default();
    if let Some(agreed) = agreed {
        reply.headers.extend(agreed.headers());
    }
    watch(agent, core, agreed, agreed.is_some_and(|agreed| agreed.refresher == Refresher::Uas));
    reply
}

/// The refusal of a request that wants too short a session (RFC 4028 9).
pub(crate) fn refusal(agent: &Agent, request: &Request) -> Option<Reply> {
    let TooSmall(least) = agent.session_timers.answer(&request.headers).err()?;
    Some(Reply::new(422).header("Min-SE", least.to_string()))
}

/// Takes what a 2xx to a request of ours says.
pub(crate) fn agreed(agent: &Arc<Agent>, core: &Arc<DialogCore>, response: &Response) {
    let agreed = Agreed::of_response(&response.headers);
    watch(agent, core, agreed, agreed.is_some_and(|agreed| agreed.refresher == Refresher::Uac));
}

/// Begins anew to refresh, or to wait for refreshes.
fn watch(agent: &Arc<Agent>, core: &Arc<DialogCore>, agreed: Option<Agreed>, ours: bool) {
    // Over with the dialog, too.
    let renewed = core.ended.child_token();
    {
        let mut lifetime = lock(&core.lifetime);
        lifetime.renewed.cancel();
        lifetime.renewed = renewed.clone();
        lifetime.agreed = agreed;
        lifetime.ours = ours;
    }
    let Some(agreed) = agreed else { return };
    let (sender, core) = (agent.clone(), core.clone());
    agent.spawn(async move {
        tokio::select! {
            () = run_out(&sender, &core, agreed, ours) => {}
            () = renewed.cancelled() => {}
        }
    });
}

/// Until the session is given up, which a refresh that succeeds keeps from happening: it begins another watch.
async fn run_out(agent: &Arc<Agent>, core: &Arc<DialogCore>, agreed: Agreed, ours: bool) {
    let given_up = Instant::now() + agreed.gives_up_after();
    let (mut wait, mut next) = (agreed.refresh_after(), Instant::now() + agreed.refresh_after());
    while ours && next < given_up {
        tokio::time::sleep_until(next).await;
        // Boxed: it is large, and most of the time it is not there.
        if let Ok(Err(error)) = Box::pin(tokio::time::timeout_at(given_up, refresh(agent, core))).await {
            tracing::debug!(call = %core.id.call_id, %error, "the session could not be refreshed");
        }
        wait = (wait / 4).max(LEAST_WAIT);
        next = Instant::now() + wait;
    }
    tokio::time::sleep_until(given_up).await;
    let (done, _) = oneshot::channel();
    hang_up(agent, core, DialogEnd::SessionExpired, Some("session expired".to_owned()), done);
}

/// UPDATE without a description where the other side allows it, else the same description again in a re-INVITE
/// (RFC 4028 7.4).
async fn refresh(agent: &Arc<Agent>, core: &Arc<DialogCore>) -> Result<(), SipError> {
    if core.peer_allows("UPDATE") {
        match modify::exchange(agent, core, Method::Update, &Change::Nothing).await {
            Err(SipError::Refused { code: 405 | 501, .. }) => core.peer_allows_nothing(),
            answer => return answer.map(drop),
        }
    }
    let same = lock(&core.session).local().ok_or_else(|| SipError::Ended("nothing to refresh".to_owned()))?;
    modify::exchange(agent, core, Method::Invite, &Change::Same(same)).await.map(drop)
}
