//! Webhook tools: what they are sent and signed with, and every way they can fail.
//! The signature itself is tested in `edge_protocol`.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Redirect;
use axum::routing::post;
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use engine::call::{Reach, ToolSecret, ToolService};
use engine::tools::Tools;
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use crate::{LONG, serve, tool};

async fn run(url: String, timeout: Duration) -> Result<String, String> {
    let service = ToolService::Webhook { url, secret: None, reach: Reach::Anywhere };
    Tools::new().unwrap().run("call-1", &tool(timeout, service), "{}").await
}

#[tokio::test]
async fn a_webhook_is_told_the_call_the_tool_and_the_arguments_and_can_check_who_asks() {
    let (seen, mut requests) = unbounded_channel();
    let answer = move |headers: HeaderMap, body: Bytes| {
        seen.send((headers, body)).unwrap();
        async { ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"shipped"}"#) }
    };
    let url = serve(Router::new().route("/orders", post(answer))).await + "/orders";
    let secret = Some(ToolSecret("s3cret".to_owned()));
    let tool = tool(LONG, ToolService::Webhook { url, secret, reach: Reach::Anywhere });
    let result = Tools::new().unwrap().run("call-1", &tool, r#"{"order":42}"#).await;
    assert_eq!(result, Ok(r#"{"status":"shipped"}"#.to_owned()));

    let (headers, body) = requests.recv().await.unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(asked, json!({ "call_id": "call-1", "tool": "lookup", "arguments": { "order": 42 } }));
    assert_eq!(headers["content-type"], "application/json");
    let [stamp, signature] = [TIMESTAMP_HEADER, SIGNATURE_HEADER].map(|name| headers[name].to_str().unwrap());
    let now = stamp.parse().unwrap();
    assert_eq!(verify(b"s3cret", Some(stamp), Some(signature), &body, now), Ok(()));
    assert!(verify(b"other", Some(stamp), Some(signature), &body, now).is_err());
}

#[tokio::test]
async fn a_webhook_that_is_slow_is_given_up_in_its_time() {
    let url = serve(Router::new().route("/", post(std::future::pending::<()>))).await;
    assert_eq!(run(url, Duration::from_millis(150)).await, Err("no answer within 150 ms".to_owned()));
}

#[tokio::test]
async fn a_webhook_that_is_wrong_or_gone_is_told_with_the_reason() {
    let broken = || async { (StatusCode::INTERNAL_SERVER_ERROR, "no database") };
    let elsewhere = || async { Redirect::temporary("http://127.0.0.1:9/") };
    let base = serve(Router::new().route("/broken", post(broken)).route("/elsewhere", post(elsewhere))).await;
    let broken = run(format!("{base}/broken"), LONG).await;
    assert_eq!(broken, Err("the service answered 500: no database".to_owned()));
    // What is signed is not carried on to somebody else.
    let elsewhere = run(format!("{base}/elsewhere"), LONG).await.unwrap_err();
    assert!(elsewhere.starts_with("the service answered 307"), "{elsewhere}");
    // A port nobody listens on any more.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = run(format!("http://{gone}/"), LONG).await.unwrap_err();
    assert!(gone.starts_with("the service cannot be reached: "), "{gone}");
    assert!(!gone.contains("http://"), "the URL is no business of the model's: {gone}");
}

#[tokio::test]
async fn a_result_that_is_too_long_is_cut() {
    let url = serve(Router::new().route("/", post(|| async { "ä".repeat(100_000) }))).await;
    let result = run(url, LONG).await.unwrap();
    assert!(result.len() <= 8 * 1024 + 10 && result.ends_with(" [cut]"), "{} bytes", result.len());
}

#[tokio::test]
async fn a_customers_tool_does_not_reach_into_the_nodes_network() {
    let base = serve(Router::new().route("/", post(|| async { "secret" }))).await;
    for url in [base.clone(), base.replace("127.0.0.1", "localhost"), base.replace("127.0.0.1", "[::ffff:127.0.0.1]")] {
        let service = ToolService::Webhook { url: url.clone(), secret: None, reach: Reach::PublicInternet };
        let error = Tools::new().unwrap().run("call-1", &tool(LONG, service), "{}").await.unwrap_err();
        assert!(error.contains("public address"), "{url}: {error}");
    }
}
