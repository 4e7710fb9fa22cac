//! Runs what a call's model calls outside of the call: webhooks and the tools of MCP servers, each in its time.
//! Which tools there are and what their results lead to is decided in `call`.

mod arguments;
mod mcp;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;

use crate::call::{McpServer, Reach, Tool, ToolService};
use crate::destination::{PublicInternet, is_loopback, is_public, literal};
use mcp::McpClients;

/// Longest result, bytes: a model reads it while a caller waits.
const MAX_RESULT_BYTES: usize = 8 * 1024;

/// TCP and TLS.
const CONNECT: Duration = Duration::from_secs(2);

/// All calls' way to tools; connections are kept.
pub struct Tools {
    http: Clients,
    mcp: McpClients,
}

/// One HTTP client for each way out.
#[derive(Clone)]
struct Clients {
    outside: reqwest::Client,
    /// A proxy set in the environment is meant for the world outside.
    loopback: reqwest::Client,
    /// Connects to public addresses only.
    public: reqwest::Client,
}

// === impl Tools ===

impl Tools {
    /// # Errors
    /// HTTP cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        // A redirect could lead anywhere, and what is signed is for one receiver.
        let base = || reqwest::Client::builder().connect_timeout(CONNECT).tcp_nodelay(true).redirect(Policy::none());
        let http = Clients {
            outside: base().build()?,
            loopback: base().no_proxy().build()?,
            public: base().no_proxy().dns_resolver(Arc::new(PublicInternet::default())).build()?,
        };
        Ok(Self { mcp: McpClients::new(http.clone()), http })
    }

    /// The tool's result for the call of that id; `arguments` is a JSON object.
    ///
    /// # Errors
    /// Why there is none, as the model is told.
    pub async fn run(&self, call_id: &str, tool: &Tool, arguments: &str) -> Result<String, String> {
        arguments::check(&tool.definition, arguments)?;
        let result = async {
            match &tool.service {
                ToolService::Webhook { url, secret, reach } => {
                    let http = self.http.to(url, *reach)?;
                    let request = webhook::Request { call_id, tool: &tool.definition.name, arguments };
                    webhook::post(http, url, secret.as_ref(), request).await
                }
                ToolService::Mcp { server, name } => self.mcp.call(server, name, arguments).await,
            }
        };
        let timed_out = || Err(format!("no answer within {} ms", tool.timeout.as_millis()));
        tokio::time::timeout(tool.timeout, result).await.unwrap_or_else(|_| timed_out())
    }

    /// A server's tools.
    ///
    /// # Errors
    /// Why they are not known.
    pub async fn find(&self, server: &Arc<McpServer>) -> Result<Vec<Arc<Tool>>, String> {
        let timed_out = || Err(format!("no answer within {} ms", server.timeout.as_millis()));
        tokio::time::timeout(server.timeout, self.mcp.tools(server)).await.unwrap_or_else(|_| timed_out())
    }
}

// === impl Clients ===

impl Clients {
    /// The client that may go to `url`.
    fn to(&self, url: &str, reach: Reach) -> Result<&reqwest::Client, String> {
        let url = reqwest::Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
        match (reach, literal(&url)) {
            (Reach::PublicInternet, Some(ip)) if !is_public(ip) => Err(format!("{ip} is not a public address")),
            (Reach::PublicInternet, _) => Ok(&self.public),
            (Reach::Anywhere, _) if is_loopback(&url) => Ok(&self.loopback),
            (Reach::Anywhere, _) => Ok(&self.outside),
        }
    }
}

/// A result no longer than a model should read, cut at a character.
fn bounded(mut text: String) -> String {
    if text.len() > MAX_RESULT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_RESULT_BYTES));
        text.push_str(" [cut]");
    }
    text
}
