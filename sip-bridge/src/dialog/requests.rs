//! Requests inside a dialog; every one of them is answered (RFC 3261 12.2.2).
//! Not here: finding the dialog (`dispatch`), requests of ours (`core`).

use super::core::DialogCore;
use super::refresh;
use super::reliable::Acknowledged;
use super::turns::{Busy, Turn};
use super::{DialogEnd, DialogEvent, OfferReply, hang_up, referral, transfer};
use crate::agent::{Agent, Handled, InviteId, lock};
use crate::message::body::{self, Body};
use crate::message::headers;
use crate::message::response::Reply;
use crate::server::{InviteObserver, ServerTransaction};
use rsipstack::sip::{Method, Request};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// When to try again after a request that came while another waits for its answer: RFC 3261 14.2 wants a
/// random time up to 10 s; ours answer sooner.
const GLARE_WAIT: Duration = Duration::from_secs(2);

/// Answers one request of a dialog.
pub(crate) fn handle(agent: &Arc<Agent>, core: Arc<DialogCore>, transaction: ServerTransaction) {
    let request = &transaction.request;
    if !core.note_cseq(request) {
        return agent.reply(&transaction, Reply::new(500));
    }
    let unsupported = headers::unsupported_options(&request.headers);
    // A BYE is obeyed whatever it requires: a dialog must not live on because of a word in it.
    if !unsupported.is_empty() && request.method != Method::Bye {
        return agent.reply(&transaction, Reply::bad_extension(&unsupported));
    }
    if matches!(request.method, Method::Invite | Method::Update)
        && let Some(refusal) = refresh::refusal(agent, request)
    {
        return agent.reply(&transaction, refusal);
    }
    match request.method {
        Method::Bye => bye(agent, &core, &transaction),
        Method::Invite => reinvite(agent, core, &transaction),
        Method::Update => update(agent, core, transaction),
        Method::Info => info(agent, &core, &transaction),
        Method::Refer if core.is_answered() => referral::refer(agent, &core, transaction),
        Method::Notify => transfer::notify(agent, &core, &transaction),
        Method::Options => agent.reply(&transaction, Reply::new(200).header("Accept", "application/sdp")),
        Method::PRack => prack(agent, &core, &transaction),
        _ => agent.reply(&transaction, Reply::method_not_allowed()),
    }
}

fn bye(agent: &Arc<Agent>, core: &Arc<DialogCore>, transaction: &ServerTransaction) {
    let answered = core.is_answered();
    // Who hangs up has our 200, also where the ACK of it was lost.
    let unacknowledged = if answered { core.confirm(None) } else { None };
    core.end(DialogEnd::RemoteBye);
    agent.dialogs.remove(&core.id);
    agent.reply(transaction, Reply::new(200));
    if let Some(invite) = unacknowledged {
        // No ACK is missed any more.
        invite.abandon();
    } else if let Some(invite) = core.take_invite() {
        // BYE on an early dialog ends the INVITE too (RFC 3261 15).
        invite.terminate();
    }
    // A BYE of ours that waits for the ACK has its answer now, too.
    core.give_up_ack();
}

fn info(agent: &Arc<Agent>, core: &DialogCore, transaction: &ServerTransaction) {
    let request = &transaction.request;
    let content_type = headers::value(&request.headers, "Content-Type").unwrap_or_default();
    let told = core.tell(DialogEvent::Info { content_type, body: request.body.clone() });
    let reply = if told { Reply::new(200) } else { Reply::new(503).retry_after(GLARE_WAIT) };
    agent.reply(transaction, reply);
}

/// PRACK of a provisional answer of ours (RFC 3262 3). An offer in it is refused: it is acknowledged all the same.
fn prack(agent: &Arc<Agent>, core: &DialogCore, transaction: &ServerTransaction) {
    let request = &transaction.request;
    let description = match offer_of(request) {
        Ok(description) => description,
        Err(refusal) => return agent.reply(transaction, refusal),
    };
    let rack = headers::value(&request.headers, "RAck").unwrap_or_default();
    let reply = match core.reliable.acknowledge(&rack, description.clone()) {
        None => Reply::new(481),
        Some(Acknowledged::AnswerExpected) => Reply::new(200),
        Some(Acknowledged::Plain) if description.is_none() => Reply::new(200),
        Some(Acknowledged::Plain) => Reply::new(488),
    };
    agent.reply(transaction, reply);
}

/// The offer in a request, or the refusal its body deserves.
fn offer_of(request: &Request) -> Result<Option<String>, Reply> {
    match body::read(request, &request.body) {
        Body::Empty => Ok(None),
        Body::Sdp(sdp) => Ok(Some(sdp)),
        Body::Other(_) => Err(Reply::unsupported_media_type()),
        Body::TooLarge => Err(Reply::new(413)),
    }
}

