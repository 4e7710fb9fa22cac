//! An edge on loopback that takes recordings as the real one does, and misbehaves from one seed.
//! Every request is checked: its signature, that it is no replay, and that parts and whole are what was announced.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use edge_protocol::recordings::{UploadRequest, UploadStatus};
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use futures::stream;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub const SECRET: &str = "the edge's ENGINE_SECRET";
/// As small as makes a second of a call several parts.
pub const PART_BYTES: u64 = 1024;

/// What the edge does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Honest,
    /// Answers with this status and does nothing.
    Refuses(u16),
    /// Does it, then says 500.
    Forgetful,
    /// Somebody in between answers 200 and what is no JSON; nothing is done.
    Babbling,
    /// Does nothing and says how things stand.
    Idle,
    /// Does it, and the connection breaks in the middle of the answer.
    CutOff,
    /// Takes its time.
    Slow,
    /// Throws away the upload that is meant, so that nothing fits any more.
    Amnesiac,
    /// Spoils this many more recordings when it puts their parts together, and throws them away.
    Spoils(u32),
}

pub struct Edge {
    pub url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    state: Mutex<Store>,
    /// Requests so far.
    requests: watch::Sender<u64>,
}

struct Store {
    rng: StdRng,
    part_bytes: u64,
    /// Requests that still get a random mood; those after them get `mood`.
    mischief: u64,
    mood: Mood,
    signatures: HashSet<String>,
    /// Calls of which no event has come.
    unknown: HashSet<String>,
    uploads: HashMap<String, Upload>,
    stored: HashMap<String, Vec<Bytes>>,
    /// What must never happen and did.
    wrongs: Vec<String>,
}

struct Upload {
    id: String,
    request: UploadRequest,
    parts: BTreeMap<u16, Bytes>,
}

// === impl Edge ===

impl Edge {
    /// `mischief`: how many requests get a random mood before all are honest.
    pub async fn start(seed: u64, mischief: u64) -> Self {
        Self::start_with_parts_of(PART_BYTES, seed, mischief).await
    }

    pub async fn start_with_parts_of(part_bytes: u64, seed: u64, mischief: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Mutex::new(Store {
            rng: StdRng::seed_from_u64(seed),
            part_bytes,
            mischief,
            mood: Mood::Honest,
            signatures: HashSet::new(),
            unknown: HashSet::new(),
            uploads: HashMap::new(),
            stored: HashMap::new(),
            wrongs: Vec::new(),
        });
        let shared = Arc::new(Shared { state, requests: watch::Sender::default() });
        let server = serve(listener, Arc::clone(&shared));
        Self { url, shared, server }
    }

    /// Every request from now on meets this mood.
    pub fn set_mood(&self, mood: Mood) {
        let mut store = self.store();
        store.mood = mood;
        store.mischief = 0;
    }

    /// Has never heard of these calls.
    pub fn set_unknown(&self, call_ids: &[&str]) {
        self.store().unknown = call_ids.iter().map(|id| (*id).to_owned()).collect();
    }

    /// Nobody listens any more.
    pub async fn go_away(&mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    /// Listens again where it did.
    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.url.trim_start_matches("http://")).await.unwrap();
        self.server = serve(listener, Arc::clone(&self.shared));
    }

    pub fn requests(&self) -> u64 {
        *self.shared.requests.borrow()
    }

    /// Returns at the `number`th request.
    pub async fn until_request(&self, number: u64) {
        self.shared.requests.subscribe().wait_for(|requests| *requests >= number).await.unwrap();
    }

    /// Returns when `count` recordings are stored.
    pub async fn until_stored(&self, count: usize) {
        self.shared.requests.subscribe().wait_for(|_| self.store().stored.len() >= count).await.unwrap();
    }

    /// How often each recording was stored, and its last bytes.
    pub fn stored(&self) -> HashMap<String, (usize, Bytes)> {
        let store = self.store();
        store.stored.iter().map(|(id, versions)| (id.clone(), (versions.len(), versions[0].clone()))).collect()
    }

    pub fn wrongs(&self) -> Vec<String> {
        self.store().wrongs.clone()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    let routes = Router::new()
        .route("/v1/engine/recordings/{call_id}", post(begin))
        .route("/v1/engine/recordings/{call_id}/{upload_id}/parts/{part}", put(part))
        .route("/v1/engine/recordings/{call_id}/{upload_id}/complete", post(complete))
        .layer(DefaultBodyLimit::disable())
        .with_state(shared);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() })
}

async fn begin(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    shared.answer(&id, &headers, &body, |store| store.begin(&id, &body)).await
}

async fn part(
    State(shared): State<Arc<Shared>>,
    Path((id, upload_id, part)): Path<(String, String, u16)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.answer(&id, &headers, &body, |store| store.part(&id, &upload_id, part, &body)).await
}

