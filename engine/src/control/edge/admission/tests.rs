//! Admission against an edge on loopback that accepts, refuses, is ill, slow or gone; hours pass by the test's clock.
//! Nothing here runs outside tests.

use std::cell::Cell;
use std::path::Path;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use edge_protocol::Direction;
use edge_protocol::accounts::AgentSpec;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::super::withdrawal::Waiting;
use super::*;

thread_local! {
    /// The test's clock, ms, and who answered last: each test has a thread of its own.
    static NOW: Cell<u64> = const { Cell::new(1_000_000_000) };
    static ANSWERED_BY: Cell<Option<AnsweredBy>> = const { Cell::new(None) };
}

const HOUR_MS: u64 = 3_600_000;

#[derive(Clone)]
enum Edge {
    Accepts,
    Refuses(u16, RefusalReason),
    Status(u16),
    Hangs,
    Babbles,
}

struct World {
    edge: Arc<Mutex<Edge>>,
    asked: Arc<Mutex<Vec<AdmissionRequest>>>,
    admissions: Arc<Admissions>,
    to_withdraw: Waiting,
    dir: TempDir,
    url: String,
}

impl World {
    async fn new(edge: Edge) -> Self {
        let edge = Arc::new(Mutex::new(edge));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let routes = Router::new().route(
            PATH,
            post({
                let (edge, asked) = (edge.clone(), asked.clone());
                async move |Json(request): Json<AdmissionRequest>| {
                    let to = request.to.clone();
                    asked.lock().unwrap().push(request);
                    let edge = edge.lock().unwrap().clone();
                    answer(edge, &to).await
                }
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        let dir = TempDir::new().unwrap();
        let (admissions, to_withdraw) = admissions(&url, dir.path());
        Self { edge, asked, admissions, to_withdraw, dir, url }
    }

    fn becomes(&self, edge: Edge) {
        *self.edge.lock().unwrap() = edge;
    }

    /// Who decided over a call, and its account or the code of its refusal.
    async fn call(&self, request: CallRequest) -> (AnsweredBy, String) {
        let outcome = match self.admissions.ask(request).await {
            Decision::Accept(admitted) => admitted.tenant.unwrap().account_id,
            Decision::Refuse(refusal) => refusal.code.to_string(),
        };
        (ANSWERED_BY.take().unwrap(), outcome)
    }
}

fn admissions(url: &str, dir: &Path) -> (Arc<Admissions>, Waiting) {
    let client = Arc::new(SignedClient::new(url, "s", "node-1").unwrap());
    let config = AdmissionConfig {
        trusted_fronts: vec!["192.0.2.0/28".parse().unwrap()],
        timeout: Duration::from_millis(500),
        away: Duration::from_millis(4 * HOUR_MS),
        known: dir.join("edge/known.json"),
        now_ms: || NOW.get(),
        observe: |answered_by, _| ANSWERED_BY.set(Some(answered_by)),
    };
    let (withdrawals, to_withdraw) = Withdrawals::open(dir.join("edge/asked"), |_| false);
    (Arc::new(Admissions::new(client, config, withdrawals)), to_withdraw)
}

async fn answer(edge: Edge, to: &str) -> Response {
    match edge {
        Edge::Accepts => Json(AdmissionAnswer::Accept(acceptance(to))).into_response(),
        Edge::Refuses(code, reason) => Json(AdmissionAnswer::Refuse { code, reason }).into_response(),
        Edge::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Edge::Hangs => std::future::pending().await,
        Edge::Babbles => "hello".into_response(),
    }
}

fn acceptance(to: &str) -> Acceptance {
    let agent = AgentSpec {
        name: "a".to_owned(),
        instructions: "b".to_owned(),
        greeting: String::new(),
        voice: None,
        silence_prompts: Vec::new(),
        goodbye: "c".to_owned(),
        fallback: "d".to_owned(),
        endpointing_ms: 500,
        silence_after_ms: 8000,
        rtp_timeout_s: 15,
        tools: Vec::new(),
        pipeline: None,
        replies: Vec::new(),
        keep_voice: None,
        chat_provider: None,
    };
    let account_id = format!("acc of {}", dialled(to));
    Acceptance { account_id, profile_id: "prf".to_owned(), agent, max_call_s: 60, record: false }
}

fn to(number: &str) -> CallRequest {
    CallRequest {
        direction: Direction::Inbound,
        call_id: "call".to_owned(),
        sip_call_id: "abc@example.com".to_owned(),
        from: "sip:caller@example.com".to_owned(),
        to: format!("sip:{number}@example.com"),
        request_uri: format!("sip:{number}@127.0.0.1:5070"),
        source: "192.0.2.7:5060".parse().unwrap(),
        headers: Vec::new(),
        identity: None,
    }
}

fn from_trunk(trunk: &str, number: &str) -> CallRequest {
    CallRequest { headers: vec![("x-tandem-trunk".to_owned(), trunk.to_owned())], ..to(number) }
}

#[tokio::test]
async fn the_edge_is_told_of_the_call_and_its_answer_counts() {
    let world = World::new(Edge::Accepts).await;
    assert_eq!(world.call(from_trunk("198.51.100.1", "100")).await, (AnsweredBy::Edge, "acc of 100".to_owned()));
    world.becomes(Edge::Refuses(402, RefusalReason::InsufficientCredits));
    assert_eq!(world.call(to("100")).await, (AnsweredBy::Edge, "402".to_owned()));
    world.becomes(Edge::Refuses(7, RefusalReason::OutsideHours));
    assert_eq!(world.call(to("100")).await, (AnsweredBy::Edge, "480".to_owned()));
    let asked = world.asked.lock().unwrap();
    assert_eq!((asked[0].trunk.as_str(), asked[1].trunk.as_str()), ("198.51.100.1", "192.0.2.7"));
    assert_eq!((asked[0].node.as_str(), asked[0].request_uri.as_str()), ("node-1", "sip:100@127.0.0.1:5070"));
}

#[tokio::test]
async fn only_a_trusted_front_says_which_trunk_a_call_comes_from() {
    let world = World::new(Edge::Accepts).await;
    let stranger = CallRequest { source: "192.0.2.16:5060".parse().unwrap(), ..from_trunk("198.51.100.1", "100") };
    let mapped =
        CallRequest { source: "[::ffff:192.0.2.1]:5060".parse().unwrap(), ..from_trunk("198.51.100.1", "100") };
    world.call(stranger).await;
    world.call(mapped).await;
    let trunks: Vec<_> = world.asked.lock().unwrap().iter().map(|request| request.trunk.clone()).collect();
    assert_eq!(trunks, ["192.0.2.16", "198.51.100.1"]);
}

#[tokio::test]
async fn while_the_edge_is_away_in_any_way_known_lines_are_answered_and_others_refused() {
    let world = World::new(Edge::Accepts).await;
    world.call(to("100")).await;
    for away in [Edge::Status(500), Edge::Status(503), Edge::Status(429), Edge::Hangs, Edge::Babbles] {
        world.becomes(away);
        assert_eq!(world.call(to("100")).await, (AnsweredBy::Memory, "acc of 100".to_owned()));
        assert_eq!(world.call(to("101")).await, (AnsweredBy::Nobody, "503".to_owned()));
        assert_eq!(world.call(from_trunk("198.51.100.1", "100")).await, (AnsweredBy::Nobody, "503".to_owned()));
    }
}

#[tokio::test]
async fn an_edge_that_does_not_know_us_is_not_away() {
    let world = World::new(Edge::Accepts).await;
    world.call(to("100")).await;
    world.becomes(Edge::Status(401));
    assert_eq!(world.call(to("100")).await, (AnsweredBy::Nobody, "503".to_owned()));
}

#[tokio::test]
async fn a_refusal_for_the_moment_takes_nothing_from_memory() {
    let world = World::new(Edge::Accepts).await;
    world.call(to("100")).await;
    world.becomes(Edge::Refuses(486, RefusalReason::AccountCallLimit));
    assert_eq!(world.call(to("100")).await, (AnsweredBy::Edge, "486".to_owned()));
    world.becomes(Edge::Status(502));
    assert_eq!(world.call(to("100")).await.0, AnsweredBy::Memory);
}

#[tokio::test]
async fn a_line_that_is_refused_for_good_is_forgotten() {
    let lasting = [RefusalReason::UnknownNumber, RefusalReason::AccountSuspended, RefusalReason::InsufficientCredits];
    for reason in lasting {
        let world = World::new(Edge::Accepts).await;
        world.call(to("100")).await;
        world.call(to("101")).await;
        world.becomes(Edge::Refuses(reason.sip_code(), reason));
        world.call(to("100")).await;
        world.becomes(Edge::Status(502));
        assert_eq!(world.call(to("100")).await.0, AnsweredBy::Nobody, "{reason:?}");
        assert_eq!(world.call(to("101")).await.0, AnsweredBy::Memory);
    }
}

#[tokio::test]
async fn an_answer_is_good_for_four_hours_from_when_it_was_given() {
    let world = World::new(Edge::Accepts).await;
    world.call(to("100")).await;
    world.becomes(Edge::Status(500));
    NOW.set(NOW.get() + 4 * HOUR_MS - 1);
    assert_eq!(world.call(to("100")).await.0, AnsweredBy::Memory);
    NOW.set(NOW.get() + 1);
    assert_eq!(world.call(to("100")).await.0, AnsweredBy::Nobody);
    world.becomes(Edge::Accepts);
    world.call(to("100")).await;
    world.becomes(Edge::Status(500));
    assert_eq!(world.call(to("100")).await.0, AnsweredBy::Memory);
}

#[tokio::test]
async fn what_was_known_is_known_after_a_restart() {
    let mut world = World::new(Edge::Accepts).await;
    let stop = CancellationToken::new();
    let keeper = tokio::spawn(world.admissions.clone().keep_known(stop.clone()));
    world.call(to("100")).await;
    stop.cancel();
    keeper.await.unwrap();
    world.admissions = admissions(&world.url, world.dir.path()).0;
    world.becomes(Edge::Status(500));
    assert_eq!(world.call(to("100")).await, (AnsweredBy::Memory, "acc of 100".to_owned()));
}

#[tokio::test]
async fn a_file_that_makes_no_sense_is_done_without() {
    let world = World::new(Edge::Accepts).await;
    let path = world.dir.path().join("edge/known.json");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    for text in ["", "{", r#"{"v":9,"answers":[]}"#] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(admissions(&world.url, world.dir.path()).0.known().unsaved(), Unsaved::Nothing);
    }
}

#[test]
fn the_lines_called_longest_ago_are_forgotten_first() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("known.json");
    let line = |n: u64| Line { trunk: "t".to_owned(), number: n.to_string(), to: String::new() };
    let mut known = Known::default();
    for n in 0..10_000 {
        known.remember(line(n), acceptance("sip:1@a"), n);
    }
    assert!(known.recall(&line(0), 0, Duration::from_secs(1)).is_some());
    known.take_file().write(&path).unwrap();
    let mut known = Known::load(&path).unwrap();
    known.remember(line(10_000), acceptance("sip:1@a"), 10_000);
    let known_still = [0, 1, 2].map(|n| known.recall(&line(n), 0, Duration::from_secs(1)).is_some());
    assert_eq!(known_still, [true, false, true]);
}

#[tokio::test]
async fn a_call_the_edge_may_hold_credits_for_is_kept_in_mind_and_withdrawn_if_it_is_turned_away() {
    let refuses = || Edge::Refuses(486, RefusalReason::AccountCallLimit);
    for (edge, kept, withdrawn) in [
        (Edge::Accepts, true, false),
        (refuses(), false, false),
        (Edge::Status(401), false, false),
        (Edge::Status(429), false, false),
        (Edge::Status(500), true, true),
        (Edge::Hangs, true, true),
        (Edge::Babbles, true, true),
    ] {
        let mut world = World::new(edge).await;
        world.call(to("100")).await;
        let file = world.dir.path().join("edge/asked/call.json");
        let asked = world.asked.lock().unwrap()[0].clone();
        let noted = std::fs::read(file).ok().map(|json| serde_json::from_slice::<AdmissionRequest>(&json).unwrap());
        assert_eq!(noted, kept.then_some(asked));
        assert_eq!(world.to_withdraw.try_recv().ok(), withdrawn.then(|| "call".to_owned()));
    }
}
