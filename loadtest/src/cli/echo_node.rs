//! `loadtest echo-node`: the stand-in for a node that sessions on the Worker talk to.
//! What it does is `sessions::echo_node`.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use engine::control::SignedClient;
use tokio::net::TcpListener;

use super::{Outcome, stop_on_signal};
use crate::sessions::echo_node;

/// The stand-in's name at the edge.
pub(super) const ECHO_NODE: &str = "echo";

/// Be a node to the edge that says back what it hears, until ended
#[derive(Debug, Args)]
pub struct EchoNode {
    /// The edge
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    url: String,
    /// The engines' secret
    #[arg(long, env = "TANDEM_EDGE__SECRET", hide_env_values = true)]
    secret: String,
    #[arg(long, default_value = ECHO_NODE)]
    name: String,
    /// Where the edge reaches us
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    #[arg(long, default_value_t = 10_000)]
    max_calls: u32,
}

// === impl EchoNode ===

impl EchoNode {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let listener =
            TcpListener::bind(self.listen).await.with_context(|| format!("cannot listen on {}", self.listen))?;
        let client = SignedClient::new(&self.url, &self.secret, &self.name)?;
        let address = listener.local_addr()?;
        println!("{} on http://{address}", self.name);
        let node = echo_node::EchoNode::new(self.name, address, self.secret, self.max_calls);
        node.serve(listener, client, stop_on_signal()).await.context("the stand-in node failed")?;
        Ok(Outcome::Passed)
    }
}
