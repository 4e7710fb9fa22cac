//! Certificates fetched from a web server on this machine that is slow, wrong, too talkative or gone, and what is told.
//! Whole calls with an Identity are in `loadtest/tests/e2e/vouched.rs`, signatures in sip-bridge.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use edge_protocol::{Attestation, CallerIdentity};
use sip_bridge::identity::{self, CertificateFetcher, IdentityError, Vouched};
use tokio::net::TcpListener;

use super::certificates::Certificates;
use super::told;

const SOON: Duration = Duration::from_secs(20);

/// A web server on this machine; its base URL, and how often it was asked.
async fn server() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let routes = Router::new()
        .route("/ok", get(|| async { "a chain" }))
        .route("/brief", get(|| async { ([(header::CACHE_CONTROL, "public, max-age=5")], "a chain") }))
        .route("/slow", get(std::future::pending::<()>))
        .route("/wrong", get(|| async { (StatusCode::NOT_FOUND, "no").into_response() }))
        .route("/elsewhere", get(|| async { Redirect::temporary("/ok") }))
        .route("/huge", get(|| async { vec![b'x'; 100_000] }))
        .layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
            counted.fetch_add(1, Relaxed);
            next.run(request)
        }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, asked)
}

fn certificates(local: &[&str]) -> Certificates {
    let local = local.iter().map(|range| range.parse().expect("a range")).collect();
    Certificates::new(local).expect("a client").within(SOON)
}

#[tokio::test]
async fn a_certificate_is_fetched_once_and_kept() {
    let (url, asked) = server().await;
    let certificates = certificates(&["127.0.0.0/8"]);
    for _ in 0..3 {
        assert_eq!(certificates.fetch(&format!("{url}/ok")).await, Ok(b"a chain".to_vec()));
    }
    assert_eq!(asked.load(Relaxed), 1);
    assert_eq!(certificates.fetch(&format!("{url}/brief")).await, Ok(b"a chain".to_vec()));
    // Longer than the one may be kept, not than the other.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert!(certificates.fetch(&format!("{url}/ok")).await.is_ok());
    assert_eq!(asked.load(Relaxed), 2);
    assert!(certificates.fetch(&format!("{url}/brief")).await.is_ok());
    assert_eq!(asked.load(Relaxed), 3);
}

#[tokio::test]
async fn a_server_that_is_wrong_is_named_and_not_asked_again_at_once() {
    let (url, asked) = server().await;
    let certificates = certificates(&["127.0.0.0/8"]);
    for (path, why) in [("wrong", "404"), ("elsewhere", "307"), ("huge", "more than 32768 bytes")] {
        let before = asked.load(Relaxed);
        for _ in 0..2 {
            let error = certificates.fetch(&format!("{url}/{path}")).await.expect_err(path);
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(asked.load(Relaxed), before + 1, "{path}: the failure is remembered");
    }
}

#[tokio::test]
async fn a_server_that_is_slow_or_gone_is_not_waited_for() {
    let (url, _) = server().await;
    let hasty = certificates(&["127.0.0.0/8"]).within(Duration::from_millis(50));
    let error = hasty.fetch(&format!("{url}/slow")).await.expect_err("nothing comes");
    assert_eq!(error, "no answer within 50 ms");
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address");
    let error = certificates(&["127.0.0.0/8"]).fetch(&format!("http://{gone}/ok")).await.expect_err("nobody is there");
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_burst_of_calls_by_one_carrier_waits_for_one_certificate() {
    let (url, asked) = server().await;
    let certificates = certificates(&["127.0.0.0/8"]);
    let url = format!("{url}/ok");
    let fetched = futures::future::join_all((0..200).map(|_| certificates.fetch(&url))).await;
    assert!(fetched.iter().all(Result::is_ok));
    assert!(asked.load(Relaxed) <= 16, "{} times asked", asked.load(Relaxed));
}

#[tokio::test]
async fn nobody_but_public_web_servers_is_asked() {
    let (url, asked) = server().await;
    let certificates = certificates(&["10.1.0.0/16"]);
    let port = url.rsplit_once(':').expect("a port").1;
    for (url, why) in [
        (format!("{url}/ok"), "127.0.0.1 is not public"),
        (format!("https://localhost:{port}/ok"), "port"),
        ("https://localhost:8443/ok".to_owned(), "localhost has no public address"),
        ("https://[::1]/ok".to_owned(), "::1 is not public"),
        ("https://[::ffff:10.0.0.1]/ok".to_owned(), "is not public"),
        ("https://[2002:a00:1::]/ok".to_owned(), "is not public"),
        ("https://169.254.169.254/latest/meta-data".to_owned(), "169.254.169.254 is not public"),
        ("https://0x7f000001/".to_owned(), "127.0.0.1 is not public"),
        ("https://100.64.0.1/".to_owned(), "is not public"),
        ("https://192.168.1.1/".to_owned(), "is not public"),
        ("http://8.8.8.8/".to_owned(), "no https: URL"),
        ("https://8.8.8.8:22/".to_owned(), "port 22"),
        ("https://user:secret@8.8.8.8/".to_owned(), "user"),
        ("nonsense".to_owned(), "URL"),
    ] {
        let error = certificates.fetch(&url).await.expect_err(&url);
        assert!(error.contains(why), "{url}: {error}");
    }
    assert_eq!(asked.load(Relaxed), 0);
}

#[test]
fn what_came_of_it_is_told_in_the_words_of_carriers() {
    let vouched = Vouched {
        attestation: Some(identity::Attestation::Partial),
        caller: "12155550121".to_owned(),
        origid: Some("o".repeat(1000)),
        issued_at: 0,
        certificate_url: String::new(),
    };
    let CallerIdentity::Passed { attestation, origid } = told(Ok(vouched)) else { panic!("it holds") };
    assert_eq!((attestation, origid.map(|o| o.len())), (Some(Attestation::B), Some(128)));
    assert_eq!(told(Err(IdentityError::Missing)), CallerIdentity::Absent);
    let reason = "the Identity's signature is wrong".to_owned();
    assert_eq!(told(Err(IdentityError::BadSignature)), CallerIdentity::Failed { code: 438, reason });
}
