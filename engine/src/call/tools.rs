//! What the model of one call may call, and what such a call asks for: of the call itself, or of a service outside.
//! When it is done is decided in `conversation::tools`; who speaks to services is `engine::tools`.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chat::{ToolCall, ToolDefinition};
use super::key_sender;
use super::settings::AgentSettings;

const HANG_UP: &str = "hang_up";
const TRANSFER: &str = "transfer";
const SEND_DTMF: &str = "send_dtmf";

/// What every call can do by itself; no other tool has such a name.
pub const BUILT_IN: [&str; 3] = [HANG_UP, TRANSFER, SEND_DTMF];

/// Longest name of a tool, bytes, as models take it.
pub const MAX_TOOL_NAME: usize = 64;

/// A tool that runs, from 1 within a call.
pub type ToolRun = u32;

/// A tool that a service outside of the call carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    pub definition: ToolDefinition,
    /// Said if the result takes a while; empty: nothing is.
    pub filler: String,
    /// Longest wait for the result.
    pub timeout: Duration,
    pub service: ToolService,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolService {
    /// A signed POST to there.
    Webhook { url: String, secret: Option<ToolSecret>, reach: Reach },
    /// The tool of that name at an MCP server.
    Mcp { server: Arc<McpServer>, name: String },
}

/// Where a tool's URL may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Who runs the node wrote it.
    Anywhere,
    /// A customer wrote it: not into the node's own network.
    PublicInternet,
}

/// A server of the Model Context Protocol, over streamable HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct McpServer {
    /// Goes before the names of its tools that another tool has too.
    pub name: String,
    pub url: String,
    /// Sent as bearer token.
    pub token: Option<ToolSecret>,
    /// Of each of its tools.
    pub timeout: Duration,
    pub filler: String,
}

/// A key or token; its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct ToolSecret(pub String);

/// Where the agent may put callers through to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferTarget {
    /// As the model knows it: `sales`.
    pub name: String,
    /// A number or a SIP URI.
    pub to: String,
}

/// A caller is to be put through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferWish {
    pub to: String,
    /// Told to them before both are connected.
    pub reason: Option<String>,
}

/// What a call of the model's asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    HangUp,
    Transfer(TransferWish),
    /// Keys to be pressed.
    Press(String),
    /// The arguments are a JSON object.
    Run {
        tool: Arc<Tool>,
        arguments: String,
    },
}

/// What the model may call.
#[derive(Debug)]
pub struct Toolbox {
    definitions: Arc<[ToolDefinition]>,
    /// By the name the model knows them by.
    tools: Vec<(String, Arc<Tool>)>,
    transfer_to: Vec<TransferTarget>,
    /// Servers whose tools are in.
    servers: Vec<String>,
}

/// What every model may call: the same for all calls.
static OF_EVERY_CALL: LazyLock<Arc<[ToolDefinition]>> = LazyLock::new(|| Arc::new([hang_up(), send_dtmf()]));

#[derive(Deserialize)]
struct TransferArguments {
    to: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct KeyArguments {
    keys: String,
}

// === impl ToolSecret ===

impl fmt::Debug for ToolSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToolSecret(…)")
    }
}

// === impl Toolbox ===

impl Toolbox {
    pub fn new(agent: &AgentSettings) -> Self {
        let transfer_to = agent.transfer_to.clone();
        let mut toolbox = Self { definitions: Arc::default(), tools: Vec::new(), transfer_to, servers: Vec::new() };
        toolbox.tools.extend(agent.tools.iter().map(|tool| (tool.definition.name.clone(), tool.clone())));
        toolbox.define();
        toolbox
    }

    /// What a request to the model says of them.
    pub fn definitions(&self) -> Arc<[ToolDefinition]> {
        self.definitions.clone()
    }

