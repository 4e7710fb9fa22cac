//! `loadtest echo`: the limit others are measured against, a server that sends back what it gets.
//! The server is `echo`.

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;
use sip_bridge::{Endpoint, EndpointConfig};

use super::{Outcome, stop_on_signal};
use crate::echo;

/// Answer calls and send every packet back: what the kernel alone costs (`loadtest sip --quiet` calls it)
#[derive(Debug, Args)]
pub struct Echo {
    /// Address for SIP
    #[arg(long, default_value = "127.0.0.1:5075")]
    listen: SocketAddr,
    /// No SIP: only send back what comes to this address
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "listen")]
    packets: Option<SocketAddr>,
}

// === impl Echo ===

impl Echo {
    pub async fn run(self) -> anyhow::Result<Outcome> {
        if let Some(address) = self.packets {
            echo::packets(address, stop_on_signal()).await.with_context(|| format!("cannot echo at {address}"))?;
            return Ok(Outcome::Passed);
        }
        let endpoint = Endpoint::bind(EndpointConfig::new(self.listen)).await.context("cannot start SIP")?;
        println!("echo on sip:echo@{}, process {}", endpoint.handle().local_addr(), std::process::id());
        echo::serve(endpoint, stop_on_signal()).await.context("the echo failed")?;
        Ok(Outcome::Passed)
    }
}