fn reinvite(agent: &Arc<Agent>, core: Arc<DialogCore>, transaction: &ServerTransaction) {
    let request = &transaction.request;
    let offer = match offer_of(request) {
        Ok(offer) => offer,
        Err(refusal) => return agent.reply(transaction, refusal),
    };
    let id = InviteId {
        call_id: core.id.call_id.clone(),
        from_tag: core.id.remote_tag.clone(),
        cseq: headers::cseq(&request.headers).unwrap_or_default(),
    };
    let Some(handled) = Handled::begin(agent, id) else {
        return agent.reply(transaction, Reply::new(482));
    };
    let (turn, answer) = match turn(&core) {
        Ok((turn, answer)) => (Arc::new(turn), answer),
        Err(refusal) => return agent.reply(transaction, refusal),
    };
    core.refresh_target(request.as_ref(), transaction.stream.as_ref());
    let original = transaction.request.clone();
    let late_offer = offer.is_none();
    let observer =
        Reinvite { agent: agent.clone(), core: core.clone(), late_offer, turn: turn.clone(), _handled: handled };
    let responder = transaction.serve_invite(core.id.local_tag.clone(), observer);
    let (sender, core_of_answer) = (agent.clone(), core.clone());
    agent.spawn(async move {
        // The sender is dropped only when the endpoint goes.
        if let Ok(reply) = answer.await {
            let reply = match reply.code {
                ..300 => {
                    if !late_offer {
                        // Else our offer waits for its answer in the ACK.
                        turn.answered();
                    }
                    refresh::answered(&sender, &core_of_answer, &original.headers, reply)
                }
                _ => {
                    turn.close();
                    reply
                }
            };
            responder.post(&reply.build(&original, None, &sender.user_agent));
        }
    });
    tell_reoffer(agent, core, offer);
}

fn update(agent: &Arc<Agent>, core: Arc<DialogCore>, transaction: ServerTransaction) {
    let request = &transaction.request;
    let offer = match offer_of(request) {
        Ok(offer) => offer,
        Err(refusal) => return agent.reply(&transaction, refusal),
    };
    let Some(offer) = offer else {
        // Only a new Contact, or a sign of life.
        core.refresh_target(request.as_ref(), transaction.stream.as_ref());
        let reply = Reply::new(200).header("Contact", core.contact(agent));
        let reply = if core.is_answered() { refresh::answered(agent, &core, &request.headers, reply) } else { reply };
        return agent.reply(&transaction, reply);
    };
    let (turn, answer) = match turn(&core) {
        Ok(turn) => turn,
        Err(refusal) => return agent.reply(&transaction, refusal),
    };
    core.refresh_target(request.as_ref(), transaction.stream.as_ref());
    let (sender, core_of_answer, patience) = (agent.clone(), core.clone(), agent.transaction_timeout());
    agent.spawn(async move {
        let reply = match tokio::time::timeout(patience, answer).await {
            Ok(Ok(reply)) => reply,
            // The application took longer than the other side waits.
            _ => Reply::new(504),
        };
        turn.close();
        let reply = match reply.code {
            ..300 => refresh::answered(&sender, &core_of_answer, &transaction.request.headers, reply),
            _ => reply,
        };
        let response = reply.build(&transaction.request, None, &sender.user_agent);
        if let Err(error) = transaction.respond(&response) {
            tracing::debug!(source = %transaction.source, %error, "cannot answer UPDATE");
        }
    });
    tell_reoffer(agent, core, Some(offer));
}

/// The turn for an offer that came and where its answer will come from, or why it has to wait.
fn turn(core: &DialogCore) -> Result<(Turn, oneshot::Receiver<Reply>), Reply> {
    let wait = || Reply::new(500).retry_after(GLARE_WAIT);
    // Not before the first INVITE is answered, and one at a time (RFC 3261 14.2, RFC 3311 5.2).
    if !core.is_answered() {
        return Err(wait());
    }
    let turn = core.turns.theirs().map_err(|busy| match busy {
        Busy::Ours => Reply::new(491),
        Busy::Theirs => wait(),
    })?;
    core.open_reoffer().map(|answer| (turn, answer)).ok_or_else(|| Reply::new(481))
}

fn tell_reoffer(agent: &Arc<Agent>, core: Arc<DialogCore>, offer: Option<String>) {
    let reply = OfferReply::new(agent.clone(), core.clone(), offer.clone());
    // A refreshed session is none of the application's business (RFC 4028 7.4).
    let unchanged = offer.as_deref().and_then(|offer| lock(&core.session).unchanged(offer));
    if let Some(sdp) = unchanged {
        return reply.answer(sdp);
    }
    // An event that is not taken drops its reply, which answers 488.
    core.tell(DialogEvent::Reoffer { offer, reply });
}

/// What becomes of a re-INVITE.
struct Reinvite {
    agent: Arc<Agent>,
    core: Arc<DialogCore>,
    late_offer: bool,
    turn: Arc<Turn>,
    _handled: Handled,
}

impl Drop for Reinvite {
    fn drop(&mut self) {
        self.turn.close();
    }
}

impl InviteObserver for Reinvite {
    fn cancelled(&self) {
        // 487 is sent; the application's own answer goes nowhere.
        self.core.answer_reoffer(Reply::new(487));
    }

    fn acknowledged(&self, ack: &Request) {
        self.turn.close();
        if self.late_offer {
            let answer = match body::read(ack, &ack.body) {
                Body::Sdp(sdp) => Some(sdp),
                _ => None,
            };
            self.core.tell(DialogEvent::Confirmed { answer });
        }
    }

    fn unacknowledged(&self) {
        let (done, _) = oneshot::channel();
        hang_up(&self.agent, &self.core, DialogEnd::AckTimeout, Some("no ACK".to_owned()), done);
    }
}
