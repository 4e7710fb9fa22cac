//! Answers every call with G.711 and waits for its end: something to point SIPp or a softphone at.
//! Not here: media; the caller hears nothing. `cargo run -p sip-bridge --example answer -- 127.0.0.1:5070`

use sip_bridge::sdp::{self, Local};
use sip_bridge::{Endpoint, EndpointConfig, IncomingCall, Rejection};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

static ANSWERED: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen: SocketAddr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5070".to_owned()).parse()?;
    let mut endpoint = Endpoint::bind(EndpointConfig::new(listen)).await?;
    let handle = endpoint.handle();
    println!("listening on {} (UDP and TCP); interrupt to end", handle.local_addr());
    loop {
        tokio::select! {
            call = endpoint.next_call() => match call {
                Some(call) => drop(tokio::spawn(answer(call, handle.local_addr()))),
                None => break,
            },
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    println!(
        "answered {}, refused {}, still open {} dialogs and {} transactions",
        ANSWERED.load(Ordering::Relaxed),
        REFUSED.load(Ordering::Relaxed),
        handle.open_dialogs(),
        handle.open_transactions()
    );
    handle.shutdown().await;
    Ok(())
}

async fn answer(call: IncomingCall, listen: SocketAddr) {
    let local = Local {
        addr: listen.ip(),
        codecs: sdp::Codec::ALL.to_vec(),
        port: 20000,
        rtcp_mux: true,
        session_id: 1,
        version: 1,
        security: sdp::Security::default(),
    };
    let text = match &call.offer {
        Some(offer) => sdp::answer(offer, &local).map(|(_, text)| text),
        None => Ok(sdp::offer(&local)),
    };
    let _ = call.ring().await;
    match text {
        Ok(text) => {
            if let Ok(mut dialog) = call.accept(text).await {
                ANSWERED.fetch_add(1, Ordering::Relaxed);
                while dialog.next_event().await.is_some() {}
            }
        }
        Err(error) => {
            REFUSED.fetch_add(1, Ordering::Relaxed);
            call.reject(Rejection::from(error)).await;
        }
    }
}
