//! The control plane inside the node: agents from files, every call welcome, events to the spool.
//! What a file or an event looks like is decided in `agent` and `spool`.

use std::collections::HashMap;
use std::sync::Arc;

use edge_protocol::CallEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use thiserror::Error;

use super::{AgentProfile, CallRequest, ControlPlane, Decision, EventSpool, PublishError};
use crate::call::AgentSettings;

/// Answers every call: with the agent of the called number, or else with the first agent.
pub struct Embedded {
    default: Arc<AgentProfile>,
    by_number: HashMap<String, Arc<AgentProfile>>,
    spool: EventSpool,
}

/// Why these agents cannot serve together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EmbeddedError {
    #[error("there is no agent to answer calls")]
    NoAgent,
    #[error("both {first:?} and {second:?} claim the number {number:?}")]
    NumberTaken { number: String, first: String, second: String },
}

// === impl Embedded ===

impl Embedded {
    /// The first agent is the default.
    pub fn new(agents: Vec<AgentProfile>, spool: EventSpool) -> Result<Self, EmbeddedError> {
        let agents: Vec<Arc<AgentProfile>> = agents.into_iter().map(Arc::new).collect();
        let default = agents.first().cloned().ok_or(EmbeddedError::NoAgent)?;
        let mut by_number: HashMap<String, Arc<AgentProfile>> = HashMap::new();
        for agent in &agents {
            for number in &agent.numbers {
                if let Some(other) = by_number.insert(bare_number(number), Arc::clone(agent))
                    && other.settings.name != agent.settings.name
                {
                    return Err(EmbeddedError::NumberTaken {
                        number: number.clone(),
                        first: other.settings.name.clone(),
                        second: agent.settings.name.clone(),
                    });
                }
            }
        }
        Ok(Self { default, by_number, spool })
    }

    pub fn spool(&self) -> &EventSpool {
        &self.spool
    }

    fn agent_for(&self, request: &CallRequest) -> Arc<AgentSettings> {
        // The request URI first: a forwarded call keeps its old `To`.
        [&request.request_uri, &request.to]
            .into_iter()
            .find_map(|uri| self.by_number.get(&bare_number(user_part(uri))))
            .unwrap_or(&self.default)
            .settings
            .clone()
    }
}

impl ControlPlane for Embedded {
    fn authorise(&self, request: CallRequest) -> BoxFuture<'_, Decision> {
        let agent = self.agent_for(&request);
        async move { Decision::Accept(agent) }.boxed()
    }

    fn publish(&self, event: CallEvent) -> Result<(), PublishError> {
        self.spool.publish(event)
    }
}

/// User part of a SIP URI, number of a `tel:` URI (RFC 3261 section 19.1.1, RFC 3966 section 3).
fn user_part(uri: &str) -> &str {
    let after_scheme = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let user = after_scheme.split_once('@').map_or(after_scheme, |(user, _)| user);
    user.split([';', ':']).next().unwrap_or(user)
}

/// A number without the visual separators of RFC 3966; a name that is no number stays as it is.
fn bare_number(number: &str) -> String {
    let is_number = number.chars().all(|c| c.is_ascii_digit() || "+-.() *#".contains(c));
    if is_number { number.chars().filter(|c| !"-.() ".contains(*c)).collect() } else { number.to_owned() }
}
