//! A node's HTTP API as its users see it: calls placed, looked at and told things; and a phone that waits for calls.
//! What should come of it is up to the tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use loadtest::caller::{Phone, Ringing, Target};
use serde_json::{Value, json};

use crate::node::Node;

/// How long anything about a call may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

pub struct Api {
    base: String,
    client: reqwest::Client,
}

// === impl Api ===

impl Api {
    pub fn of(node: &Node) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { base: format!("http://127.0.0.1:{}", node.http), client })
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.post_as(None, path, body).await
    }

    pub async fn post_as(&self, token: Option<&str>, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut request = self.client.post(format!("{}{path}", self.base)).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Has the node call somebody; the call's id.
    pub async fn place(&self, to: &str, more: Value) -> Result<String> {
        let mut body = json!({ "to": to });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let (status, answer) = self.post("/v1/calls", &body).await?;
        anyhow::ensure!(status == 202, "{status}: {answer}");
        Ok(answer["call_id"].as_str().context("no call_id")?.to_owned())
    }
}

/// A phone that waits for calls, and the URI that reaches it.
pub async fn waiting_phone() -> Result<(Phone, String)> {
    let phone = Phone::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 1).await?;
    let uri = format!("sip:bob@{}", phone.address());
    Ok((phone, uri))
}

/// The next call at a phone.
pub async fn rings(phone: &mut Phone) -> Result<Ringing> {
    Ok(tokio::time::timeout(SOON, phone.rings()).await.context("it does not ring")??)
}

/// Who dials a node without a front.
pub fn straight_to(node: &Node, user: &str) -> Target {
    Target {
        from: "sip:+15550123@127.0.0.1".to_owned(),
        headers: vec![("X-Campaign".to_owned(), "spring".to_owned())],
        patience: SOON,
        keep_audio: true,
        ..Target::to(format!("sip:{user}@127.0.0.1:{}", node.sip))
    }
}
