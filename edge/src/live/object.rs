//! One account's dashboards: sockets that hibernate, and what they are told.
//! While nobody says anything the object sleeps; its sockets stay.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use edge_protocol::accounts::Balance;
use edge_protocol::live::{LiveMessage, NodeSummary};
use serde::Deserialize;
use serde_json::{Value, json};
use worker::wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{
    DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage, WebSocketPair,
    WebSocketRequestResponsePair, durable_object,
};

use super::PROTOCOL;
use super::store::Store;
use crate::accounts::verbs::BalanceQuestion;
use crate::http::ApiError;
use crate::{clock, objects};

/// How often the nodes are looked at while something happens, ms.
const NODES_MS: u64 = 5_000;
/// How often while nothing does: rarely enough to sleep in between, ms.
const QUIET_NODES_MS: u64 = 30_000;
/// Nothing told for so long is nothing happening, ms.
const QUIET_AFTER_MS: u64 = 15_000;

/// How long what is known of the sockets' credentials is good enough, ms.
const EXPIRY_MS: u64 = 1_000;

/// How a socket closes whose credential has expired.
const EXPIRED: u16 = 4401;

#[durable_object]
pub struct LiveFeed {
    state: State,
    env: Env,
    /// When this object woke: another time after it slept.
    woken_at_ms: u64,
    store: RefCell<Option<Rc<Store>>>,
    /// Whether the alarm that looks at the nodes is set, as far as is known since it woke.
    watching: Cell<bool>,
    /// When sockets were last looked through for expired credentials.
    expiry_seen_ms: Cell<u64>,
}

#[wasm_bindgen]
extern "C" {
    /// A socket that takes a string JavaScript has already.
    type TextSocket;

    #[wasm_bindgen(method, catch)]
    fn send(this: &TextSocket, text: &JsValue) -> Result<(), JsValue>;
}

/// `publish`
#[derive(Deserialize)]
struct Publish {
    messages: Vec<LiveMessage>,
}

impl DurableObject for LiveFeed {
    fn new(state: State, env: Env) -> Self {
        // A browser may ask whether the socket lives without waking anybody.
        match WebSocketRequestResponsePair::new("ping", "pong") {
            Ok(pair) => state.set_websocket_auto_response(&pair),
            Err(_) => worker::console_error!("no automatic answer to pings"),
        }
        let (store, watching, expiry_seen_ms) = (RefCell::default(), Cell::default(), Cell::default());
        Self { state, env, woken_at_ms: clock::now_ms(), store, watching, expiry_seen_ms }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let verb = objects::verb(&request);
        match verb.as_str() {
            "publish" => objects::answer(self.publish(&mut request).await),
            "calls" => objects::answer(self.store().and_then(|store| store.calls(clock::now_ms()))),
            "awake" => objects::answer(Ok(
                json!({ "woken_at_ms": self.woken_at_ms, "sockets": self.state.get_websockets().len() }),
            )),
            "live" => match self.open(&request).await {
                Ok(response) => Ok(response),
                Err(error) => error.to_response(),
            },
            _ => objects::answer::<()>(Err(ApiError::not_found(verb))),
        }
    }

    /// Looks at the nodes while somebody looks at the feed.
    async fn alarm(&self) -> worker::Result<Response> {
        if let Err(error) = self.look_at_nodes().await {
            worker::console_warn!("the nodes of a feed: {}", error.message);
        }
        Response::empty()
    }

    async fn websocket_message(&self, _ws: WebSocket, _message: WebSocketIncomingMessage) -> worker::Result<()> {
        // Nothing is asked over this socket.
        Ok(())
    }

    async fn websocket_close(
        &self,
        ws: WebSocket,
        _code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> worker::Result<()> {
        let _ = ws.close(Some(1000), Some("closed"));
        Ok(())
    }

    async fn websocket_error(&self, ws: WebSocket, _error: worker::Error) -> worker::Result<()> {
        let _ = ws.close(Some(1011), Some("broken"));
        Ok(())
    }
}

// === impl LiveFeed ===

impl LiveFeed {
    async fn open(&self, request: &Request) -> Result<Response, ApiError> {
        let account_id = request.headers().get("x-account")?.unwrap_or_default();
        let protocol = request.headers().get("sec-websocket-protocol")?;
        let expires_at_ms = request.headers().get("x-expires")?.unwrap_or_default();
        let balance = objects::ask::<_, Balance>(&self.env, "ACCOUNTS", &account_id, "balance", &BalanceQuestion {});
        let (balance, nodes) = futures::join!(balance, self.nodes());
        let store = self.store()?;
        if let Ok(nodes) = &nodes {
            store.keep_nodes(nodes)?;
        }
        self.watch().await?;
        // From here on nothing waits: what happens after the snapshot comes after it.
        let pair = WebSocketPair::new()?;
        let calls = store.calls(clock::now_ms())?;
        let nodes = nodes.or_else(|_| store.nodes())?;
        self.state.accept_web_socket(&pair.server);
        pair.server.serialize_attachment(expires_at_ms)?;
        pair.server.send(&LiveMessage::Snapshot { calls, nodes, balance: balance.ok() })?;
        let response = Response::from_websocket(pair.client)?;
        if protocol.as_deref() == Some(PROTOCOL) {
            response.headers().set("sec-websocket-protocol", PROTOCOL)?;
        }
        Ok(response)
    }

