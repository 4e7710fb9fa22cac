//! What happens to a request that came in: which call it belongs to, or whether a new one may begin
//! (RFC 3261 8.2). Not here: requests inside a dialog (`dialog::requests`).

use crate::agent::{Agent, Handled, InviteId, new_tag};
use crate::dialog::core::DialogCore;
use crate::dialog::table::DialogId;
use crate::dialog::{refresh, requests};
use crate::digest::server::Verdict;
use crate::incoming::FirstInvite;
use crate::message::address::Address;
use crate::message::body::{self, Body};
use crate::message::headers;
use crate::message::replaces::Replaces;
use crate::message::response::Reply;
use crate::server::ServerTransaction;
use crate::{Admission, CallInfo, DialogHandle, IncomingCall, carrier};
use rsipstack::sip::{HeadersExt, Method, Request};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// When to come back after finding too many unanswered INVITEs here.
const PENDING_WAIT: Duration = Duration::from_secs(2);

/// Sees to one incoming request. Never waits.
pub(crate) fn dispatch(
    agent: &Arc<Agent>,
    transaction: ServerTransaction,
    calls: &mpsc::UnboundedSender<IncomingCall>,
) {
    let Some(id) = DialogId::of_incoming(&transaction.request) else {
        return agent.reply(&transaction, Reply::new(400));
    };
    if id.local_tag.is_empty() {
        return outside_dialog(agent, id, transaction, calls);
    }
    // What only an answered call gets has overtaken our reading of the 200.
    let overtaking = matches!(transaction.request.method, Method::Invite | Method::Bye);
    match (agent.dialogs.get(&id), agent.setups.wait_for(&id)) {
        (Some(core), setup) if setup.is_none() || !overtaking => requests::handle(agent, core, transaction),
        (_, Some(settled)) => {
            let later = agent.clone();
            let patience = agent.transaction_timeout();
            agent.spawn(async move {
                let _ = tokio::time::timeout(patience, settled.cancelled()).await;
                match later.dialogs.get(&id) {
                    Some(core) => requests::handle(&later, core, transaction),
                    None => later.reply(&transaction, Reply::new(481)),
                }
            });
        }
        (_, None) => agent.reply(&transaction, Reply::new(481)),
    }
}

fn outside_dialog(
    agent: &Arc<Agent>,
    id: DialogId,
    transaction: ServerTransaction,
    calls: &mpsc::UnboundedSender<IncomingCall>,
) {
    let request = &transaction.request;
    let unsupported = headers::unsupported_options(&request.headers);
    match request.method {
        Method::Bye | Method::Update | Method::Info | Method::PRack => agent.reply(&transaction, Reply::new(481)),
        Method::Invite | Method::Options if !unsupported.is_empty() => {
            agent.reply(&transaction, Reply::bad_extension(&unsupported));
        }
        Method::Invite => {
            if let Err(refusal) = invite(agent, id, &transaction, calls) {
                agent.reply(&transaction, refusal);
            }
        }
        Method::Options => agent.reply(&transaction, options(agent)),
        _ => agent.reply(&transaction, Reply::method_not_allowed()),
    }
}

/// Whether a call would be welcome (RFC 3261 11.2). A full node is alive and says so; a draining one is not
/// to be asked again.
fn options(agent: &Agent) -> Reply {
    match agent.admission() {
        Admission::Open | Admission::Busy { .. } => {
            let contact = crate::message::request::contact(agent.local, crate::message::uri::Protocol::Udp, false);
            Reply::new(200).header("Contact", contact).header("Accept", "application/sdp")
        }
        Admission::Draining => Reply::new(503),
    }
}

