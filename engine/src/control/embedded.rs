//! The control plane inside the node: agents from files, every call welcome, nothing asked of anybody.
//! What a file looks like is decided in `agent`.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use thiserror::Error;

use super::dialled::{bare_number, dialled};
use super::{Admitted, AgentProfile, CallRequest, ControlPlane, Decision};
use crate::call::AgentSettings;

/// Answers every call: with the agent of the called number, or else with the first agent.
pub struct Embedded {
    default: Arc<AgentProfile>,
    by_number: HashMap<String, Arc<AgentProfile>>,
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
    pub fn new(agents: Vec<AgentProfile>) -> Result<Self, EmbeddedError> {
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
        Ok(Self { default, by_number })
    }

    fn agent_for(&self, request: &CallRequest) -> Arc<AgentSettings> {
        // The request URI first: a forwarded call keeps its old `To`.
        [&request.request_uri, &request.to]
            .into_iter()
            .find_map(|uri| self.by_number.get(&dialled(uri)))
            .unwrap_or(&self.default)
            .settings
            .clone()
    }
}

impl ControlPlane for Embedded {
    fn authorise(&self, request: CallRequest) -> BoxFuture<'_, Decision> {
        let agent = self.agent_for(&request);
        async move { Decision::Accept(Box::new(Admitted { agent, tenant: None, record: true })) }.boxed()
    }
}
