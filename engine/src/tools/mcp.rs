//! Tools of MCP servers: one session a server, opened when it is first needed and again after it broke.
//! The protocol is the crate `rmcp`'s; no type of it leaves this file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceError, ServiceExt};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Clients, bounded};
use crate::call::{McpServer, Reach, Tool, ToolDefinition, ToolSecret, ToolService};

/// How long a server's list of tools is believed.
const LIST_IS_NEW: Duration = Duration::from_secs(60);

/// Most tools of one server: a model chooses badly among many.
const MOST_TOOLS: usize = 64;

/// Sessions by server.
pub struct McpClients {
    http: Clients,
    sessions: Mutex<HashMap<Arc<McpServer>, Slot>>,
}

/// A server's session, while there is one.
type Slot = Arc<Mutex<Option<Session>>>;

struct Session {
    service: RunningService<RoleClient, ()>,
    tools: Option<(Instant, Vec<Arc<Tool>>)>,
}

// === impl McpClients ===

impl McpClients {
    pub fn new(http: Clients) -> Self {
        Self { http, sessions: Mutex::default() }
    }

    /// # Errors
    /// Why the server's tools are not known.
    pub async fn tools(&self, server: &Arc<McpServer>) -> Result<Vec<Arc<Tool>>, String> {
        let slot = self.slot(server).await;
        let mut session = slot.lock().await;
        let open = self.open(server, &mut session).await?;
        if let Some((at, tools)) = &open.tools
            && at.elapsed() < LIST_IS_NEW
        {
            return Ok(tools.clone());
        }
        let listed = open.service.list_all_tools().await;
        let listed = listed.inspect_err(|error| forget_if_broken(&mut session, error));
        let listed = listed.map_err(|error| error.to_string())?;
        let tools: Vec<Arc<Tool>> =
            listed.into_iter().take(MOST_TOOLS).map(|tool| Arc::new(of_server(server, tool))).collect();
        if let Some(open) = session.as_mut() {
            open.tools = Some((Instant::now(), tools.clone()));
        }
        Ok(tools)
    }

    /// # Errors
    /// Why there is no result.
    pub async fn call(&self, server: &Arc<McpServer>, tool: &str, arguments: &str) -> Result<String, String> {
        let arguments = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
        let slot = self.slot(server).await;
        // Calls of several callers go on beside each other.
        let peer = self.open(server, &mut *slot.lock().await).await?.service.peer().clone();
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match peer.call_tool(request).await {
            Ok(result) => outcome(result),
            Err(error) => {
                forget_if_broken(&mut *slot.lock().await, &error);
                Err(error.to_string())
            }
        }
    }

    async fn slot(&self, server: &Arc<McpServer>) -> Slot {
        self.sessions.lock().await.entry(server.clone()).or_default().clone()
    }

    async fn open<'a>(&self, server: &McpServer, session: &'a mut Option<Session>) -> Result<&'a mut Session, String> {
        if session.as_ref().is_some_and(|open| open.service.is_closed()) {
            *session = None;
        }
        match session {
            Some(open) => Ok(open),
            None => {
                let http = self.http.to(&server.url, Reach::Anywhere)?.clone();
                let mut config = StreamableHttpClientTransportConfig::with_uri(server.url.as_str());
                if let Some(ToolSecret(token)) = &server.token {
                    config = config.auth_header(token.as_str());
                }
                let transport = StreamableHttpClientTransport::with_client(http, config);
                let service = ().serve(transport).await.map_err(|error| error.to_string())?;
                Ok(session.insert(Session { service, tools: None }))
            }
        }
    }
}

/// A session that cannot be used any more is opened again the next time. What was asked is not asked again: it may have
/// been done.
fn forget_if_broken(session: &mut Option<Session>, error: &ServiceError) {
    if matches!(error, ServiceError::TransportSend(_) | ServiceError::TransportClosed) {
        *session = None;
    }
}

fn of_server(server: &Arc<McpServer>, tool: rmcp::model::Tool) -> Tool {
    let name = tool.name.into_owned();
    Tool {
        definition: ToolDefinition {
            name: name.clone(),
            description: tool.description.unwrap_or_default().into_owned(),
            parameters: Value::Object(Arc::unwrap_or_clone(tool.input_schema)),
        },
        filler: server.filler.clone(),
        timeout: server.timeout,
        service: ToolService::Mcp { server: server.clone(), name },
    }
}

/// The texts of a result, or its structured content where it has none.
fn outcome(result: CallToolResult) -> Result<String, String> {
    let texts: Vec<&str> =
        result.content.iter().filter_map(ContentBlock::as_text).map(|text| text.text.as_str()).collect();
    let structured = || result.structured_content.as_ref().map(Value::to_string).unwrap_or_default();
    let text = bounded(if texts.is_empty() { structured() } else { texts.join("\n") });
    if result.is_error == Some(true) { Err(text) } else { Ok(text) }
}
