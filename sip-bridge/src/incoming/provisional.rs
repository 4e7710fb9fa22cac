//! Provisional answers to a call that came in: ringing and early media, plain and reliable (RFC 3261 13.3.1.1,
//! RFC 3262 3). Not here: the PRACK that acknowledges them (`dialog::requests`), the final answer (`incoming`).

use super::IncomingCall;
use crate::SipError;
use crate::agent::Agent;
use crate::dialog::DialogEnd;
use crate::dialog::core::DialogCore;
use crate::dialog::reliable::Unacknowledged;
use crate::message::headers;
use crate::message::response::Reply;
use crate::server::Responder;
use rsipstack::sip::Response;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the caller says about 100rel (RFC 3262 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reliability {
    Required,
    Supported,
    Unknown,
}

impl IncomingCall {
    /// Sends 180 Ringing, reliably if the caller requires it. Nothing is sent where it would have to carry an offer
    /// of ours (RFC 3262 5).
    pub async fn ring(&self) -> Result<(), SipError> {
        match self.reliability() {
            Reliability::Required if self.offer.is_none() => Ok(()),
            Reliability::Required => self.reliably(Reply::new(180), false).await.map(drop),
            Reliability::Supported | Reliability::Unknown => self.plainly(Reply::new(180)),
        }
    }

    /// Sends 183 with our description: media flows before the call is answered. `accept` then keeps to it.
    ///
    /// To an offer `sdp` is the answer, and this returns when it is sent, reliably if the caller knows how. In a
    /// late-offer call `sdp` is the offer, and this waits for the answer in the PRACK and returns it; callers that
    /// know nothing of 100rel cannot be offered anything yet (`NotReliable`).
    pub async fn progress(&self, sdp: String) -> Result<Option<String>, SipError> {
        let reply = Reply::new(183).sdp(sdp.clone());
        let answer = match self.reliability() {
            Reliability::Unknown if self.offer.is_none() => return Err(SipError::NotReliable),
            Reliability::Unknown => self.plainly(reply).map(|()| None)?,
            Reliability::Required | Reliability::Supported => {
                let sent = self.reliably(reply, true).await?;
                if self.offer.is_none() { Some(self.answer_in_prack(sent).await?) } else { None }
            }
        };
        // The first description stands.
        let _ = self.described.set(sdp);
        Ok(answer)
    }

    /// Waits until a description sent reliably is acknowledged: the 2xx may not overtake it (RFC 3262 3).
    pub(super) async fn description_acknowledged(&self) -> Result<(), SipError> {
        self.acknowledged(true).await
    }

    async fn answer_in_prack(&self, sent: Unacknowledged) -> Result<String, SipError> {
        let answer = tokio::select! {
            answer = sent.answer => answer.ok().flatten(),
            () = self.core.ended.cancelled() => return Err(self.over()),
        };
        answer.ok_or_else(|| SipError::NoAnswer { method: "183".to_owned() })
    }

    fn reliability(&self) -> Reliability {
        let says = |name| headers::has_option(&self.request.headers, name, "100rel");
        match (says("Require"), says("Supported")) {
            (true, _) => Reliability::Required,
            (false, true) => Reliability::Supported,
            (false, false) => Reliability::Unknown,
        }
    }

    fn plainly(&self, reply: Reply) -> Result<(), SipError> {
        self.responder.send(&self.provisional(reply))
    }

    /// Sends a response once the one before is acknowledged, and repeats it until it is acknowledged itself.
    async fn reliably(&self, reply: Reply, described: bool) -> Result<Unacknowledged, SipError> {
        let cseq = headers::cseq(&self.request.headers).unwrap_or_default();
        let sent = loop {
            self.acknowledged(false).await?;
            if let Some(sent) = self.core.reliable.begin(cseq, described) {
                break sent;
            }
        };
        let response = self.provisional(reply.header("Require", "100rel").header("RSeq", sent.rseq.to_string()));
        self.responder.send(&response)?;
        let repeat = Repeat {
            agent: self.agent.clone(),
            core: self.core.clone(),
            responder: self.responder.clone(),
            cancelled: self.cancelled.clone(),
            response,
            refusal: self.build(Reply::new(504)),
        };
        self.agent.spawn(repeat.run(sent.acknowledged.clone()));
        Ok(sent)
    }

    async fn acknowledged(&self, described: bool) -> Result<(), SipError> {
        let Some(acknowledged) = self.core.reliable.waiting(described) else { return Ok(()) };
        tokio::select! {
            () = acknowledged.cancelled() => Ok(()),
            () = self.core.ended.cancelled() => Err(self.over()),
        }
    }

    fn provisional(&self, reply: Reply) -> Response {
        self.build(reply.header("Contact", self.core.contact(&self.agent)))
    }

    fn over(&self) -> SipError {
        SipError::Ended(format!("{:?}", self.core.end_cause()))
    }
}

/// Repeats a reliable response until its PRACK, the final answer, or the end.
struct Repeat {
    agent: Arc<Agent>,
    core: Arc<DialogCore>,
    responder: Responder,
    cancelled: CancellationToken,
    response: Response,
    refusal: Response,
}

impl Repeat {
    async fn run(self, acknowledged: CancellationToken) {
        tokio::select! {
            () = self.repeat() => {}
            () = acknowledged.cancelled() => return,
            () = self.core.answered.cancelled() => return,
            () = self.core.ended.cancelled() => return,
        }
        // Nobody acknowledged it for 64*T1: the call is refused.
        if self.core.end(DialogEnd::Failed("no PRACK".to_owned())) {
            self.core.set_answered();
            self.agent.dialogs.remove(&self.core.id);
            self.responder.post(&self.refusal);
            self.cancelled.cancel();
        }
    }

    /// For 64*T1, twice as long between two each time (RFC 3262 3).
    async fn repeat(&self) {
        let limit = self.agent.transaction_timeout();
        let (mut wait, mut waited) = (self.agent.timers.t1, std::time::Duration::ZERO);
        loop {
            tokio::time::sleep(wait.min(limit.saturating_sub(waited))).await;
            waited += wait;
            if waited >= limit {
                return;
            }
            self.responder.post(&self.response);
            wait *= 2;
        }
    }
}
