//! The engine nodes: their heartbeats, their links, which of them takes the next call.
//! Its rules are beside it, without `worker`.

use std::cell::RefCell;
use std::rc::Rc;

use edge_protocol::VERSION;
use edge_protocol::link::{Command, DEAD_AFTER_MS, EdgeCommand, Heartbeat, NodeMessage, NodeStatus};
use edge_protocol::live::NodeSummary;
use serde::Serialize;
use serde_json::{Value, json};
use worker::{DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage, durable_object};

use super::link;
use super::rollout::{self, Rollout};
use super::routing::{self, Candidate, Weights};
use super::stats::{EndedCall, VersionStats};
use super::store::Store;
use super::verbs::{CommandAnswer, CommandQuestion, DrainAnswer, DrainQuestion, RouteAnswer, RouteQuestion};
use crate::http::ApiError;
use crate::observe::metrics::Totals;
use crate::{clock, id, objects};

#[durable_object]
pub struct NodeRegistry {
    state: State,
    store: RefCell<Option<Rc<Store>>>,
}

#[derive(Serialize)]
struct Nothing {}

impl DurableObject for NodeRegistry {
    fn new(state: State, _env: Env) -> Self {
        Self { state, store: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let verb = objects::verb(&request);
        match verb.as_str() {
            "list" => objects::answer(self.list()),
            "route" => objects::answer(self.route(&mut request).await),
            "command" => objects::answer(self.command(&mut request).await),
            "command_result" => objects::answer(self.command_result(&mut request).await),
            "drain" => objects::answer(self.drain(&mut request, true).await),
            "undrain" => objects::answer(self.drain(&mut request, false).await),
            "call_ended" => objects::answer(self.call_ended(&mut request).await),
            "rollout_get" => objects::answer(self.rollout()),
            "rollout_put" => objects::answer(self.change_rollout(&mut request).await),
            "totals" => objects::answer(self.totals()),
            "link" => link::accept(&self.state, &request).or_else(|error| error.to_response()),
            _ => objects::answer::<()>(Err(ApiError::not_found(verb))),
        }
    }

    async fn websocket_message(&self, ws: WebSocket, message: WebSocketIncomingMessage) -> worker::Result<()> {
        let Some(node) = link::speaks(&self.state, &ws) else { return Ok(()) };
        let read = match &message {
            WebSocketIncomingMessage::String(text) => link::read(text),
            WebSocketIncomingMessage::Binary(_) => Err("messages are text".to_owned()),
        };
        let taken = match read {
            Ok(NodeMessage::Heartbeat(heartbeat)) => self.heartbeat(&node, &heartbeat),
            Ok(NodeMessage::CommandResult { command_id, error }) => {
                let result = error.unwrap_or_else(|| "done".to_owned());
                self.store().and_then(|store| store.keep_result(&node, &command_id, &result))
            }
            Err(error) => Err(ApiError::bad_request(error)),
        };
        if let Err(error) = taken {
            worker::console_warn!("node {node}: {}", error.message);
        }
        Ok(())
    }

    async fn websocket_close(
        &self,
        ws: WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> worker::Result<()> {
        let _ = ws.close(Some(1000), Some("closed"));
        Ok(())
    }

    async fn websocket_error(&self, ws: WebSocket, _error: worker::Error) -> worker::Result<()> {
        let _ = ws.close(Some(1011), Some("broken"));
        Ok(())
    }
}

// === impl NodeRegistry ===

impl NodeRegistry {
    fn heartbeat(&self, node: &str, heartbeat: &Heartbeat) -> Result<(), ApiError> {
        if heartbeat.v != VERSION || heartbeat.node != node {
            let message = format!("a heartbeat of version {} from {:?} on this link", heartbeat.v, heartbeat.node);
            return Err(ApiError::bad_request(message));
        }
        let store = self.store()?;
        store.report(heartbeat, clock::now_ms())?;
        // A node that was to be drained while it was out of reach, or has started anew, is told now. That it is
        // drained no longer it is told until it answers: its status does not say whether it heard.
        let Some(known) = store.nodes()?.into_iter().find(|known| known.heartbeat.node == node) else { return Ok(()) };
        let drain = known.drain.filter(|_| heartbeat.status != NodeStatus::Draining);
        let drain = drain.map(|command_id| EdgeCommand { command_id, command: Command::Drain });
        let undrain = known.undrain.map(|command_id| EdgeCommand { command_id, command: Command::Undrain });
        if let Some(command) = drain.or(undrain) {
            link::send(&self.state, node, &command);
        }
        Ok(())
    }

    fn candidates(&self) -> Result<Vec<Candidate>, ApiError> {
        let now_ms = clock::now_ms();
        let candidates = self.store()?.nodes()?.into_iter().map(|known| {
            let alive = now_ms.saturating_sub(known.seen_at_ms) < DEAD_AFTER_MS;
            let linked = link::of(&self.state, &known.heartbeat.node).is_some();
            let node = NodeSummary { heartbeat: known.heartbeat, seen_at_ms: known.seen_at_ms, alive, linked };
            Candidate { node, sent: known.sent, drained: known.drain.is_some() }
        });
        Ok(candidates.collect())
    }

    /// As accounts may see them: where a node is reached is between it and the edge.
    fn list(&self) -> Result<Vec<NodeSummary>, ApiError> {
        let mut nodes: Vec<_> = self.candidates()?.into_iter().map(|candidate| candidate.node).collect();
        nodes.iter_mut().for_each(|node| node.heartbeat.http_url.clear());
        Ok(nodes)
    }

    async fn route(&self, request: &mut Request) -> Result<RouteAnswer, ApiError> {
        let RouteQuestion { exclude } = objects::question(request).await?;
        let (store, mut candidates) = (self.store()?, self.candidates()?);
        candidates.retain(|candidate| !exclude.contains(&candidate.node.heartbeat.node));
        let chosen = routing::choose(&candidates, &store.weights()?, draw());
        let chosen = chosen.ok_or_else(|| ApiError::unavailable("no engine node takes calls"))?;
        let Heartbeat { node, http_url, version, .. } = chosen.node.heartbeat.clone();
        store.sent(&node)?;
        Ok(RouteAnswer { node, http_url, version })
    }

    async fn command(&self, request: &mut Request) -> Result<CommandAnswer, ApiError> {
        let CommandQuestion { node, command } = objects::question(request).await?;
        let command = EdgeCommand { command_id: id::random("cmd"), command };
        if !link::send(&self.state, &node, &command) {
            return Err(ApiError::unavailable("the call's node is out of reach"));
        }
        self.store()?.keep_command(&node, &command, clock::now_ms())?;
        Ok(CommandAnswer { command_id: command.command_id })
    }

    async fn command_result(&self, request: &mut Request) -> Result<Value, ApiError> {
        let CommandAnswer { command_id } = objects::question(request).await?;
        Ok(json!({ "result": self.store()?.result(&command_id)? }))
    }

    async fn drain(&self, request: &mut Request, drain: bool) -> Result<DrainAnswer, ApiError> {
        let DrainQuestion { node } = objects::question(request).await?;
        let store = self.store()?;
        let known = store.nodes()?.into_iter().find(|known| known.heartbeat.node == node);
        let known = known.ok_or_else(|| ApiError::not_found(format!("no node {node}")))?;
        // Asked again, it is the same command.
        let before = if drain { known.drain } else { known.undrain };
        let command_id = before.unwrap_or_else(|| id::random("cmd"));
        let command = if drain { Command::Drain } else { Command::Undrain };
        let command = EdgeCommand { command_id, command };
        store.keep_drain(&node, drain, &command.command_id)?;
        store.keep_command(&node, &command, clock::now_ms())?;
        let delivered = link::send(&self.state, &node, &command);
        Ok(DrainAnswer { command_id: command.command_id, delivered })
    }

    async fn call_ended(&self, request: &mut Request) -> Result<Nothing, ApiError> {
        let call: EndedCall = objects::question(request).await?;
        self.store()?.count(&call, clock::now_ms())?;
        Ok(Nothing {})
    }

    fn rollout(&self) -> Result<Rollout, ApiError> {
        let store = self.store()?;
        Ok(rollout::compare(store.weights()?, &self.candidates()?, &store.stats()?))
    }

    async fn change_rollout(&self, request: &mut Request) -> Result<Rollout, ApiError> {
        let weights: Weights = objects::question(request).await?;
        self.store()?.keep_weights(&weights)?;
        self.rollout()
    }

    fn totals(&self) -> Result<Totals, ApiError> {
        let mut sum = VersionStats::default();
        self.store()?.stats()?.values().for_each(|stats| sum.merge(stats));
        let alive = self.candidates()?.into_iter().filter(|candidate| candidate.node.alive);
        Ok(Totals {
            total_calls: sum.calls,
            active_calls: alive.map(|candidate| u64::from(candidate.node.heartbeat.active_calls)).sum(),
            average_call_duration_ms: sum.mean_duration_ms(),
            error_rate: sum.error_rate(),
            average_latency_ms: sum.mean_latency_ms(),
        })
    }

    fn store(&self) -> Result<Rc<Store>, ApiError> {
        if let Some(store) = self.store.borrow().as_ref() {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(Store::open(self.state.storage())?);
        self.store.replace(Some(Rc::clone(&store)));
        Ok(store)
    }
}

/// A random number from 0 to 1.
fn draw() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the first version is taken: a call is better sent anywhere than nowhere.
    let _ = getrandom::getrandom(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
