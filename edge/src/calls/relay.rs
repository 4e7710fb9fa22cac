//! The socket of a client's session, and the one to the engine node that works on its audio: what comes from one goes
//! to the other. The rules are `session`'s. An open session keeps its object awake.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use edge_protocol::VERSION;
use edge_protocol::admission::{Acceptance, AdmissionAnswer};
use edge_protocol::call_session::{MAX_SESSION_S, ServerMessage, SessionError};
use edge_protocol::media::{FromNode, ToNode};
use edge_protocol::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use futures::future::pending;
use futures::{FutureExt, StreamExt, pin_mut, select_biased};
use serde_json::Value;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{
    Context, Env, EventStream, Fetch, Method, Request, RequestInit, Response, Url, WebSocket, WebSocketPair,
    WebsocketEvent,
};

use super::object::Inner;
use super::session::{Closing, Session, Step};
use super::tick::Tick;
use super::verbs::PrepareQuestion;
use crate::accounts::admission::{self, KnownCall};
use crate::accounts::verbs::SettleQuestion;
use crate::auth::settings;
use crate::http::ApiError;
use crate::nodes::verbs::{RouteAnswer, RouteQuestion};
use crate::{clock, objects, patience};

/// How long a node may take to answer a knock.
const KNOCK: Duration = Duration::from_secs(3);
/// Nodes that are tried for a call.
const MAX_NODES: usize = 3;

/// Whose session it is.
struct Owner {
    call_id: String,
    account_id: String,
    prepared: PrepareQuestion,
}

/// A call on its way to a node.
#[derive(Default)]
struct Begun {
    user_id: String,
    number: Option<String>,
    /// Nodes that were asked.
    tried: Vec<String>,
    /// Credits are held for it.
    admitted: Option<Acceptance>,
}

/// Something happened.
enum Heard {
    Client(Option<worker::Result<WebsocketEvent>>),
    Node(Option<worker::Result<WebsocketEvent>>),
    Time,
}

/// Opens the session. A token is good for one.
///
/// # Errors
/// 409 if there was one already.
pub(super) fn serve(call: &Rc<Inner>, request: &Request) -> Result<Response, ApiError> {
    let header = |name| Ok::<_, ApiError>(request.headers().get(name)?.unwrap_or_default());
    let store = call.store()?;
    if store.fact("session")?.is_some() {
        return Err(ApiError::conflict("the call token has been used"));
    }
    store.keep_fact("session", &clock::now_ms().to_string())?;
    let prepared = store.fact("prepared")?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let owner = Owner { call_id: header("x-call")?, account_id: header("x-account")?, prepared };
    let pair = WebSocketPair::new()?;
    let (client, call) = (pair.server, Rc::clone(call));
    call.state.wait_until({
        let call = Rc::clone(&call);
        async move {
            if let Err(error) = run(&call, &client, &owner).await {
                worker::console_error!("session of call {}: {error}", owner.call_id);
                close(&client, &Closing::fault(SessionError::InternalError, "something went wrong on our side"));
            }
        }
    });
    Ok(Response::from_websocket(pair.client)?)
}

