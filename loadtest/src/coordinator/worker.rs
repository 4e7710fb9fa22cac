//! A worker: waits for a coordinator, runs one job at a time, tells how far it is, and ends its calls when it is told to or
//! nobody is there to be told any more. What is said is `message`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::message::{Order, Told};
use crate::caller::Phone;
use crate::fleet::{self, Progress};
use crate::report::FleetCounts;

/// Every line of a script, as samples, fits.
const LARGEST_JOB: usize = 64 << 20;
/// A coordinator that says nothing for so long before the start is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it tells how far it is.
pub const TELLS_EVERY: Duration = Duration::from_millis(500);

/// What a worker knows by itself.
#[derive(Debug)]
pub struct Worker {
    /// What a coordinator has to know.
    pub token: String,
    /// Address of its callers' SIP and RTP.
    pub sip: SocketAddr,
}

struct Serving {
    worker: Worker,
    free: Semaphore,
    stop: CancellationToken,
}

/// Serves until `stop`, with which a job under way ends too.
///
/// # Errors
/// If the socket cannot be served.
pub async fn serve(listener: TcpListener, worker: Worker, stop: CancellationToken) -> io::Result<()> {
    let serving = Arc::new(Serving { worker, free: Semaphore::new(1), stop: stop.clone() });
    let app = Router::new().route("/v1/job", get(connect)).with_state(serving.clone());
    tokio::select! {
        served = axum::serve(listener, app) => served,
        () = stop.cancelled() => {
            // A job under way still tells what it counted.
            let _ = tokio::time::timeout(PATIENCE, serving.free.acquire()).await;
            Ok(())
        }
    }
}

async fn connect(State(serving): State<Arc<Serving>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if token.and_then(|token| token.strip_prefix("Bearer ")) != Some(serving.worker.token.as_str()) {
        return (StatusCode::UNAUTHORIZED, "the token is another one").into_response();
    }
    if serving.free.available_permits() == 0 {
        return (StatusCode::CONFLICT, "another job is under way").into_response();
    }
    upgrade.max_message_size(LARGEST_JOB).max_frame_size(LARGEST_JOB).on_upgrade(move |mut socket| async move {
        let Ok(_busy) = serving.free.try_acquire() else {
            return tell(&mut socket, &Told::Failed { error: "another job is under way".to_owned() }).await;
        };
        let told = match work(&mut socket, &serving).await {
            Ok(Some(counts)) => Told::Done { counts: Box::new(counts) },
            Ok(None) => return,
            Err(error) => Told::Failed { error },
        };
        tell(&mut socket, &told).await;
        // Said properly, so that the coordinator knows there is nothing more to come.
        let _ = socket.send(Message::Close(None)).await;
    })
}

/// One job, from its order to its counts; `None` if the coordinator went before it began.
async fn work(socket: &mut WebSocket, serving: &Serving) -> Result<Option<FleetCounts>, String> {
    let Some(Order::Job(job)) = order(socket, PATIENCE).await? else { return Ok(None) };
    let Job { threads, .. } = *job;
    let phone = Phone::start(serving.worker.sip, threads).await.map_err(|error| error.to_string())?;
    let fleet = job.fleet().map_err(|error| error.to_string())?;
    tell(socket, &Told::Ready).await;
    let Some(Order::Start { in_ms }) = order(socket, PATIENCE).await? else { return Ok(None) };
    let stop = serving.stop.child_token();
    let begins = tokio::time::sleep(Duration::from_millis(in_ms));
    tokio::select! {
        () = begins => {}
        // Told to stop before it began: there is nothing to end, and nothing to be counted.
        _ = order(socket, PATIENCE) => stop.cancel(),
    }
    let (phone, progress) = (Arc::new(phone), Arc::new(Progress::default()));
    let mut running = tokio::spawn(fleet::count(phone.clone(), fleet, progress.clone(), stop.clone()));
    let mut tick = tokio::time::interval(TELLS_EVERY);
    let mut gone = false;
    let counts = loop {
        tokio::select! {
            counts = &mut running => break counts.map_err(|error| format!("the callers failed: {error}"))?,
            _ = tick.tick(), if !gone => tell(socket, &told(&progress)).await,
            // Told to stop, or nobody is there any more: the calls end with BYE either way.
            told = socket.recv(), if !gone => {
                gone = matches!(told, None | Some(Err(_) | Ok(Message::Close(_))));
                let is_stop = || matches!(read(told), Ok(Some(Order::Stop)));
                if gone || is_stop() {
                    stop.cancel();
                }
            }
        }
    };
    if let Some(phone) = Arc::into_inner(phone) {
        phone.shutdown().await;
    }
    Ok(Some(counts))
}

fn told(progress: &Progress) -> Told {
    Told::Progress {
        dialled: progress.dialled.load(Ordering::Relaxed),
        up: progress.up.load(Ordering::Relaxed),
        finished: progress.finished.load(Ordering::Relaxed),
        lost: progress.lost.load(Ordering::Relaxed),
    }
}

/// The coordinator's next order; `None` if it is gone.
async fn order(socket: &mut WebSocket, within: Duration) -> Result<Option<Order>, String> {
    let told = tokio::time::timeout(within, socket.recv()).await;
    read(told.map_err(|_| format!("nothing came from the coordinator for {} s", within.as_secs()))?)
}

fn read(told: Option<Result<Message, axum::Error>>) -> Result<Option<Order>, String> {
    match told {
        Some(Ok(Message::Text(text))) => {
            serde_json::from_str(&text).map(Some).map_err(|error| format!("this is no order: {error}"))
        }
        _ => Ok(None),
    }
}

async fn tell(socket: &mut WebSocket, told: &Told) {
    let Ok(text) = serde_json::to_string(told) else { return };
    // A coordinator that is gone is noticed where it is listened to.
    let _ = socket.send(Message::text(text)).await;
}
