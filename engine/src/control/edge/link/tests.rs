//! The link against an edge on loopback that sends commands, cuts connections and refuses.
//! Nothing here runs outside tests.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::Router;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap as Headers, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use edge_protocol::VERSION;
use edge_protocol::link::NodeStatus;
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, verify};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// A node that remembers its orders and knows one call.
#[derive(Default)]
struct FakeNode {
    orders: Mutex<Vec<Command>>,
}

#[async_trait]
impl LinkedNode for FakeNode {
    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            v: VERSION,
            node: "node 1".to_owned(),
            version: "1".to_owned(),
            status: NodeStatus::Ok,
            http_url: "http://127.0.0.1:1".to_owned(),
            active_calls: 3,
            max_calls: 10,
            uptime_s: 1,
            late_slots: 0.0,
            cpu_cores: 0.5,
            memory_bytes: 1,
            events_waiting: 7,
            recordings_waiting: 0,
        }
    }

    async fn carry_out(&self, command: Command) -> Result<(), String> {
        self.orders.lock().unwrap().push(command.clone());
        match command {
            Command::Press { .. } => std::future::pending().await,
            Command::HangUp { call_id } if call_id != "call" => Err("no such call".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Sockets that arrive, handed to the test; the first `refusals` requests get 503.
#[derive(Clone)]
struct Edge {
    sockets: mpsc::UnboundedSender<WebSocket>,
    refusals: Arc<AtomicUsize>,
}

async fn accept(
    State(edge): State<Edge>,
    OriginalUri(uri): OriginalUri,
    headers: Headers,
    upgrade: WebSocketUpgrade,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let stamp: u64 = header(TIMESTAMP_HEADER).unwrap().parse().unwrap();
    let path = uri.path_and_query().unwrap().as_str();
    if verify(b"s", header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER), path.as_bytes(), stamp).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if edge.refusals.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    assert_eq!(path, "/v1/engine/link?node=node%201");
    upgrade.on_upgrade(async move |socket| drop(edge.sockets.send(socket)))
}

struct World {
    node: Arc<FakeNode>,
    linked: watch::Receiver<bool>,
    arrivals: mpsc::UnboundedReceiver<WebSocket>,
    stop: CancellationToken,
    link: tokio::task::JoinHandle<()>,
}

async fn world(refusals: usize) -> World {
    let (sockets, arrivals) = mpsc::unbounded_channel();
    let edge = Edge { sockets, refusals: Arc::new(AtomicUsize::new(refusals)) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/v1/engine/link", get(accept)).with_state(edge);
    tokio::spawn(axum::serve(listener, routes).into_future());
    let client = Arc::new(SignedClient::new(&url, "s", "node 1").unwrap());
    let node = Arc::new(FakeNode::default());
    let linked = watch::Sender::new(false);
    let told = linked.subscribe();
    let stop = CancellationToken::new();
    let link = tokio::spawn(Link::new(client, node.clone(), linked).run(stop.clone()));
    World { node, linked: told, arrivals, stop, link }
}

async fn next(socket: &mut WebSocket) -> NodeMessage {
    loop {
        if let Frame::Text(text) = socket.recv().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn order(socket: &mut WebSocket, text: &str) -> NodeMessage {
    socket.send(Frame::text(text)).await.unwrap();
    next(socket).await
}

fn result(command_id: &str, error: Option<&str>) -> NodeMessage {
    NodeMessage::CommandResult { command_id: command_id.to_owned(), error: error.map(str::to_owned) }
}

#[tokio::test]
async fn a_heartbeat_is_the_first_message_and_commands_are_answered() {
    let mut world = world(0).await;
    let mut socket = world.arrivals.recv().await.unwrap();
    assert_eq!(next(&mut socket).await, NodeMessage::Heartbeat(world.node.heartbeat()));
    world.linked.wait_for(|linked| *linked).await.unwrap();
    let drain = r#"{"command_id":"cmd_1","type":"drain"}"#;
    assert_eq!(order(&mut socket, drain).await, result("cmd_1", None));
    let hang_up = r#"{"command_id":"cmd_2","type":"hang_up","call_id":"nobody"}"#;
    assert_eq!(order(&mut socket, hang_up).await, result("cmd_2", Some("no such call")));
    let odd = order(&mut socket, r#"{"command_id":"cmd_3","type":"dance"}"#).await;
    assert!(matches!(odd, NodeMessage::CommandResult { error: Some(error), .. } if error.contains("dance")));
}

#[tokio::test]
async fn a_command_said_twice_is_done_once_also_over_another_link() {
    let mut world = world(0).await;
    let undrain = r#"{"command_id":"cmd_1","type":"undrain"}"#;
    for _ in 0..2 {
        let mut socket = world.arrivals.recv().await.unwrap();
        next(&mut socket).await;
        assert_eq!(order(&mut socket, undrain).await, result("cmd_1", None));
        assert_eq!(order(&mut socket, undrain).await, result("cmd_1", None));
    }
    assert_eq!(*world.node.orders.lock().unwrap(), [Command::Undrain]);
}

#[tokio::test]
async fn a_command_that_is_not_done_in_time_is_answered_and_not_begun_again() {
    let mut world = world(0).await;
    let mut socket = world.arrivals.recv().await.unwrap();
    next(&mut socket).await;
    let press = r#"{"command_id":"cmd_1","type":"press","call_id":"call","digits":"1"}"#;
    socket.send(Frame::text(press)).await.unwrap();
    let late = loop {
        match next(&mut socket).await {
            NodeMessage::Heartbeat(_) => {}
            late => break late,
        }
    };
    assert_eq!(late, result("cmd_1", Some("it is not done in time")));
    socket.send(Frame::text(press)).await.unwrap();
    while matches!(next(&mut socket).await, NodeMessage::Heartbeat(_)) {}
    assert_eq!(world.node.orders.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_that_is_refused_or_cut_is_made_again() {
    let mut world = world(2).await;
    let mut socket = world.arrivals.recv().await.unwrap();
    next(&mut socket).await;
    world.linked.wait_for(|linked| *linked).await.unwrap();
    drop(socket);
    world.linked.wait_for(|linked| !*linked).await.unwrap();
    let mut socket = world.arrivals.recv().await.unwrap();
    assert!(matches!(next(&mut socket).await, NodeMessage::Heartbeat(_)));
}

#[tokio::test]
async fn what_is_no_command_at_all_does_not_end_the_link() {
    let mut world = world(0).await;
    let mut socket = world.arrivals.recv().await.unwrap();
    next(&mut socket).await;
    for nonsense in ["", "{", "[]", r#"{"command_id":7}"#] {
        socket.send(Frame::text(nonsense)).await.unwrap();
    }
    let hang_up = r#"{"command_id":"cmd_1","type":"hang_up","call_id":"call"}"#;
    assert_eq!(order(&mut socket, hang_up).await, result("cmd_1", None));
}

#[tokio::test]
async fn a_node_that_stops_closes_its_link() {
    let mut world = world(0).await;
    let mut socket = world.arrivals.recv().await.unwrap();
    next(&mut socket).await;
    world.stop.cancel();
    world.link.await.unwrap();
    let mut last = socket.recv().await;
    while let Some(Ok(Frame::Ping(_) | Frame::Pong(_))) = last {
        last = socket.recv().await;
    }
    assert!(matches!(last, Some(Ok(Frame::Close(_)) | Err(_)) | None), "{last:?}");
}
