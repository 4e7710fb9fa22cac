//! The control plane inside the node: agents from files, numbers put through, every call welcome, nothing asked of anybody.
//! What a file looks like is decided in `agent`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::Direction;
use futures::FutureExt;
use futures::future::BoxFuture;
use thiserror::Error;

use super::dialled::{bare_number, dialled};
use super::{Admitted, AgentProfile, CallRequest, ControlPlane, Decision, Route};
use crate::call::AgentSettings;
use crate::config::RouteConfig;

/// Longest call that is put through.
const LONGEST_ROUTED: Duration = Duration::from_secs(4 * 3600);

/// The route for numbers nobody else names.
const EVERY_NUMBER: &str = "*";

/// Answers every call: by the route or the agent of the called number, or else with the first agent.
pub struct Embedded {
    default: Arc<AgentProfile>,
    by_number: HashMap<String, Arc<AgentProfile>>,
    routes: HashMap<String, RouteConfig>,
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
        Ok(Self { default, by_number, routes: HashMap::new() })
    }

    /// These numbers are put through, whatever an agent says.
    #[must_use]
    pub fn with_routes(mut self, routes: &[RouteConfig]) -> Self {
        self.routes = routes.iter().map(|route| (bare_number(&route.number), route.clone())).collect();
        self
    }

    /// How the called number is put through, if it is.
    fn routed(&self, request: &CallRequest) -> Option<Admitted> {
        if request.direction == Direction::Outbound {
            return None;
        }
        let called = dialled(&request.request_uri);
        let route = self.routes.get(&called).or_else(|| self.routes.get(EVERY_NUMBER))?;
        let agent =
            AgentSettings { name: "route".to_owned(), paid_for: Some(LONGEST_ROUTED), ..AgentSettings::default() };
        let to = if route.to.is_empty() { called } else { route.to.clone() };
        let route_to = Route { to, trunk: Some(route.trunk.clone()).filter(|trunk| !trunk.is_empty()) };
        Some(Admitted { agent: Arc::new(agent), tenant: None, record: route.record, route: Some(route_to) })
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
        let admitted = self.routed(&request).unwrap_or_else(|| {
            let agent = self.agent_for(&request);
            Admitted { agent, tenant: None, record: true, route: None }
        });
        async move { Decision::Accept(Box::new(admitted)) }.boxed()
    }
}
