//! Somebody asks the node to call: who is called, by which agent, with which words filled in, and whether it may be.
//! The call itself is `outbound`'s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::Direction;
use thiserror::Error;
use uuid::Uuid;

use super::outbound::{Dial, DialError, dial};
use super::trunks::{Destination, DestinationError};
use super::unstarted::Unstarted;
use super::{Node, Status};
use crate::call::CallFacts;
use crate::config::RING_TIMEOUT_S;
use crate::control::{Admitted, CallRequest, Decision, Refusal, Variables};
use crate::wall_clock::unix_ms;

/// Headers and variables a call takes at most.
const MOST_ENTRIES: usize = 32;

/// A call somebody wants made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallWish {
    /// A SIP URI or a number.
    pub to: String,
    /// Who calls: a SIP URI or a number of the trunk; `None`: the trunk's own.
    pub from: Option<String>,
    pub trunk: Option<String>,
    /// Name of the agent that speaks; `None`: that of the number that calls.
    pub agent: Option<String>,
    /// Added to the INVITE.
    pub headers: BTreeMap<String, String>,
    pub ring_timeout_s: Option<u32>,
    /// For the agent's texts.
    pub variables: BTreeMap<String, String>,
}

/// Why a call is not made.
#[derive(Debug, Error)]
pub enum NotPlaced {
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error("{0}")]
    BadValue(String),
    #[error("{} ({})", .0.reason, .0.code)]
    Refused(Refusal),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the node is busy")]
    Busy,
}

impl Node {
    /// Calls somebody. The call's id; what becomes of it are its facts.
    ///
    /// # Errors
    /// [`NotPlaced`]: nobody was called.
    pub async fn place_call(self: &Arc<Self>, wish: CallWish) -> Result<String, NotPlaced> {
        let mut destination = self.destination(&wish.to, wish.from.as_deref(), wish.trunk.as_deref())?;
        if let Some(seconds) = wish.ring_timeout_s {
            if !RING_TIMEOUT_S.contains(&seconds) {
                return Err(NotPlaced::BadValue(format!("ring_timeout_s = {seconds}: must be 1 to 600")));
            }
            destination.ring_timeout = Duration::from_secs(seconds.into());
        }
        if wish.headers.len().max(wish.variables.len()) > MOST_ENTRIES {
            return Err(NotPlaced::BadValue(format!("headers and variables take {MOST_ENTRIES} entries each")));
        }
        destination.headers.extend(wish.headers);
        match self.status() {
            Status::Ok => {}
            Status::Busy => return Err(NotPlaced::Busy),
            Status::Draining => return Err(DialError::Draining.into()),
        }
        let call_id = Uuid::now_v7().to_string();
        // Whose call it is, is told by the number that calls: the request names that one.
        let request = CallRequest {
            call_id: call_id.clone(),
            direction: Direction::Outbound,
            sip_call_id: String::new(),
            from: destination.from.clone(),
            to: destination.uri.clone(),
            request_uri: destination.from.clone(),
            source: self.config.sip,
            headers: destination.headers.clone(),
            identity: None,
        };
        let admitted = match self.control.authorise(request).await {
            Decision::Accept(admitted) => admitted,
            Decision::Refuse(refusal) => return Err(NotPlaced::Refused(refusal)),
        };
        let unstarted = Unstarted {
            call_id: call_id.clone(),
            asked_at_ms: unix_ms(),
            agent: admitted.agent.name.clone(),
            facts: CallFacts {
                direction: Direction::Outbound,
                from: destination.from.clone(),
                to: destination.uri.clone(),
                sip_call_id: String::new(),
                node: self.config.node_name.clone(),
                headers: destination.headers.clone(),
                tenant: admitted.tenant.clone(),
                identity: None,
            },
        };
        let sent_off = self.send_off(call_id.clone(), destination, *admitted, wish.agent, &wish.variables).await;
        if let Err(error) = sent_off {
            unstarted.tell(self).await;
            return Err(error);
        }
        Ok(call_id)
    }

    async fn send_off(
        self: &Arc<Self>,
        call_id: String,
        destination: Destination,
        admitted: Admitted,
        agent: Option<String>,
        wished: &BTreeMap<String, String>,
    ) -> Result<(), NotPlaced> {
        if let Some(name) = agent.filter(|name| *name != admitted.agent.name) {
            return Err(NotPlaced::BadValue(format!("there is no agent {name:?} for calls from {}", destination.from)));
        }
        let mut variables = Variables::of_call(&destination.from, &destination.uri, &destination.headers);
        for (name, value) in wished {
            variables.set(name, value);
        }
        let wanted = Dial {
            call_id,
            destination,
            agent: variables.fill_in(&admitted.agent),
            speaks: true,
            record: admitted.record,
            tenant: admitted.tenant,
            shard: None,
        };
        dial(self, wanted).await?.keep();
        Ok(())
    }
}
