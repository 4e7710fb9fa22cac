//! `loadtest worker`: makes calls for a coordinator.
//! The work is `coordinator`'s.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use clap::Args;
use tokio::net::TcpListener;

use super::{Outcome, stop_on_signal};
use crate::coordinator;

/// Wait for `loadtest coordinate` and make a share of its calls
#[derive(Debug, Args)]
pub struct Worker {
    /// Where the coordinator connects to
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// Address of our SIP and RTP (port 0: any)
    #[arg(long, default_value = "127.0.0.1:0")]
    sip: SocketAddr,
    /// What the coordinator has to know
    #[arg(long, env = "LOADTEST_TOKEN", hide_env_values = true)]
    token: String,
}

// === impl Worker ===

impl Worker {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        ensure!(!self.token.is_empty(), "--token is empty: anybody could make calls from here");
        let listener =
            TcpListener::bind(self.listen).await.with_context(|| format!("cannot listen on {}", self.listen))?;
        println!("worker on {}, calling from {}", listener.local_addr()?, self.sip);
        let worker = coordinator::Worker { token: self.token, sip: self.sip };
        coordinator::serve(listener, worker, stop_on_signal()).await.context("the worker failed")?;
        Ok(Outcome::Passed)
    }
}
