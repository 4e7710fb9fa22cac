//! Being sent elsewhere: a REFER that came in, and the NOTIFYs that tell its sender how it went (RFC 3515, RFC 3892).
//! Not here: sending others elsewhere (`transfer`), and the call to the target, which the application makes.

use super::DialogEvent;
use super::core::DialogCore;
use crate::agent::Agent;
use crate::message::address::Address;
use crate::message::headers::{self, plain};
use crate::message::replaces::ReferTo;
use crate::message::response::Reply;
use crate::server::ServerTransaction;
use crate::{Rejection, SipError};
use rsipstack::sip::{Contact, Header, Method, Request, StatusCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};

/// How long the sender may expect reports, in seconds; it is told anew with each.
const EXPIRES: u32 = 180;

/// The answer owed to a REFER. Dropping it answers 603.
pub struct ReferReply {
    agent: Arc<Agent>,
    core: Arc<DialogCore>,
    answer: Option<oneshot::Sender<Decision>>,
    /// The `id` of the reports' Event; the first REFER of a dialog needs none (RFC 3515 2.4.6).
    id: Option<u32>,
    /// `Refer-Sub: false`: the sender does not want to know (RFC 4488).
    silent: bool,
}

struct Decision {
    reply: Reply,
    /// Told when the answer is on its way, so that the first NOTIFY comes after it.
    sent: oneshot::Sender<()>,
}

/// A REFER that was accepted. Dropping it before a final code reports 503.
pub struct Referral {
    reports: mpsc::UnboundedSender<u16>,
    over: bool,
}

impl ReferReply {
    /// Sends 202 and, after it, NOTIFY with 100.
    ///
    /// Errors: the dialog or its REFER is over.
    pub async fn accept(mut self) -> Result<Referral, SipError> {
        let mut reply = Reply::new(202).header("Contact", self.core.contact(&self.agent));
        if self.silent {
            reply = reply.header("Refer-Sub", "false");
        }
        let sent = self.decide(reply);
        sent.await.map_err(|_| SipError::Ended("the REFER waits no more".to_owned()))?;
        let (reports, queue) = mpsc::unbounded_channel();
        if !self.silent {
            let _ = reports.send(100);
            self.agent.spawn(report(self.agent.clone(), self.core.clone(), self.id, queue));
        }
        Ok(Referral { reports, over: false })
    }

    /// Sends a refusal.
    pub async fn reject(mut self, why: Rejection) {
        let reply = Reply::rejection(&why, &self.agent.warn_agent());
        let _ = self.decide(reply).await;
    }

    /// Decides once; the receiver fires when the answer is sent, or is closed if there was a decision before.
    fn decide(&mut self, reply: Reply) -> oneshot::Receiver<()> {
        let (sent, done) = oneshot::channel();
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(Decision { reply, sent });
        }
        done
    }
}

impl Drop for ReferReply {
    fn drop(&mut self) {
        drop(self.decide(Reply::new(603)));
    }
}

impl std::fmt::Debug for ReferReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReferReply").field("call_id", &self.core.id.call_id).finish_non_exhaustive()
    }
}

impl Referral {
    /// Reports what the target answered; a code from 200 on is the last.
    pub fn notify(&mut self, code: u16) {
        if self.over {
            return;
        }
        self.over = code >= 200;
        // Nobody listens when the sender did not want reports, or has stopped taking them.
        let _ = self.reports.send(code);
    }
}

impl Drop for Referral {
    fn drop(&mut self) {
        self.notify(503);
    }
}

/// Sends NOTIFYs one after another until the final one, or until one is not taken.
async fn report(agent: Arc<Agent>, core: Arc<DialogCore>, id: Option<u32>, mut queue: mpsc::UnboundedReceiver<u16>) {
    while let Some(code) = queue.recv().await {
        let last = code >= 200;
        let state = if last { "terminated;reason=noresource".to_owned() } else { format!("active;expires={EXPIRES}") };
        let event = id.map_or_else(|| "refer".to_owned(), |id| format!("refer;id={id}"));
        let headers = vec![
            Header::Contact(Contact::new(core.contact(&agent))),
            plain("Event", event),
            plain("Subscription-State", state),
        ];
        let phrase = StatusCode::from(code).text().to_owned();
        let body = format!("SIP/2.0 {code} {phrase}\r\n").into_bytes();
        let sent = core.exchange(&agent, Method::Notify, headers, Some(("message/sipfrag;version=2.0", body))).await;
        match sent {
            Ok(response) if response.status_code.code() < 300 => {}
            Ok(response) => {
                tracing::debug!(call = %core.id.call_id, code = response.status_code.code(), "NOTIFY refused");
                return;
            }
            Err(error) => {
                tracing::debug!(call = %core.id.call_id, %error, "NOTIFY failed");
                return;
            }
        }
        if last {
            return;
        }
    }
}

/// The one Refer-To (RFC 3515 2.4.2).
fn target(refer: &Request) -> Option<ReferTo> {
    let mut targets = ["Refer-To", "r"].into_iter().flat_map(|name| headers::values(&refer.headers, name));
    let target = targets.next()?;
    targets.next().is_none().then(|| ReferTo::parse(target))?
}

/// Tells the application about a REFER and sends its answer.
pub(super) fn refer(agent: &Arc<Agent>, core: &Arc<DialogCore>, transaction: ServerTransaction) {
    let request = &transaction.request;
    let Some(target) = target(request) else {
        return agent.reply(&transaction, Reply::new(400));
    };
    if target.method.is_some_and(|method| !method.eq_ignore_ascii_case("INVITE")) {
        return agent.reply(&transaction, Reply::new(501));
    }
    let value = |name| headers::value(&request.headers, name);
    let silent = value("Refer-Sub").is_some_and(|wanted| wanted.eq_ignore_ascii_case("false"));
    let referred_by = value("Referred-By").or_else(|| value("b"));
    let referred_by = referred_by.and_then(|by| Address::parse(&by).map(|by| by.uri.to_owned()));
    let id = (core.referrals.fetch_add(1, Ordering::AcqRel) > 0).then(|| headers::cseq(&request.headers)).flatten();
    let (answer, decision) = oneshot::channel();
    let reply = ReferReply { agent: agent.clone(), core: core.clone(), answer: Some(answer), id, silent };
    // An event that is not taken drops its reply, which answers 603.
    core.tell(DialogEvent::Refer { refer_to: target.uri, replaces: target.replaces, referred_by, reply });
    let (user_agent, patience) = (agent.user_agent.clone(), agent.transaction_timeout());
    agent.spawn(async move {
        let (reply, sent) = match tokio::time::timeout(patience, decision).await {
            Ok(Ok(Decision { reply, sent })) => (reply, Some(sent)),
            // The application took longer than the other side waits.
            _ => (Reply::new(504), None),
        };
        let response = reply.build(&transaction.request, None, &user_agent);
        match transaction.respond(&response) {
            Ok(()) => {
                if let Some(sent) = sent {
                    let _ = sent.send(());
                }
            }
            Err(error) => tracing::debug!(source = %transaction.source, %error, "cannot answer REFER"),
        }
    });
}
