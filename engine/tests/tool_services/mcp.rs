//! MCP servers over streamable HTTP: the handshake, their tools, calls of them, and sessions that broke.
//! The fake speaks just enough JSON-RPC; no part of the client's library is in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use engine::call::{McpServer, ToolSecret, ToolService};
use engine::tools::Tools;
use serde_json::{Value, json};

use crate::{LONG, serve, tool};

/// What the fake saw.
#[derive(Default)]
struct Seen {
    sessions: AtomicUsize,
    lists: AtomicUsize,
}

async fn answer(State(seen): State<Arc<Seen>>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some("Bearer t0ken") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let result = match request["method"].as_str().unwrap() {
        "initialize" => {
            seen.sessions.fetch_add(1, Ordering::SeqCst);
            let version = &request["params"]["protocolVersion"];
            json!({ "protocolVersion": version, "capabilities": { "tools": {} },
                "serverInfo": { "name": "fake", "version": "1" } })
        }
        "tools/list" => {
            seen.lists.fetch_add(1, Ordering::SeqCst);
            let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
            let tool = |name: &str| json!({ "name": name, "description": "Finds.", "inputSchema": schema });
            // In two pages.
            match request["params"]["cursor"].as_str() {
                None => json!({ "tools": [tool("find")], "nextCursor": "2" }),
                Some(_) => json!({ "tools": [tool("find_more")] }),
            }
        }
        "tools/call" => {
            let name = &request["params"]["arguments"]["name"];
            let failed = name == "nobody";
            let text = if failed { "no such customer".to_owned() } else { format!("{name} is a customer") };
            json!({ "content": [{ "type": "text", "text": text }], "isError": failed })
        }
        method if method.starts_with("notifications/") => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({ "code": -32601, "message": "no such method" });
            return Json(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error })).into_response();
        }
    };
    let reply = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
    // Both forms of an answer.
    if request["method"] == "tools/call" {
        let event = format!("event: message\ndata: {reply}\n\n");
        return ([(header::CONTENT_TYPE, "text/event-stream")], event).into_response();
    }
    ([("mcp-session-id", "s1")], Json(reply)).into_response()
}

async fn fake() -> (Arc<McpServer>, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let router = Router::new().route("/mcp", post(answer)).with_state(seen.clone());
    (server(serve(router).await + "/mcp"), seen)
}

fn server(url: String) -> Arc<McpServer> {
    let token = Some(ToolSecret("t0ken".to_owned()));
    Arc::new(McpServer { name: "crm".to_owned(), url, token, timeout: LONG, filler: "One moment.".to_owned() })
}

#[tokio::test]
async fn a_servers_tools_are_found_once_for_many_calls_and_can_be_called() {
    let (server, seen) = fake().await;
    let tools = Tools::new().unwrap();
    let found = tools.find(&server).await.unwrap();
    let names: Vec<&str> = found.iter().map(|tool| tool.definition.name.as_str()).collect();
    assert_eq!(names, ["find", "find_more"]);
    assert_eq!(found[0].definition.parameters["properties"]["name"]["type"], "string");
    assert_eq!(found[0].filler, "One moment.");
    assert_eq!(tools.find(&server).await.unwrap(), found);
    assert_eq!(seen.lists.load(Ordering::SeqCst), 2, "two pages, asked for once");

    let result = tools.run("call-1", &found[0], r#"{"name":"Ada"}"#).await;
    assert_eq!(result, Ok("\"Ada\" is a customer".to_owned()));
    let failed = tools.run("call-1", &found[0], r#"{"name":"nobody"}"#).await;
    assert_eq!(failed, Err("no such customer".to_owned()));
    assert_eq!(seen.sessions.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_is_gone_refuses_or_is_silent_has_no_tools() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let tools = Tools::new().unwrap();
    assert!(tools.find(&server(format!("http://{gone}/mcp"))).await.is_err());

    let (known, _) = fake().await;
    let stranger = Arc::new(McpServer { token: None, ..McpServer::clone(&known) });
    assert!(tools.find(&stranger).await.is_err());

    let silent = serve(Router::new().route("/mcp", post(std::future::pending::<()>))).await + "/mcp";
    let silent = Arc::new(McpServer { timeout: Duration::from_millis(150), ..McpServer::clone(&server(silent)) });
    assert_eq!(tools.find(&silent).await, Err("no answer within 150 ms".to_owned()));
    let service = ToolService::Mcp { server: silent, name: "find".to_owned() };
    let result = tools.run("call-1", &tool(Duration::from_millis(150), service), "{}").await;
    assert_eq!(result, Err("no answer within 150 ms".to_owned()));
}
