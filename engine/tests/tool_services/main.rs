//! Tools as services outside: a webhook that is right, slow, wrong or gone, and an MCP server.
//! When they are called and what a conversation makes of them is in `tools`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod mcp;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use engine::call::{Tool, ToolDefinition, ToolService};
use serde_json::json;
use tokio::net::TcpListener;

/// Never reached in a test that passes.
const LONG: Duration = Duration::from_secs(20);

fn tool(timeout: Duration, service: ToolService) -> Arc<Tool> {
    let definition = ToolDefinition {
        name: "lookup".to_owned(),
        description: String::new(),
        parameters: json!({ "type": "object" }),
    };
    Arc::new(Tool { definition, filler: String::new(), timeout, service })
}

/// Serves `router` as long as the test runs.
async fn serve(router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}