    /// A server's tools are known. Where there is one of such a name already, the server's name goes before it.
    pub fn add(&mut self, server: &str, found: Vec<Arc<Tool>>) {
        if self.servers.iter().any(|known| known == server) {
            return;
        }
        self.servers.push(server.to_owned());
        for tool in found {
            let taken = |name: &str| BUILT_IN.contains(&name) || self.tools.iter().any(|(known, _)| known == name);
            let mut name = plain(&tool.definition.name);
            if taken(&name) {
                name = plain(&format!("{server}_{name}"));
            }
            if !name.is_empty() && !taken(&name) {
                self.tools.push((name, tool));
            }
        }
        self.define();
    }

    /// What the model wants with a call.
    ///
    /// # Errors
    /// Why it cannot be done, as the model is told.
    pub fn understand(&self, call: &ToolCall) -> Result<Action, String> {
        // Some models write nothing where there are no arguments.
        let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        let arguments: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("the arguments are no JSON object: {error}"))?;
        if let Some((_, tool)) = self.tools.iter().find(|(name, _)| *name == call.name) {
            let arguments = Value::Object(arguments).to_string();
            return Ok(Action::Run { tool: tool.clone(), arguments });
        }
        match call.name.as_str() {
            HANG_UP => Ok(Action::HangUp),
            TRANSFER if !self.transfer_to.is_empty() => {
                let TransferArguments { to, reason } = read(arguments)?;
                let target = self.transfer_to.iter().find(|target| target.name == to);
                let target = target.ok_or_else(|| format!("nobody can be put through to {to:?}"))?;
                let reason = reason.filter(|reason| !reason.trim().is_empty());
                Ok(Action::Transfer(TransferWish { to: target.to.clone(), reason }))
            }
            SEND_DTMF => {
                let KeyArguments { keys } = read(arguments)?;
                key_sender::check(&keys).map_err(|error| error.to_string())?;
                Ok(Action::Press(keys))
            }
            other => Err(format!("there is no tool {other:?}")),
        }
    }

    fn define(&mut self) {
        if self.tools.is_empty() && self.transfer_to.is_empty() {
            self.definitions = OF_EVERY_CALL.clone();
            return;
        }
        let mut definitions = OF_EVERY_CALL.to_vec();
        if !self.transfer_to.is_empty() {
            definitions.push(transfer(&self.transfer_to));
        }
        definitions.extend(
            self.tools.iter().map(|(name, tool)| ToolDefinition { name: name.clone(), ..tool.definition.clone() }),
        );
        self.definitions = definitions.into();
    }
}

fn read<T: serde::de::DeserializeOwned>(arguments: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(arguments)).map_err(|error| format!("the arguments do not fit: {error}"))
}

/// A name as models take it: letters, digits, `_` and `-`.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.chars().map(plain).take(MAX_TOOL_NAME).collect()
}

fn definition(name: &str, description: &str, properties: Value, required: &[&str]) -> ToolDefinition {
    let parameters = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false
    });
    ToolDefinition { name: name.to_owned(), description: description.to_owned(), parameters }
}

fn hang_up() -> ToolDefinition {
    let description = "Ends the phone call. Call it after you have said goodbye, in the same answer.";
    definition(HANG_UP, description, json!({}), &[])
}

fn send_dtmf() -> ToolDefinition {
    let description = "Presses keys on the telephone, as for an automatic menu on the other side.";
    let keys = json!({ "type": "string", "description": "0-9, *, #, A-D; a comma is a pause" });
    definition(SEND_DTMF, description, json!({ "keys": keys }), &["keys"])
}

fn transfer(targets: &[TransferTarget]) -> ToolDefinition {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let properties = json!({
        "to": { "type": "string", "enum": names },
        "reason": { "type": "string", "description": "one sentence that they are told before the caller is" },
    });
    let description =
        "Puts the caller through to somebody. Say so in the same answer; you are not in the call afterwards.";
    definition(TRANSFER, description, properties, &["to"])
}

#[cfg(test)]
mod tests;
