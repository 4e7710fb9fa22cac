//! Requests of ours inside a dialog: which way they take, and what their answers mean for it (RFC 3261 12.2.1).
//! Not here: what is asked and when (`modify`, `hang_up`).

use super::core::DialogCore;
use super::{DialogEnd, hang_up};
use crate::SipError;
use crate::agent::{Agent, lock};
use crate::digest::client::Attempts;
use crate::message::headers::{plain, quoted};
use crate::message::request::{Draft, again};
use crate::message::uri::{Hop, stack_uri};
use crate::transport::{Flow, is_open, protocol_of};
use rsipstack::sip::{HasHeaders, Header, Method, Request, Response};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

impl DialogCore {
    /// Sends BYE and waits for its answer. The dialog is gone afterwards, whatever the answer.
    pub async fn send_bye(&self, agent: &Agent, reason: Option<String>) -> Result<(), SipError> {
        // The caller may BYE before its ACK, we may not (RFC 3261 15).
        self.settled.cancelled().await;
        // RFC 3326: Q.850 cause 16 is normal clearing; the text says which kind of normal.
        let reason = reason.map(|text| plain("Reason", format!("Q.850;cause=16;text={}", quoted(&text))));
        let answer = self.exchange(agent, Method::Bye, reason.into_iter().collect(), None).await;
        agent.dialogs.remove(&self.id);
        accepted(Method::Bye, answer?).map(drop)
    }

    /// Sends a request other than INVITE and waits for a good answer. See [`heed`](Self::heed) for others.
    pub async fn ask(
        self: &Arc<Self>,
        agent: &Arc<Agent>,
        method: Method,
        headers: Vec<Header>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Response, SipError> {
        let answer = self.exchange(agent, method, headers, body).await;
        self.heed(agent, method, answer)
    }

    /// The answer, if it says yes. After 408 and 481 there is no dialog any more (RFC 3261 12.2.1.2).
    pub fn heed(
        self: &Arc<Self>,
        agent: &Arc<Agent>,
        method: Method,
        answer: Result<Response, SipError>,
    ) -> Result<Response, SipError> {
        let answer = answer.and_then(|response| accepted(method, response));
        if let Err(error @ SipError::Refused { code: 408 | 481, .. }) = &answer {
            let (done, _) = oneshot::channel();
            hang_up(agent, self, DialogEnd::Failed(error.to_string()), Some(error.to_string()), done);
        }
        answer
    }

    /// Sends a request other than INVITE in the dialog and waits for its final answer. Challenges are answered.
    pub async fn exchange(
        &self,
        agent: &Agent,
        method: Method,
        headers: Vec<Header>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Response, SipError> {
        let (mut request, flow) = self.request(agent, method, headers, body).await?;
        let mut attempts = Attempts::default();
        loop {
            let response = agent.transact(request.clone(), flow.clone()).await?;
            match self.answer_challenge(agent, &request, &response, &flow, &mut attempts) {
                Some(signed) => request = signed,
                None => return Ok(response),
            }
        }
    }

    /// The request to send instead when `response` is a challenge that can be answered (RFC 3261 22).
    pub fn answer_challenge(
        &self,
        agent: &Agent,
        request: &Request,
        response: &Response,
        flow: &Flow,
        attempts: &mut Attempts,
    ) -> Option<Request> {
        let mut authenticator = lock(&self.authenticator);
        let authenticator = authenticator.as_mut()?;
        if !authenticator.learn(response, attempts) {
            return None;
        }
        let protocol = protocol_of(&flow.connection);
        let mut signed = again(request, self.next_cseq(), protocol, agent.address(protocol));
        authenticator.sign(&mut signed);
        Some(signed)
    }

    fn next_cseq(&self) -> u32 {
        self.local_cseq.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// A request in the dialog and the way it takes (RFC 3261 12.2.1.1).
    pub async fn request(
        &self,
        agent: &Agent,
        method: Method,
        headers: Vec<Header>,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<(Request, Flow), SipError> {
        let (target, routes, connection) = {
            let peer = lock(&self.peer);
            (peer.target.clone(), peer.routes.clone(), peer.connection.clone())
        };
        let failed = |why: String| SipError::Send { method: method.to_string(), why };
        // A strict router wants to be the request URI, and the target last in the route (RFC 3261 12.2.1.1).
        let strict = routes.first().is_some_and(|first| Hop::of(first).is_some_and(|hop| !hop.loose));
        let (request_uri, routes) = match routes.split_first() {
            Some((first, rest)) if strict => (first.clone(), rest.iter().cloned().chain([target]).collect::<Vec<_>>()),
            _ => (target, routes),
        };
        let next_hop = if strict { &request_uri } else { routes.first().unwrap_or(&request_uri) };
        let flow = match connection.filter(is_open) {
            Some(connection) => {
                let destination = connection.get_remote_addr().cloned().unwrap_or_default();
                Flow { connection, destination }
            }
            None => agent.flows.to_uri(next_hop, None).await.map_err(|error| failed(error.to_string()))?,
        };
        let protocol = protocol_of(&flow.connection);
        let mut request = Draft {
            method,
            uri: stack_uri(&request_uri).ok_or_else(|| SipError::BadUri(request_uri.clone()))?,
            from: &self.local,
            to: &self.remote,
            call_id: &self.id.call_id,
            cseq: self.next_cseq(),
            routes: &routes,
            protocol,
            local: agent.address(protocol),
            user_agent: &agent.user_agent,
            body,
        }
        .build();
        request.headers_mut().extend(headers);
        if let Some(authenticator) = lock(&self.authenticator).as_mut() {
            // With the nonce that is known, to spare the round of being challenged (RFC 3261 22.2).
            authenticator.sign(&mut request);
        }
        Ok((request, flow))
    }
}

/// A response that says yes.
fn accepted(method: Method, response: Response) -> Result<Response, SipError> {
    match response.status_code.code() {
        200..300 => Ok(response),
        code => {
            Err(SipError::Refused { method: method.to_string(), code, reason: response.status_code.text().to_owned() })
        }
    }
}
