//! The OpenAI client against a provider that is right, slow, refusing, cutting off, babbling or gone.
//! Every failure must be told precisely and soon; `fake` is the provider.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod anthropic;
mod chat;
mod fake;
mod retry;
mod route;
mod synthesis;
mod transcription;

use std::time::Duration;

use engine::speech::openai::{OpenAiClient, OpenAiConfig, Secret, Timeouts};

/// Long enough for loopback, short enough to wait for in a test.
const SHORT: Duration = Duration::from_millis(150);
/// Never reached in a test that passes.
const LONG: Duration = Duration::from_secs(20);

/// Every stage may take [`LONG`]; a test shortens the one it is about.
fn patient() -> Timeouts {
    Timeouts {
        connect: LONG,
        transcription: LONG,
        first_token: LONG,
        token_gap: LONG,
        first_audio: LONG,
        audio_gap: LONG,
    }
}

fn client(base_url: &str, timeouts: Timeouts) -> OpenAiClient {
    let config = OpenAiConfig {
        base_url: base_url.to_owned(),
        api_key: Some(Secret::new("sk-test")),
        timeouts,
        ..OpenAiConfig::default()
    };
    OpenAiClient::new(config).expect("a valid configuration")
}

#[test]
fn a_key_is_not_shown_by_debug() {
    let config = OpenAiConfig { api_key: Some(Secret::new("sk-very-secret")), ..OpenAiConfig::default() };
    assert!(!format!("{config:?}").contains("very-secret"));
}

#[test]
fn a_configuration_that_cannot_work_is_refused_with_its_value() {
    for base_url in ["", "no url", "ftp://example.com/v1"] {
        let error = OpenAiClient::new(OpenAiConfig { base_url: base_url.to_owned(), ..OpenAiConfig::default() })
            .err()
            .expect("no client");
        assert!(error.to_string().contains(&format!("{base_url:?}")), "{error}");
    }
    let key = OpenAiConfig { api_key: Some(Secret::new("line\nbreak")), ..OpenAiConfig::default() };
    assert!(OpenAiClient::new(key).is_err());
}
