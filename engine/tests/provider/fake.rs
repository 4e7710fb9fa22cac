//! A provider on loopback that answers each request with the next reply of a script and remembers what it was asked.
//! It knows nothing of what a right answer would be.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

pub enum Reply {
    /// Status, `Retry-After` if any, content type, body.
    Whole(u16, Option<&'static str>, &'static str, String),
    /// 200, the chunks as they are, then the end.
    Stream(&'static str, Vec<Bytes>, End),
    /// The request is read and nothing comes back.
    Silence,
}

pub enum End {
    /// As HTTP wants it.
    Proper,
    /// The connection is dropped in mid-body.
    CutOff,
    /// The connection stays and nothing more comes.
    Silence,
}

/// A request as it came.
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

pub struct Fake {
    pub base_url: String,
    shared: Arc<Shared>,
    abandoned: UnboundedReceiver<()>,
    server: JoinHandle<()>,
}

struct Shared {
    script: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    abandoned: UnboundedSender<()>,
}

/// Tells when a reply that stays silent is given up by the client.
struct Watch(UnboundedSender<()>);

// === impl Fake ===

impl Fake {
    pub async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let base_url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let (abandoned_in, abandoned) = unbounded_channel();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            seen: Mutex::default(),
            abandoned: abandoned_in,
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server =
            tokio::spawn(async move { axum::serve(listener, router).await.expect("the fake provider serves") });
        Self { base_url, shared, abandoned, server }
    }

    /// Takes all requests that came so far.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.shared.seen.lock().expect("requests"))
    }

    /// Waits until the client gives up a reply that stays silent.
    pub async fn given_up(&mut self) {
        let given_up = tokio::time::timeout(crate::LONG, self.abandoned.recv()).await;
        given_up.expect("the client gives up the request").expect("the server runs");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

// === impl Seen ===

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON request")
    }
}

// === impl Watch ===

impl Drop for Watch {
    fn drop(&mut self) {
        // The test may be over already.
        let _ = self.0.send(());
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 10_000_000).await.expect("a whole request");
    let path = parts.uri.path().to_owned();
    shared.seen.lock().expect("requests").push(Seen { path, headers: parts.headers, body });
    let reply = shared.script.lock().expect("script").pop_front().expect("the script has a reply left");
    let watch = Watch(shared.abandoned.clone());
    match reply {
        Reply::Whole(status, retry_after, content_type, body) => {
            let mut response = Response::builder().status(status).header("content-type", content_type);
            if let Some(seconds) = retry_after {
                response = response.header("retry-after", seconds);
            }
            response.body(Body::from(body)).expect("a response")
        }
        Reply::Stream(content_type, chunks, end) => {
            let chunks = stream::iter(chunks.into_iter().map(Ok::<Bytes, io::Error>));
            let end: BoxStream<'static, io::Result<Bytes>> = match end {
                End::Proper => stream::empty().boxed(),
                // hyper writes what it has before it sees the error only if it is let run in between.
                End::CutOff => stream::once(async {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    Err(io::Error::other("cut off"))
                })
                .boxed(),
                End::Silence => silence(watch).map(|never| match never {}).boxed(),
            };
            let body = Body::from_stream(chunks.chain(end));
            Response::builder().header("content-type", content_type).body(body).expect("a response")
        }
        Reply::Silence => {
            let _watch = watch;
            std::future::pending().await
        }
    }
}

fn silence(watch: Watch) -> impl futures::Stream<Item = Infallible> {
    stream::once(async move {
        let _watch = watch;
        std::future::pending::<Infallible>().await
    })
}

pub fn json_reply(body: Value) -> Reply {
    Reply::Whole(200, None, "application/json", body.to_string())
}

/// Server-sent events of a streamed chat, one per value.
pub fn events(values: &[Value]) -> Vec<Bytes> {
    values.iter().map(|value| Bytes::from(format!("data: {value}\n\n"))).collect()
}