    async fn publish(&self, request: &mut Request) -> Result<Value, ApiError> {
        let Publish { messages } = objects::question(request).await?;
        let (store, now_ms) = (self.store()?, clock::now_ms());
        // Before anything is written: what is sent after that waits for the disk, and the facts are safe elsewhere.
        let told = self.tell(&messages)?;
        for call in messages.iter().filter_map(LiveMessage::call) {
            store.keep_call(call, now_ms)?;
        }
        if told > 0 {
            if now_ms.saturating_sub(store.told_ms()?) >= NODES_MS {
                store.keep_told(now_ms)?;
            }
            self.watch().await?;
        }
        Ok(json!({ "told": told }))
    }

    /// Every message is written once and sent to every socket; who cannot be reached is dropped. To how many.
    fn tell(&self, messages: &[LiveMessage]) -> Result<usize, ApiError> {
        let sockets = self.sockets();
        if sockets.is_empty() {
            return Ok(0);
        }
        // As JavaScript's own strings: thousands of sockets share one.
        let texts: Result<Vec<JsValue>, _> =
            messages.iter().map(|message| serde_json::to_string(message).map(JsValue::from)).collect();
        let texts = texts.map_err(|error| ApiError::internal(error.to_string()))?;
        // A message to everybody before the next one: the first is the fact itself.
        for text in &texts {
            for socket in &sockets {
                let text_socket: &TextSocket = socket.as_ref().unchecked_ref();
                if text_socket.send(text).is_err() {
                    let _ = socket.close(Some(1011), Some("out of reach"));
                }
            }
        }
        Ok(sockets.len())
    }

    /// Those that may still be told something; the others are closed.
    fn sockets(&self) -> Vec<WebSocket> {
        let (mut sockets, now_ms) = (self.state.get_websockets(), clock::now_ms());
        // Reading what is attached to thousands of sockets takes longer than telling them.
        if now_ms.saturating_sub(self.expiry_seen_ms.get()) < EXPIRY_MS {
            return sockets;
        }
        self.expiry_seen_ms.set(now_ms);
        sockets.retain(|socket| {
            let attached: Option<String> = socket.deserialize_attachment().ok().flatten();
            let good = attached.and_then(|at_ms| at_ms.parse().ok()).is_none_or(|at_ms: u64| now_ms < at_ms);
            if !good {
                let _ = socket.close(Some(EXPIRED), Some("the credential has expired"));
            }
            good
        });
        sockets
    }

    async fn nodes(&self) -> Result<Vec<NodeSummary>, ApiError> {
        objects::ask(&self.env, "NODES", "nodes", "list", &json!({})).await
    }

    /// Sees to it that the nodes are looked at soon.
    async fn watch(&self) -> Result<(), ApiError> {
        if !self.watching.replace(true) {
            self.state.storage().set_alarm(Duration::from_millis(NODES_MS)).await?;
        }
        Ok(())
    }

    async fn look_at_nodes(&self) -> Result<(), ApiError> {
        self.watching.set(false);
        if self.sockets().is_empty() {
            return Ok(());
        }
        let (store, now_ms) = (self.store()?, clock::now_ms());
        let quiet = now_ms.saturating_sub(store.told_ms()?) >= QUIET_AFTER_MS;
        let next_ms = if quiet { QUIET_NODES_MS } else { NODES_MS };
        self.state.storage().set_alarm(Duration::from_millis(next_ms)).await?;
        self.watching.set(!quiet);
        let nodes = self.nodes().await?;
        if nodes != store.nodes()? {
            store.keep_nodes(&nodes)?;
            self.tell(&[LiveMessage::Nodes { nodes }])?;
        }
        Ok(())
    }

    fn store(&self) -> Result<Rc<Store>, ApiError> {
        if let Some(store) = self.store.borrow().as_ref() {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(Store::open(self.state.storage())?);
        self.store.replace(Some(Rc::clone(&store)));
        Ok(store)
    }
}
