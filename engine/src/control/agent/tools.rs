//! The tools of an agent: `[[tools]]`, `[[mcp]]` and `transfer_to` of its file, and what the edge's profiles have of them.
//! What a call does with them is `call`'s business, who carries them out `engine::tools`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{
    AgentSettings, BUILT_IN, MAX_TOOL_NAME, McpServer, Reach, Tool, ToolDefinition, ToolSecret, ToolService,
    TransferTarget,
};

/// Longest wait for a tool, ms: a caller is on the line.
const TIMEOUT_MS: std::ops::RangeInclusive<u32> = 100..=20_000;

/// The file's keys. Together with the rest of an agent, by `flatten`.
#[derive(Debug, Default, Deserialize)]
pub struct ToolsToml {
    #[serde(default)]
    tools: Vec<WebhookToml>,
    #[serde(default)]
    mcp: Vec<McpToml>,
    /// Numbers or SIP URIs by the name the model knows them by.
    #[serde(default)]
    transfer_to: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookToml {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default = "no_parameters")]
    parameters: Value,
    url: String,
    secret: Option<ToolSecret>,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u32,
    #[serde(default = "default_filler")]
    filler: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct McpToml {
    name: String,
    url: String,
    token: Option<ToolSecret>,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u32,
    #[serde(default = "default_filler")]
    filler: String,
}

/// A tool of a profile at the edge: OpenAI's shape, and where it is carried out.
#[derive(Debug, Deserialize)]
struct ProfileTool {
    function: ProfileFunction,
    url: Option<String>,
    secret: Option<ToolSecret>,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u32,
    #[serde(default = "default_filler")]
    filler: String,
}

#[derive(Debug, Deserialize)]
struct ProfileFunction {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default = "no_parameters")]
    parameters: Value,
}

fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {} })
}

fn default_timeout_ms() -> u32 {
    8_000
}

fn default_filler() -> String {
    "One moment, please.".to_owned()
}

// === impl ToolsToml ===

impl ToolsToml {
    /// What a call gets of it.
    pub fn give_to(self, agent: &mut AgentSettings) {
        let webhook = |file: WebhookToml| {
            let WebhookToml { name, description, parameters, url, secret, timeout_ms, filler } = file;
            Arc::new(Tool {
                definition: ToolDefinition { name, description, parameters },
                filler,
                timeout: Duration::from_millis(timeout_ms.into()),
                service: ToolService::Webhook { url, secret, reach: Reach::Anywhere },
            })
        };
        let server = |McpToml { name, url, token, timeout_ms, filler }| {
            let timeout = Duration::from_millis(u64::from(timeout_ms));
            Arc::new(McpServer { name, url, token, timeout, filler })
        };
        agent.tools = self.tools.into_iter().map(webhook).collect();
        agent.mcp = self.mcp.into_iter().map(server).collect();
        agent.transfer_to = self.transfer_to.into_iter().map(|(name, to)| TransferTarget { name, to }).collect();
    }
}

/// A key, its value, and what is wrong with it.
pub type BadTool = (&'static str, String, &'static str);

/// Checks what `give_to` gave.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(agent: &AgentSettings) -> Result<(), BadTool> {
    for (at, tool) in agent.tools.iter().enumerate() {
        check_tool(tool)?;
        let name = &tool.definition.name;
        if agent.tools.iter().take(at).any(|before| before.definition.name == *name) {
            return Err(("tools.name", format!("{name:?}"), "is there twice"));
        }
    }
    for server in agent.mcp.iter() {
        if !is_name(&server.name) {
            return Err(("mcp.name", format!("{:?}", server.name), "must be letters, digits, _ or -, at most 64"));
        }
        check_url("mcp.url", &server.url)?;
        check_timeout("mcp.timeout_ms", server.timeout)?;
    }
    for target in &agent.transfer_to {
        if target.name.trim().is_empty() || target.to.trim().is_empty() {
            return Err(("transfer_to", format!("{:?} = {:?}", target.name, target.to), "must not be empty"));
        }
    }
    Ok(())
}

fn check_tool(tool: &Tool) -> Result<(), BadTool> {
    let ToolDefinition { name, parameters, .. } = &tool.definition;
    if !is_name(name) {
        return Err(("tools.name", format!("{name:?}"), "must be letters, digits, _ or -, at most 64"));
    }
    if BUILT_IN.contains(&name.as_str()) {
        return Err(("tools.name", format!("{name:?}"), "is a tool that every call has"));
    }
    if parameters.get("type").and_then(Value::as_str) != Some("object") {
        return Err(("tools.parameters", parameters.to_string(), "must be a JSON Schema of type object"));
    }
    if let ToolService::Webhook { url, .. } = &tool.service {
        check_url("tools.url", url)?;
    }
    check_timeout("tools.timeout_ms", tool.timeout)
}

fn check_url(key: &'static str, url: &str) -> Result<(), BadTool> {
    let is_http = reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_http { Ok(()) } else { Err((key, format!("{url:?}"), "must be an http or https URL")) }
}

fn check_timeout(key: &'static str, timeout: Duration) -> Result<(), BadTool> {
    let fits = u32::try_from(timeout.as_millis()).is_ok_and(|ms| TIMEOUT_MS.contains(&ms));
    if fits { Ok(()) } else { Err((key, timeout.as_millis().to_string(), "must be 100 to 20000")) }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=MAX_TOOL_NAME).contains(&name.len()) && name.chars().all(plain)
}

/// The tools of a profile that can be run: those with a URL. What is wrong with one is logged, and the call does without.
pub fn of_profile(tools: Vec<Value>, profile_id: &str) -> Vec<Arc<Tool>> {
    let mut found: Vec<Arc<Tool>> = Vec::new();
    for value in tools {
        let read = serde_json::from_value::<ProfileTool>(value).map_err(|error| error.to_string());
        let tool = match read {
            Ok(ProfileTool { url: None, .. }) => continue,
            Ok(ProfileTool { function, url: Some(url), secret, timeout_ms, filler }) => {
                let ProfileFunction { name, description, parameters } = function;
                let timeout = Duration::from_millis(timeout_ms.into());
                let service = ToolService::Webhook { url, secret, reach: Reach::PublicInternet };
                let tool =
                    Tool { definition: ToolDefinition { name, description, parameters }, filler, timeout, service };
                let twice = found.iter().any(|other| other.definition.name == tool.definition.name);
                match check_tool(&tool) {
                    Ok(()) if twice => Err(format!("{:?} is there twice", tool.definition.name)),
                    Ok(()) => Ok(tool),
                    Err((key, value, why)) => Err(format!("{key} {value} {why}")),
                }
            }
            Err(error) => Err(error),
        };
        match tool {
            Ok(tool) => found.push(Arc::new(tool)),
            Err(error) => tracing::warn!(profile_id, error, "a tool of the edge cannot be used"),
        }
    }
    found
}

#[cfg(test)]
mod tests;
