//! Signed requests against a server on loopback: what arrives, and how each kind of failure is told.
//! Nothing here runs outside tests.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes as Body;
use axum::http::{HeaderMap as Headers, StatusCode, Uri};
use axum::routing::any;
use edge_protocol::signature::verify;
use tokio::net::TcpListener;

use super::*;

const SECRET: &str = "a secret";
const WITHIN: Duration = Duration::from_secs(5);

async fn serve(routes: Router) -> SignedClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, routes).into_future());
    SignedClient::new(&url, SECRET, "node-1").unwrap()
}

fn check(headers: &Headers, body: &[u8]) -> Result<(), String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    verify(SECRET.as_bytes(), header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER), body, unix_ms())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_request_arrives_signed_by_its_body_or_its_path() {
    let routes = Router::new().fallback(any(|uri: Uri, headers: Headers, body: Body| async move {
        let signed: &[u8] = if body.is_empty() { uri.path_and_query().unwrap().as_str().as_bytes() } else { &body };
        axum::Json((uri.path().to_owned(), check(&headers, signed)))
    }));
    let client = serve(routes).await;
    let answer: (String, Result<(), String>) = client.post_json("/v1/a", &[1, 2], WITHIN).await.unwrap();
    assert_eq!(answer, ("/v1/a".to_owned(), Ok(())));
    let answer: (String, Result<(), String>) =
        client.put_bytes("/v1/b", Bytes::from_static(b"\0\xff"), WITHIN).await.unwrap();
    assert_eq!(answer, ("/v1/b".to_owned(), Ok(())));
    let headers = client.sign_get("/v1/c?node=n");
    assert_eq!(check(&headers, b"/v1/c?node=n"), Ok(()));
    assert!(check(&headers, b"/v1/c?node=m").is_err());
}

#[tokio::test]
async fn the_edges_refusal_is_told_with_its_code_and_what_it_asks_to_wait() {
    let routes = Router::new().fallback(any(|| async {
        let body = r#"{"error":{"code":"rate_limited","message":"slow down"}}"#;
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], body)
    }));
    let client = serve(routes).await;
    let error = client.post_json::<()>("/x", &(), WITHIN).await.unwrap_err();
    let EdgeError::Refused { status, code, message, .. } = &error else { panic!("{error}") };
    assert_eq!((*status, code.as_str(), message.as_str()), (429, "rate_limited", "slow down"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(error.is_away());
}

#[tokio::test]
async fn a_status_without_the_edges_words_is_told_as_it_stands() {
    let client = serve(Router::new()).await;
    let error = client.post_json::<()>("/x", &(), WITHIN).await.unwrap_err();
    assert!(matches!(&error, EdgeError::Refused { status: 404, code, .. } if code == "Not Found"), "{error}");
    assert!(!error.is_away());
}

#[tokio::test]
async fn an_answer_of_another_shape_is_malformed() {
    let client = serve(Router::new().fallback(any(|| async { "<html>" }))).await;
    let error = client.post_json::<u32>("/x", &(), WITHIN).await.unwrap_err();
    assert!(matches!(error, EdgeError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_timed_out_and_a_port_nobody_listens_on_is_unreachable() {
    let client = serve(Router::new().fallback(any(std::future::pending::<()>))).await;
    let error = client.post_json::<()>("/x", &(), Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, EdgeError::TimedOut { .. }), "{error}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = SignedClient::new(&format!("http://{closed}"), SECRET, "n").unwrap();
    let error = client.post_json::<()>("/x", &(), WITHIN).await.unwrap_err();
    assert!(matches!(error, EdgeError::Unreachable { .. }), "{error}");
    assert!(error.is_away() && error.to_string().contains("refused"), "{error}");
}

#[test]
fn what_is_no_url_is_refused_by_its_name() {
    for url in ["", "edge", "ftp://edge"] {
        assert!(matches!(SignedClient::new(url, SECRET, "n"), Err(EdgeError::Setup { .. })), "{url}");
    }
}

#[test]
fn no_stamp_is_given_twice_across_threads() {
    let stamps = Arc::new(Stamps::default());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let stamps = stamps.clone();
            std::thread::spawn(move || (0..1000).map(|_| stamps.next(1_000_000)).collect::<Vec<_>>())
        })
        .collect();
    let mut seen = HashSet::new();
    for thread in threads {
        let given = thread.join().unwrap();
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(given.into_iter().all(|stamp| seen.insert(stamp)));
    }
}

#[test]
fn a_clock_that_was_set_back_is_followed() {
    let stamps = Stamps::default();
    assert_eq!(stamps.next(3_600_000), 3_600_000);
    assert_eq!(stamps.next(3_599_990), 3_600_001);
    assert_eq!(stamps.next(5_000), 5_000);
}

#[test]
fn the_secret_does_not_show_itself() {
    let client = SignedClient::new("http://127.0.0.1:1", "hush", "n").unwrap();
    assert!(!format!("{client:?}").contains("hush"));
}