async fn complete(
    State(shared): State<Arc<Shared>>,
    Path((id, upload_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.answer(&id, &headers, &body, |store| store.complete(&id, &upload_id)).await
}

type Outcome = Result<UploadStatus, StatusCode>;

// === impl Shared ===

impl Shared {
    async fn answer(
        &self,
        call_id: &str,
        headers: &HeaderMap,
        body: &[u8],
        act: impl FnOnce(&mut Store) -> Outcome,
    ) -> Response {
        let (mood, outcome) = {
            let mut store = self.state.lock().unwrap();
            store.check(headers, body);
            let mood = store.next_mood();
            let outcome = match mood {
                Mood::Refuses(status) => Err(StatusCode::from_u16(status).unwrap()),
                Mood::Babbling => Err(StatusCode::OK),
                Mood::Idle => Ok(store.status(call_id)),
                Mood::Amnesiac => {
                    store.uploads.remove(call_id);
                    act(&mut store)
                }
                _ => act(&mut store),
            };
            (mood, outcome)
        };
        self.requests.send_modify(|requests| *requests += 1);
        if mood == Mood::Slow {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        match (mood, outcome) {
            (Mood::Forgetful, _) => refusal(StatusCode::INTERNAL_SERVER_ERROR),
            (Mood::Babbling, _) => "a page of some proxy".into_response(),
            (Mood::CutOff, _) => {
                let pieces =
                    stream::iter([Ok(Bytes::from_static(b"{\"upload")), Err(std::io::Error::other("cut off"))]);
                Body::from_stream(pieces).into_response()
            }
            (_, Ok(status)) => Json(status).into_response(),
            (_, Err(status)) => refusal(status),
        }
    }
}

fn refusal(status: StatusCode) -> Response {
    let body = Json(serde_json::json!({"error": {"code": "moody", "message": "the edge is in a mood"}}));
    (status, [("retry-after", "0")], body).into_response()
}

// === impl Store ===

impl Store {
    fn check(&mut self, headers: &HeaderMap, body: &[u8]) {
        let header = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        let (stamp, signature) = (header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        if let Err(error) = verify(SECRET.as_bytes(), stamp, signature, body, now_ms) {
            self.wrongs.push(format!("signature: {error}"));
        }
        if !self.signatures.insert(signature.unwrap_or_default().to_owned()) {
            self.wrongs.push("replayed".to_owned());
        }
    }

    fn next_mood(&mut self) -> Mood {
        if self.mischief == 0 {
            return self.mood;
        }
        self.mischief -= 1;
        match self.rng.random_range(0..20) {
            0 => Mood::Refuses(500),
            1 => Mood::Refuses(503),
            2 => Mood::Refuses(429),
            3 | 4 => Mood::Forgetful,
            5 => Mood::Babbling,
            6 | 7 => Mood::CutOff,
            8 => Mood::Slow,
            9 => Mood::Amnesiac,
            10 => Mood::Idle,
            _ => Mood::Honest,
        }
    }

    fn begin(&mut self, call_id: &str, body: &[u8]) -> Outcome {
        let request: UploadRequest = serde_json::from_slice(body).map_err(|_| StatusCode::BAD_REQUEST)?;
        if request.content_type != "audio/ogg" || request.node != "node-1" {
            self.wrongs.push(format!("{request:?}"));
        }
        if self.unknown.contains(call_id) {
            return Err(StatusCode::TOO_EARLY);
        }
        if let Some(versions) = self.stored.get(call_id) {
            let same = versions.iter().any(|stored| sha256(stored) == request.sha256);
            if !same {
                self.wrongs.push(format!("{call_id} came again and was another"));
            }
            return Ok(self.status(call_id));
        }
        if self.uploads.get(call_id).is_none_or(|upload| upload.request.sha256 != request.sha256) {
            let id = format!("u-{:016x}", self.rng.random::<u64>());
            self.uploads.insert(call_id.to_owned(), Upload { id, request, parts: BTreeMap::new() });
        }
        Ok(self.status(call_id))
    }

    fn part(&mut self, call_id: &str, upload_id: &str, part: u16, body: &Bytes) -> Outcome {
        let Some(upload) = self.uploads.get_mut(call_id).filter(|upload| upload.id == upload_id) else {
            return Err(StatusCode::NOT_FOUND);
        };
        let offset = (u64::from(part) - 1) * self.part_bytes;
        if body.len() as u64 != self.part_bytes.min(upload.request.bytes - offset) {
            self.wrongs.push(format!("part {part} of {call_id} has {} bytes", body.len()));
        }
        upload.parts.insert(part, body.clone());
        Ok(self.status(call_id))
    }

    fn complete(&mut self, call_id: &str, upload_id: &str) -> Outcome {
        if self.stored.contains_key(call_id) {
            return Ok(self.status(call_id));
        }
        let Some(upload) = self.uploads.get(call_id).filter(|upload| upload.id == upload_id) else {
            return Err(StatusCode::NOT_FOUND);
        };
        let whole = Bytes::from(upload.parts.values().flatten().copied().collect::<Vec<u8>>());
        if let Mood::Spoils(left @ 1..) = self.mood {
            self.mood = Mood::Spoils(left - 1);
            self.uploads.remove(call_id);
            return Err(StatusCode::UNPROCESSABLE_ENTITY);
        }
        if sha256(&whole) != upload.request.sha256 {
            // Parts are missing: what was thrown away has to come again.
            return Err(StatusCode::CONFLICT);
        }
        self.stored.entry(call_id.to_owned()).or_default().push(whole);
        self.uploads.remove(call_id);
        Ok(self.status(call_id))
    }

    fn status(&self, call_id: &str) -> UploadStatus {
        let Some(upload) = self.uploads.get(call_id) else {
            let complete = self.stored.contains_key(call_id);
            return UploadStatus { upload_id: "none".to_owned(), parts: Vec::new(), complete };
        };
        UploadStatus { upload_id: upload.id.clone(), parts: upload.parts.keys().copied().collect(), complete: false }
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
