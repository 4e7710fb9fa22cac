//! Sending the other side elsewhere: REFER of ours, and the NOTIFYs that tell how it went (RFC 3515, RFC 4488).
//! Not here: being sent elsewhere (`referral`).

use super::DialogHandle;
use super::core::DialogCore;
use crate::SipError;
use crate::agent::{Agent, lock};
use crate::message::address::Address;
use crate::message::headers::{self, plain};
use crate::message::replaces::{ReferTo, Replaces};
use crate::message::response::Reply;
use crate::message::uri::callable;
use crate::server::ServerTransaction;
use rsipstack::sip::{Contact, Header, Method, Request};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long the next NOTIFY may take when they do not say.
const REPORT_WAIT: Duration = Duration::from_secs(180);

/// No longer than this is waited for a NOTIFY, whatever they say.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A REFER that was accepted. Dropping it stops listening: later reports are answered 481.
pub struct Transfer {
    core: Arc<DialogCore>,
    reports: mpsc::UnboundedReceiver<Report>,
    deadline: Instant,
    over: bool,
}

/// How the call that the other side makes goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferProgress {
    /// A provisional answer, 100 to 199.
    Ringing(u16),
    /// The target answered. The usual next step is to hang up.
    Succeeded,
    /// The target did not answer; the call with the other side is as it was.
    Failed { code: u16, reason: String },
    /// Accepted, and nothing more will be known: no reports are sent, none came in time, or the dialog ended.
    Unreported,
}

/// One NOTIFY.
struct Report {
    progress: Option<TransferProgress>,
    /// The subscription is over.
    last: bool,
    /// How long the subscription lasts from now.
    expires: Option<Duration>,
}

/// Where NOTIFYs of a dialog go; one transfer at a time.
#[derive(Default)]
pub(crate) struct Reports(Mutex<Option<mpsc::UnboundedSender<Report>>>);

impl Reports {
    fn open(&self) -> Option<mpsc::UnboundedReceiver<Report>> {
        let mut open = lock(&self.0);
        if open.as_ref().is_some_and(|sender| !sender.is_closed()) {
            return None;
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        *open = Some(sender);
        Some(receiver)
    }

    /// Nothing is reported any more.
    pub fn close(&self) {
        *lock(&self.0) = None;
    }
}

impl DialogHandle {
    /// Asks the other side to call `target`, in place of the dialog `replaces` names if there is one.
    ///
    /// Waits for the answer to the REFER. Errors: no URI, another transfer going on, no answer, or a refusal; the
    /// call goes on as it was.
    pub async fn refer(&self, target: &str, replaces: Option<&Replaces>) -> Result<Transfer, SipError> {
        if !callable(target) || target.contains('?') {
            return Err(SipError::BadUri(target.to_owned()));
        }
        let failed = |why: &str| SipError::Send { method: "REFER".to_owned(), why: why.to_owned() };
        let (agent, core) = (&self.agent, &self.core);
        // Before the REFER goes out: a NOTIFY may overtake its answer.
        let reports = core.reports.open().ok_or_else(|| failed("another transfer is going on"))?;
        let us = Address::parse(&core.local).map(|us| us.uri).unwrap_or_default();
        let headers = vec![
            Header::Contact(Contact::new(core.contact(agent))),
            plain("Refer-To", ReferTo::write(target, replaces)),
            plain("Referred-By", format!("<{us}>")),
            plain("Supported", headers::SUPPORTED.join(", ")),
        ];
        let response = core.exchange(agent, Method::Refer, headers, None).await?;
        let code = response.status_code.code();
        if code >= 300 {
            let reason = response.status_code.text().to_owned();
            return Err(SipError::Refused { method: "REFER".to_owned(), code, reason });
        }
        // RFC 4488 4: no subscription was made, though nobody asked for none.
        let silent = headers::value(&response.headers, "Refer-Sub").is_some_and(|v| v.eq_ignore_ascii_case("false"));
        let deadline = Instant::now() + agent.transaction_timeout();
        Ok(Transfer { core: core.clone(), reports, deadline, over: silent })
    }

    /// How the other side of this dialog may be told to replace it: for the Refer-To of an attended transfer, or
    /// the INVITE of somebody else (RFC 3891 4).
    pub fn replaces(&self) -> Replaces {
        let id = &self.core.id;
        Replaces {
            call_id: id.call_id.clone(),
            to_tag: id.remote_tag.clone(),
            from_tag: id.local_tag.clone(),
            early_only: false,
        }
    }

    /// The dialog's Call-ID.
    pub fn sip_call_id(&self) -> &str {
        &self.core.id.call_id
    }
}

impl Transfer {
    /// The next report; all but `Ringing` are the last, and `Unreported` is repeated after them. The first one
    /// comes within 64*T1, later ones as long as the other side keeps the subscription. Safe to cancel.
    pub async fn next_progress(&mut self) -> TransferProgress {
        while !self.over {
            let Ok(Some(report)) = tokio::time::timeout_at(self.deadline, self.reports.recv()).await else { break };
            let wait = report.expires.unwrap_or(REPORT_WAIT).min(LONGEST_WAIT);
            self.deadline = Instant::now() + wait;
            let last = report.last || !matches!(report.progress, None | Some(TransferProgress::Ringing(_)));
            self.over = last;
            match report.progress {
                // A subscription that ends on a provisional answer tells nothing.
                Some(TransferProgress::Ringing(_)) | None if last => break,
                Some(progress) => return progress,
                None => {}
            }
        }
        self.over = true;
        TransferProgress::Unreported
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.core.reports.close();
    }
}

/// Answers a NOTIFY and passes on what it says.
pub(super) fn notify(agent: &Arc<Agent>, core: &DialogCore, transaction: &ServerTransaction) {
    let request = &transaction.request;
    let event = headers::value(&request.headers, "Event").or_else(|| headers::value(&request.headers, "o"));
    let package = event.as_deref().and_then(|event| event.split(';').next()).unwrap_or_default();
    if !package.trim().eq_ignore_ascii_case("refer") {
        return agent.reply(transaction, Reply::new(489).header("Allow-Events", "refer"));
    }
    let report = read(request);
    let listener = lock(&core.reports.0);
    let heard = listener.as_ref().is_some_and(|reports| reports.send(report).is_ok());
    drop(listener);
    agent.reply(transaction, Reply::new(if heard { 200 } else { 481 }));
}

fn read(notify: &Request) -> Report {
    let state = headers::value(&notify.headers, "Subscription-State").unwrap_or_default();
    let mut parts = state.split(';').map(str::trim);
    let last = parts.next().is_some_and(|state| state.eq_ignore_ascii_case("terminated"));
    let expires = parts.find_map(|param| param.strip_prefix("expires=")?.parse().ok()).map(Duration::from_secs);
    Report { progress: fragment(&notify.body), last, expires }
}

/// The status line of a `message/sipfrag` body (RFC 3420): `SIP/2.0 180 Ringing`.
fn fragment(body: &[u8]) -> Option<TransferProgress> {
    let line = body.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let mut words = line.trim().splitn(3, ' ');
    words.next().filter(|version| version.eq_ignore_ascii_case("SIP/2.0"))?;
    let code: u16 = words.next()?.parse().ok()?;
    let reason = words.next().unwrap_or_default();
    match code {
        100..200 => Some(TransferProgress::Ringing(code)),
        200..300 => Some(TransferProgress::Succeeded),
        300..700 => Some(TransferProgress::Failed { code, reason: headers::one_line(reason) }),
        _ => None,
    }
}