async fn run(call: &Inner, client: &WebSocket, owner: &Owner) -> worker::Result<()> {
    let mut from_client = client.events()?;
    client.accept()?;
    let max_s = settings::text(&call.env, "MAX_SESSION_S").and_then(|s| s.parse().ok()).unwrap_or(MAX_SESSION_S);
    let mut session = Session::new(&owner.call_id, max_s, clock::now_ms());
    // A place for the socket of each node that is tried; the last is the call's.
    let sockets: [OnceCell<WebSocket>; MAX_NODES] = Default::default();
    let (mut places, mut begun) = (sockets.iter(), Begun::default());
    let (mut node, mut from_node): (Option<&WebSocket>, Option<EventStream<'_>>) = (None, None);
    let mut tick = Tick::default();
    let closing = loop {
        let heard = hear(&mut from_client, from_node.as_mut(), tick.at(session.deadline_ms())).await;
        let now_ms = clock::now_ms();
        let mut next_node = false;
        let steps = match heard {
            Heard::Time => session.on_time(now_ms).into_iter().collect(),
            Heard::Client(Some(Ok(WebsocketEvent::Message(message)))) => {
                session.on_client(message.text().as_deref(), now_ms).into_iter().collect()
            }
            // The client is gone.
            Heard::Client(_) => vec![Step::Close(Closing::normal("client gone"))],
            Heard::Node(Some(Ok(WebsocketEvent::Message(message)))) => {
                match message.text().and_then(|text| serde_json::from_str::<FromNode>(&text).ok()) {
                    // It took the socket, and not the call.
                    Some(FromNode::Ended { .. } | FromNode::Error { .. }) if session.is_starting() => {
                        next_node = true;
                        vec![]
                    }
                    Some(message) => session.on_node(message, now_ms),
                    None => {
                        worker::console_warn!("call {}: a node's message cannot be read", owner.call_id);
                        vec![]
                    }
                }
            }
            Heard::Node(_) if session.is_starting() => {
                next_node = true;
                vec![]
            }
            Heard::Node(_) => {
                let gone = "the engine node is gone";
                vec![Step::Close(Closing::fault(SessionError::InternalError, gone))]
            }
        };
        let mut closing = None;
        for step in steps {
            match step {
                Step::Say(message) => say(client, &message),
                Step::Node(message) => tell(node, &message),
                Step::Close(with) => closing = Some(with),
                Step::Start { user_id, number } => {
                    begun = Begun { user_id, number, ..Begun::default() };
                    next_node = true;
                }
            }
        }
        while closing.is_none() && std::mem::take(&mut next_node) {
            hang_up(node.take());
            from_node = None;
            match start(call, owner, &mut begun, max_s).await {
                Ok(socket) => {
                    let socket = places.next().map(|place| place.get_or_init(|| socket));
                    from_node = socket.and_then(|socket| listen(socket).ok());
                    next_node = from_node.is_none();
                    node = socket;
                    tell(node, &begun.message(owner));
                }
                Err(with) => closing = Some(with),
            }
        }
        if let Some(closing) = closing {
            break closing;
        }
    };
    // Whoever ended it, the node is told: it does not mind being told twice.
    hang_up(node);
    if begun.admitted.is_some() && !session.is_live() {
        // No node began it: what was held is free again.
        let question = SettleQuestion { call_id: owner.call_id.clone(), duration_ms: 0 };
        let freed: Result<Value, _> = objects::ask(&call.env, "ACCOUNTS", &owner.account_id, "settle", &question).await;
        if let Err(error) = freed {
            worker::console_warn!("call {}: its hold stays until it expires: {}", owner.call_id, error.message);
        }
    }
    close(client, &closing);
    Ok(())
}

// === impl Begun ===

impl Begun {
    /// What a node is told first.
    fn message(&self, owner: &Owner) -> ToNode {
        ToNode::Start {
            v: VERSION,
            call_id: Some(owner.call_id.clone()),
            from: self.user_id.clone(),
            to: self.number.clone().unwrap_or_default(),
            admitted: self.admitted.clone().map(Box::new),
            transfers: false,
        }
    }
}

async fn hear(
    client: &mut EventStream<'_>,
    node: Option<&mut EventStream<'_>>,
    time: impl Future<Output = ()>,
) -> Heard {
    let from_node = async {
        match node {
            Some(node) => node.next().await,
            None => pending().await,
        }
    }
    .fuse();
    let (from_client, time) = (client.next().fuse(), time.fuse());
    pin_mut!(from_node, from_client, time);
    select_biased! {
        heard = from_client => Heard::Client(heard),
        heard = from_node => Heard::Node(heard),
        () = time => Heard::Time,
    }
}

/// Finds a node that was not tried, has the call admitted unless it is, and opens a socket there.
async fn start(call: &Inner, owner: &Owner, begun: &mut Begun, max_s: u32) -> Result<WebSocket, Closing> {
    let internal = |message: &str| Closing::fault(SessionError::InternalError, message);
    let fault = |error: ApiError| {
        worker::console_error!("call {}: {} {}", owner.call_id, error.code, error.message);
        internal("the call could not be started")
    };
    // What the token was made for counts, not what the client says then; an empty number names none.
    let PrepareQuestion { number: prepared, profile } = &owner.prepared;
    let said = begun.number.clone().filter(|number| profile.is_none() && !number.is_empty());
    let number = prepared.clone().or(said);
    // An object's state waits for work in the background as a request's context does.
    let state: &JsValue = call.state.as_raw().as_ref();
    let context = Context::new(state.clone().unchecked_into());
    while begun.tried.len() < MAX_NODES {
        let question = RouteQuestion { exclude: begun.tried.clone() };
        let route: Result<RouteAnswer, _> = objects::ask(&call.env, "NODES", "nodes", "route", &question).await;
        let Ok(RouteAnswer { node, http_url, .. }) = route else { break };
        if begun.admitted.is_none() {
            let known = KnownCall {
                call_id: &owner.call_id,
                account_id: &owner.account_id,
                number: number.as_deref(),
                profile: profile.as_deref(),
                node: &node,
                max_call_s: max_s,
            };
            match admission::admit_known(&call.env, &context, known, clock::now_ms()).await.map_err(fault)? {
                AdmissionAnswer::Accept(acceptance) => begun.admitted = Some(acceptance),
                AdmissionAnswer::Refuse { reason, .. } => {
                    return Err(Closing::fault(SessionError::RateLimit, reason.phrase()));
                }
            }
        }
        begun.tried.push(node.clone());
        match knock(&call.env, &http_url, &owner.call_id).await {
            Ok(socket) => return Ok(socket),
            Err(error) => worker::console_warn!("call {}: node {node}: {}", owner.call_id, error.message),
        }
    }
    Err(internal("no engine node is available"))
}

/// Opens `/ws/tandem` of a node, signed. A node refuses a signature it has seen: with the call in it, none is like another.
async fn knock(env: &Env, http_url: &str, call_id: &str) -> Result<WebSocket, ApiError> {
    let path = format!("/ws/tandem?call_id={call_id}");
    let url: Url = format!("{}{path}", http_url.trim_end_matches('/'))
        .parse()
        .map_err(|error| ApiError::internal(format!("{http_url}: {error}")))?;
    let secret = settings::text(env, "ENGINE_SECRET").ok_or_else(|| ApiError::internal("ENGINE_SECRET is not set"))?;
    let now_ms = clock::now_ms();
    let mut init = RequestInit::new();
    init.with_method(Method::Get);
    let mut request = Request::new_with_init(url.as_str(), &init)?;
    let headers = request.headers_mut()?;
    headers.set("upgrade", "websocket")?;
    headers.set(TIMESTAMP_HEADER, &now_ms.to_string())?;
    headers.set(SIGNATURE_HEADER, &sign(secret.as_bytes(), now_ms, path.as_bytes()))?;
    let answer = Fetch::Request(request);
    let response = patience::within(KNOCK, "the node", answer.send().boxed_local()).await??;
    let status = response.status_code();
    response.websocket().ok_or_else(|| ApiError::unavailable(format!("it answered {status}, not with a WebSocket")))
}

fn say(client: &WebSocket, message: &ServerMessage) {
    // A client that is gone is heard of in its stream.
    let _ = client.send(message);
}

/// What the node says is kept from here on.
fn listen(node: &WebSocket) -> worker::Result<EventStream<'_>> {
    let heard = node.events()?;
    node.accept()?;
    Ok(heard)
}

fn hang_up(node: Option<&WebSocket>) {
    tell(node, &ToNode::Hangup);
    if let Some(node) = node {
        let _ = node.close(Some(1000), Some("over"));
    }
}

fn tell(node: Option<&WebSocket>, message: &ToNode) {
    if let Some(node) = node {
        let _ = node.send(message);
    }
}

fn close(client: &WebSocket, closing: &Closing) {
    for message in closing.messages() {
        say(client, &message);
    }
    let _ = client.close(Some(closing.code), Some(&closing.reason));
}
