//! Withdrawals against an edge on loopback that is there or ill; a node's death is a second `open` of its directory.
//! Nothing here runs outside tests.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use edge_protocol::{EventKind, VERSION};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;

struct World {
    dir: TempDir,
    client: Arc<SignedClient>,
    withdrawn: mpsc::UnboundedReceiver<String>,
    ill: Arc<AtomicBool>,
    journal: broadcast::Sender<Arc<CallEvent>>,
    stop: CancellationToken,
}

impl World {
    async fn new() -> Self {
        let (heard, withdrawn) = mpsc::unbounded_channel();
        let ill = Arc::new(AtomicBool::new(false));
        let edge = {
            let ill = ill.clone();
            async move |Json(request): Json<AdmissionRequest>| {
                heard.send(request.call_id).unwrap();
                if ill.load(Relaxed) { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok("{}") }
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = SignedClient::new(&format!("http://{}", listener.local_addr().unwrap()), "s", "node-1").unwrap();
        tokio::spawn(axum::serve(listener, Router::new().route(PATH, post(edge))).into_future());
        Self {
            dir: TempDir::new().unwrap(),
            client: Arc::new(client),
            withdrawn,
            ill,
            journal: broadcast::channel(8).0,
            stop: CancellationToken::new(),
        }
    }

    /// A node starts; its journal has these calls.
    fn start(&self, begun: &[&str]) -> Arc<Withdrawals> {
        let (withdrawals, waiting) = Withdrawals::open(self.dir.path().join("asked"), |id| begun.contains(&id));
        let running = withdrawals.clone();
        tokio::spawn(running.run(self.client.clone(), waiting, self.journal.subscribe(), self.stop.clone()));
        withdrawals
    }

    fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.dir.path().join("asked")).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn until_files(&self, wanted: &[&str]) {
        while self.files() != wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn question(call_id: &str) -> AdmissionRequest {
    AdmissionRequest {
        v: VERSION,
        call_id: call_id.to_owned(),
        sip_call_id: String::new(),
        node: "node-1".to_owned(),
        from: String::new(),
        to: String::new(),
        request_uri: "sip:100@127.0.0.1".to_owned(),
        trunk: "192.0.2.1".to_owned(),
        headers: Vec::new(),
        identity: None,
    }
}

fn event(call_id: &str, seq: u64) -> Arc<CallEvent> {
    let kind = EventKind::SpeechStarted { turn: 1 };
    Arc::new(CallEvent { v: VERSION, call_id: call_id.to_owned(), seq, call_started_at_ms: 0, at_ms: 0, kind })
}

#[tokio::test]
async fn a_call_whose_first_event_is_safe_is_forgotten_and_others_stay() {
    let world = World::new().await;
    let withdrawals = world.start(&[]);
    withdrawals.note(&question("one")).await;
    withdrawals.note(&question("two")).await;
    withdrawals.note(&question("refused")).await;
    world.journal.send(event("two", 1)).unwrap();
    world.journal.send(event("one", 0)).unwrap();
    withdrawals.forget("refused").await;
    world.until_files(&["two.json"]).await;
}

#[tokio::test]
async fn what_a_dead_node_asked_for_and_did_not_begin_is_withdrawn_at_its_next_start() {
    let mut world = World::new().await;
    let dead = world.start(&[]);
    for call_id in ["begun", "asked"] {
        dead.note(&question(call_id)).await;
    }
    std::fs::write(world.dir.path().join("asked/torn.json"), "{\"v\":1,").unwrap();
    world.start(&["begun"]);
    assert_eq!(world.withdrawn.recv().await.unwrap(), "asked");
    world.until_files(&[]).await;
    assert!(world.withdrawn.try_recv().is_err());
}

#[tokio::test]
async fn an_edge_that_is_ill_is_told_until_it_has_heard() {
    let mut world = World::new().await;
    world.ill.store(true, Relaxed);
    let withdrawals = world.start(&[]);
    withdrawals.note(&question("call")).await;
    withdrawals.withdraw("call");
    assert_eq!(world.withdrawn.recv().await.unwrap(), "call");
    assert_eq!(world.files(), ["call.json"]);
    world.ill.store(false, Relaxed);
    assert_eq!(world.withdrawn.recv().await.unwrap(), "call");
    world.until_files(&[]).await;
}