fn invite(
    agent: &Arc<Agent>,
    id: DialogId,
    transaction: &ServerTransaction,
    calls: &mpsc::UnboundedSender<IncomingCall>,
) -> Result<(), Reply> {
    let request: &Request = &transaction.request;
    let merge = InviteId {
        call_id: id.call_id.clone(),
        from_tag: id.remote_tag.clone(),
        cseq: headers::cseq(&request.headers).unwrap_or_default(),
    };
    let Some(handled) = Handled::begin(agent, merge) else {
        return Err(Reply::new(482));
    };
    if !headers::accepts_sdp(&request.headers) {
        // A 200 would have to carry a body of a kind we cannot write (RFC 3261 21.4.7).
        return Err(Reply::new(406).header("Accept", "application/sdp"));
    }
    let offer = match body::read(request, &request.body) {
        Body::Empty => None,
        Body::Sdp(sdp) => Some(sdp),
        Body::Other(_) => return Err(Reply::unsupported_media_type()),
        Body::TooLarge => return Err(Reply::new(413)),
    };
    match agent.admission() {
        Admission::Open => {}
        Admission::Draining => return Err(Reply::new(503)),
        Admission::Busy { retry_after } => {
            return Err(Reply::new(503).retry_after(retry_after));
        }
    }
    let user = authenticate(agent, transaction)?;
    if let Some(refusal) = refresh::refusal(agent, request) {
        return Err(refusal);
    }
    let replaced = replaced(agent, request)?;
    let Some(pending) = agent.admit_pending() else {
        return Err(Reply::new(503).retry_after(PENDING_WAIT));
    };
    let id = DialogId { local_tag: new_tag(), ..id };
    let made = call_info(request, &id, transaction.source)
        .map(|info| CallInfo { authenticated: user, ..info })
        .and_then(|info| DialogCore::incoming(id.clone(), info, request, transaction.stream.as_ref(), pending));
    let Some((core, events)) = made else {
        // From, To or Contact cannot be read: no dialog could be kept.
        return Err(Reply::new(400));
    };
    agent.dialogs.insert(core.clone());
    let cancelled = CancellationToken::new();
    let observer = FirstInvite {
        agent: agent.clone(),
        core: core.clone(),
        cancelled: cancelled.clone(),
        late_offer: offer.is_none(),
        _handled: handled,
    };
    let responder = transaction.serve_invite(id.local_tag, observer);
    core.set_invite(responder.clone());
    let mut call =
        IncomingCall::new(agent.clone(), core, events, transaction.request.clone(), offer, responder, cancelled);
    call.replaces = replaced;
    // Nobody listens any more: dropping the call answers 480.
    let _ = calls.send(call);
    Ok(())
}

/// The dialog that the call is to take the place of, or why it cannot (RFC 3891 3).
fn replaced(agent: &Arc<Agent>, request: &Request) -> Result<Option<DialogHandle>, Reply> {
    let mut named = headers::values(&request.headers, "Replaces");
    let Some(value) = named.next() else { return Ok(None) };
    let (Some(replaces), None) = (Replaces::parse(value), named.next()) else { return Err(Reply::new(400)) };
    let id = DialogId { call_id: replaces.call_id, local_tag: replaces.to_tag, remote_tag: replaces.from_tag };
    let core = agent.dialogs.get(&id).ok_or_else(|| Reply::new(481))?;
    if core.end_cause().is_some() {
        return Err(Reply::new(603));
    }
    // A call that rings here is not the caller's to take over; an answered one is not early any more.
    match (core.is_answered(), replaces.early_only) {
        (false, _) => Err(Reply::new(481)),
        (true, true) => Err(Reply::new(486)),
        (true, false) => Ok(Some(DialogHandle::new(agent.clone(), core))),
    }
}

/// The name of the caller where callers must be known; the challenge if this one is not (RFC 3261 22.1).
fn authenticate(agent: &Agent, transaction: &ServerTransaction) -> Result<Option<String>, Reply> {
    let Some(guard) = agent.guard.as_ref().filter(|guard| !guard.trusts(transaction.source.ip())) else {
        return Ok(None);
    };
    let now = agent.started.elapsed().as_secs();
    match guard.judge(&transaction.request, now) {
        Verdict::Known(user) => Ok(Some(user)),
        Verdict::Unknown { stale } => Err(guard.challenge(stale, now)),
    }
}

pub(crate) fn call_info(request: &Request, id: &DialogId, source: SocketAddr) -> Option<CallInfo> {
    let from = Address::parse(request.from_header().ok()?.value())?;
    let to = Address::parse(request.to_header().ok()?.value())?;
    Some(CallInfo {
        sip_call_id: id.call_id.clone(),
        from: from.uri.to_owned(),
        from_display: from.display.map(Cow::into_owned),
        to: to.uri.to_owned(),
        request_uri: request.uri.to_string(),
        source,
        authenticated: None,
        asserted: carrier::asserted(&request.headers),
        diversions: carrier::diversions(&request.headers),
        user_to_user: headers::value(&request.headers, "User-to-User"),
        identity: headers::values(&request.headers, "Identity").map(str::to_owned).collect(),
        headers: headers::for_application(&request.headers),
    })
}
