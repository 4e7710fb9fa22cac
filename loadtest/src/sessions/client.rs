//! One client's session: a token, a socket, a little audio now and then that is timed when it comes back, `end_call`.
//! How many there are, and what their numbers mean, is for others to say.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge_protocol::call_session::{AudioFormat, CallMetadata, ClientMessage, ServerMessage, SessionStatus};
use engine::audio::FRAME_SAMPLES;
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use super::{Plan, Tally};

/// Why a session was not what it should be.
#[derive(Debug, Error)]
pub enum SessionError {
    #[error("no call token: {0}")]
    Token(String),
    #[error("no socket: {0}")]
    Open(String),
    #[error("not ready within {} s", .0.as_secs())]
    NotReady(Duration),
    #[error("the edge said {0}")]
    Said(String),
    #[error("closed in the middle")]
    Closed,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What `POST /v1/call-tokens` answers, as far as it is used.
#[derive(Deserialize)]
struct CallToken {
    call_id: String,
    url: String,
}

/// Opens a session, holds it, ends it. What was measured is in `tally`.
///
/// # Errors
/// [`SessionError`]: it did not begin, or ended before it should.
pub async fn hold(plan: &Plan, tally: &Tally, stop: &CancellationToken) -> Result<(), SessionError> {
    let asked = Instant::now();
    let ready = timeout(plan.patience, open(plan)).await.map_err(|_| SessionError::NotReady(plan.patience))?;
    let mut socket = ready?;
    tally.ready(asked.elapsed());
    let outcome = converse(&mut socket, plan, tally, stop).await;
    tally.up.fetch_sub(1, Ordering::Relaxed);
    outcome?;
    send(&mut socket, &ClientMessage::EndCall).await?;
    let over = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(plan.patience, over).await.map_err(|_| SessionError::Said("nothing to end_call".to_owned()))
}

async fn open(plan: &Plan) -> Result<Socket, SessionError> {
    let url = format!("{}/v1/call-tokens", plan.edge);
    let wanted = plan.number.as_ref().map_or_else(|| json!({}), |number| json!({ "number": number }));
    let answer = plan.http.post(url).bearer_auth(&plan.token).json(&wanted).send().await;
    let answer = answer.map_err(|error| SessionError::Token(error.to_string()))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(SessionError::Token(format!("{status}: {}", answer.text().await.unwrap_or_default())));
    }
    let CallToken { call_id, url } = answer.json().await.map_err(|error| SessionError::Token(error.to_string()))?;
    let (mut socket, _) = connect_async(url).await.map_err(|error| SessionError::Open(error.to_string()))?;
    let metadata = CallMetadata { phone_number: plan.number.clone(), campaign_id: None };
    send(&mut socket, &ClientMessage::StartCall { call_id, user_id: "loadtest".to_owned(), metadata }).await?;
    loop {
        if let ServerMessage::Status { status: SessionStatus::Ready, .. } = receive(&mut socket).await? {
            return Ok(socket);
        }
    }
}

/// Says something now and then, until the session has been held for long enough.
async fn converse(
    socket: &mut Socket,
    plan: &Plan,
    tally: &Tally,
    stop: &CancellationToken,
) -> Result<(), SessionError> {
    let end = Instant::now() + plan.hold;
    let mut due = Instant::now() + plan.say_every;
    // What was said last, until it comes back.
    let mut said: Option<(String, Instant)> = None;
    let mut number = 0u64;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep_until(end) => return Ok(()),
            () = sleep_until(due) => {
                let now = Instant::now();
                tally.said(now - due, plan.say_every);
                let data = audio(number);
                let message = ClientMessage::Audio { data: data.clone(), format: AudioFormat::Mulaw, sample_rate: 8000 };
                send(socket, &message).await?;
                (said, number, due) = (Some((data, now)), number + 1, due + plan.say_every);
            }
            message = receive(socket) => {
                let ServerMessage::AudioResponse { audio, .. } = message? else { continue };
                if let Some((_, at)) = said.take_if(|(data, _)| *data == audio) {
                    tally.came_back(at.elapsed());
                }
            }
        }
    }
}

/// 20 ms that no other frame of the session is: base64 of µ-law.
fn audio(number: u64) -> String {
    let mut frame = [0xFF; FRAME_SAMPLES];
    frame[..8].copy_from_slice(&number.to_be_bytes());
    STANDARD.encode(frame)
}

async fn send(socket: &mut Socket, message: &ClientMessage) -> Result<(), SessionError> {
    let text = serde_json::to_string(message).map_err(|error| SessionError::Said(error.to_string()))?;
    socket.send(Message::text(text)).await.map_err(|_| SessionError::Closed)
}

/// The next message that is neither a fault nor WebSocket's own.
async fn receive(socket: &mut Socket) -> Result<ServerMessage, SessionError> {
    loop {
        let Some(Ok(message)) = socket.next().await else { return Err(SessionError::Closed) };
        let Message::Text(text) = message else { continue };
        match serde_json::from_str(&text) {
            Ok(ServerMessage::Error { code, message }) => {
                return Err(SessionError::Said(format!("{code:?}: {message}")));
            }
            Ok(message) => return Ok(message),
            Err(error) => return Err(SessionError::Said(format!("what cannot be read: {error}"))),
        }
    }
}
