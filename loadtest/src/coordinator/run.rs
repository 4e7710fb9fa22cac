//! The coordinator: connects to all workers, starts them at one time, adds up their progress, and gathers what they counted.
//! What came of it is judged by the command, with `report`.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use futures::{SinkExt, StreamExt};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::message::{Order, Told};
use crate::report::FleetCounts;

/// A worker that is not ready by then will not be.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// From the last worker's readiness to the start: all of them know of it by then.
const NOTICE: Duration = Duration::from_millis(500);
/// Workers tell how far they are twice a second; one that is silent for so long is gone.
const SILENT: Duration = Duration::from_secs(15);

/// How far all workers are together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub dialled: usize,
    pub up: usize,
    pub finished: usize,
    pub lost: usize,
    /// Workers that run.
    pub workers: usize,
}

/// Why nothing was run at all.
#[derive(Debug, Error)]
#[error("worker {worker}: {why}")]
pub struct NotStarted {
    pub worker: String,
    pub why: String,
}

/// What became of one worker.
#[derive(Debug, Clone)]
pub struct WorkerEnd {
    pub worker: String,
    /// What it counted, or how it died.
    pub counts: Result<FleetCounts, String>,
}

/// What all workers counted.
#[derive(Debug, Clone)]
pub struct Gathered {
    pub workers: Vec<WorkerEnd>,
    pub interrupted: bool,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Runs `job` on `workers` (`host:port` each), divided among them. Cancelling `stop` ends all calls.
///
/// # Errors
/// [`NotStarted`] if a worker cannot be reached or cannot do its share; then no call was made.
pub async fn run(
    workers: &[String],
    token: &str,
    job: &Job,
    progress: impl Fn(Totals),
    stop: CancellationToken,
) -> Result<Gathered, NotStarted> {
    let ready = workers.iter().enumerate().map(async |(n, worker)| {
        let ready = timeout(READY_WITHIN, prepare(worker, token, job.share(n, workers.len()))).await;
        let ready = ready.unwrap_or_else(|_| Err(format!("not ready within {} s", READY_WITHIN.as_secs())));
        ready.map_err(|why| NotStarted { worker: worker.clone(), why })
    });
    let sockets = try_join_all(ready).await?;
    let start = Instant::now() + NOTICE;
    let (reports, totals): (Vec<_>, Vec<_>) = workers.iter().map(|_| watch::channel(Totals::default())).unzip();
    let followed = workers.iter().zip(sockets).zip(reports).enumerate().map(|(n, ((worker, socket), report))| {
        // One after the other, so that calls of all workers together come evenly.
        let start = start + Duration::from_secs_f64(n as f64 / job.rate);
        let stop = stop.clone();
        async move { WorkerEnd { worker: worker.clone(), counts: follow(socket, start, &report, stop).await } }
    });
    let shown = async {
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tick.tick().await;
            progress(totals.iter().map(|one| *one.borrow()).fold(Totals::default(), Totals::plus));
        }
    };
    let workers = tokio::select! {
        ends = join_all(followed) => ends,
        () = shown => Vec::new(),
    };
    Ok(Gathered { workers, interrupted: stop.is_cancelled() })
}

/// Connects to a worker and gives it its share, until it is ready.
async fn prepare(worker: &str, token: &str, job: Job) -> Result<Socket, String> {
    let mut request =
        format!("ws://{worker}/v1/job").into_client_request().map_err(|error| format!("no address: {error}"))?;
    let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| "the token is no header".to_owned())?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let (mut socket, _) = connect_async(request).await.map_err(|error| match error {
        Error::Http(answer) => {
            let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned();
            format!("it answered {}: {body}", answer.status())
        }
        error => format!("cannot be reached: {error}"),
    })?;
    say(&mut socket, &Order::Job(Box::new(job))).await?;
    match next(&mut socket).await? {
        Told::Ready => Ok(socket),
        Told::Failed { error } => Err(error),
        told => Err(format!("it should be ready, and says {told:?}")),
    }
}

/// Starts a worker and listens to it until it is done.
async fn follow(
    mut socket: Socket,
    start: Instant,
    report: &watch::Sender<Totals>,
    stop: CancellationToken,
) -> Result<FleetCounts, String> {
    let in_ms = start.saturating_duration_since(Instant::now()).as_millis() as u64;
    say(&mut socket, &Order::Start { in_ms }).await?;
    let mut told_to_stop = false;
    loop {
        let told = tokio::select! {
            told = timeout(SILENT, next(&mut socket)) => {
                told.unwrap_or_else(|_| Err(format!("it said nothing for {} s", SILENT.as_secs())))
            }
            () = stop.cancelled(), if !told_to_stop => {
                told_to_stop = true;
                say(&mut socket, &Order::Stop).await?;
                continue;
            }
        };
        let over = match told {
            Ok(Told::Progress { dialled, up, finished, lost }) => {
                report.send_replace(Totals { dialled, up, finished, lost, workers: 1 });
                continue;
            }
            Ok(Told::Ready) => continue,
            Ok(Told::Done { counts }) => Ok(*counts),
            Ok(Told::Failed { error }) | Err(error) => Err(error),
        };
        report.send_modify(|totals| *totals = Totals { up: 0, workers: 0, ..*totals });
        return over;
    }
}

async fn say(socket: &mut Socket, order: &Order) -> Result<(), String> {
    let text = serde_json::to_string(order).map_err(|error| error.to_string())?;
    socket.send(Message::text(text)).await.map_err(|error| format!("it is gone: {error}"))
}

async fn next(socket: &mut Socket) -> Result<Told, String> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(|error| format!("what it says is not understood: {error}"));
            }
            Some(Ok(Message::Close(_))) | None => return Err("it is gone".to_owned()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(format!("it is gone: {error}")),
        }
    }
}

// === impl Totals ===

impl Totals {
    fn plus(self, other: Self) -> Self {
        Self {
            dialled: self.dialled + other.dialled,
            up: self.up + other.up,
            finished: self.finished + other.finished,
            lost: self.lost + other.lost,
            workers: self.workers + other.workers,
        }
    }
}

// === impl Gathered ===

impl Gathered {
    /// The sum of all that counted.
    pub fn merged(&self) -> FleetCounts {
        let mut sum = FleetCounts::default();
        self.workers.iter().filter_map(|end| end.counts.as_ref().ok()).for_each(|counts| sum.merge(counts));
        sum.interrupted |= self.interrupted;
        sum
    }

    /// Workers that died, and how.
    pub fn dead(&self) -> impl Iterator<Item = (&str, &str)> {
        self.workers.iter().filter_map(|end| Some((end.worker.as_str(), end.counts.as_ref().err()?.as_str())))
    }
}
