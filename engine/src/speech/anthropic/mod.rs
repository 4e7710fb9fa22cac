//! A client for Anthropic's Messages API at any base URL, serving the chat stage.
//! Requests are put together in `request`, streamed answers are read in `answer`; tries and failures are `http`'s.

mod answer;
mod request;

use std::sync::Arc;

use async_openai::middleware::HttpRequestFactory;
use edge_protocol::SpeechStage;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::http::{Failure, Once, excerpt, http_client};
use super::openai::{ConfigError, Secret, Timeouts};
use super::ports::{ChatMessage, ChatStream, Provider, Responder, SpeechError, ToolDefinition};
use answer::Answer;

/// Version of the API that is spoken.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// A provider of the chat stage.
#[derive(Debug, Clone)]
pub struct AnthropicConfig {
    /// Without the version: `https://api.anthropic.com`.
    pub base_url: String,
    pub api_key: Option<Secret>,
    pub model: String,
    /// Longest answer, tokens; the API wants to be told.
    pub max_tokens: u32,
    /// `first_token` and `token_gap` count.
    pub timeouts: Timeouts,
    /// A refused request is made once more if the provider wants it no later than this.
    pub longest_retry_after: std::time::Duration,
}

/// Anthropic, or who speaks like it.
#[derive(Clone)]
pub struct AnthropicClient(Arc<Shared>);

struct Shared {
    config: AnthropicConfig,
    url: String,
    headers: HeaderMap,
    service: Once,
}

// === impl AnthropicConfig ===

impl Default for AnthropicConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.anthropic.com".to_owned(),
            api_key: None,
            model: "claude-haiku-4-5".to_owned(),
            max_tokens: 1024,
            timeouts: Timeouts::default(),
            longest_retry_after: std::time::Duration::from_secs(1),
        }
    }
}

// === impl AnthropicClient ===

impl AnthropicClient {
    /// Checks the configuration and builds the connection pool; connects to nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`] naming what cannot be used.
    pub fn new(config: AnthropicConfig) -> Result<Self, ConfigError> {
        let http = http_client(&config.base_url, config.timeouts.connect)?;
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("anthropic-version"), VERSION);
        if let Some(key) = &config.api_key {
            headers.insert(HeaderName::from_static("x-api-key"), key.header("").ok_or(ConfigError::ApiKey)?);
        }
        let url = format!("{}/v1/messages", config.base_url.trim_end_matches('/'));
        let service = Once::new(http, config.longest_retry_after);
        Ok(Self(Arc::new(Shared { config, url, headers, service })))
    }
}

impl Provider for AnthropicClient {}

impl Responder for AnthropicClient {
    fn respond(
        &self,
        messages: Vec<ChatMessage>,
        tools: Arc<[ToolDefinition]>,
    ) -> BoxFuture<'static, Result<ChatStream, SpeechError>> {
        let shared = Arc::clone(&self.0);
        async move {
            let patience = shared.config.timeouts.first_token;
            let deadline = Instant::now() + patience;
            let body = request::body(&shared.config.model, shared.config.max_tokens, &messages, &tools);
            let opened = timeout_at(deadline, shared.open(body)).await.unwrap_or(Err(Failure::TimedOut(patience)));
            let base_url = shared.config.base_url.clone();
            let named = move |failure: Failure| failure.at(SpeechStage::Chat, &base_url);
            let response = opened.map_err(&named)?;
            let answer = Answer::new(response.bytes_stream(), deadline, patience, shared.config.timeouts.token_gap);
            // `None` as state ends the stream after an error.
            let deltas = futures::stream::unfold(Some(answer), move |answer| {
                let named = named.clone();
                async move {
                    let mut answer = answer?;
                    match answer.next().await? {
                        Ok(delta) => Some((Ok(delta), Some(answer))),
                        Err(failure) => Some((Err(named(failure)), None)),
                    }
                }
            });
            Ok(deltas.boxed() as ChatStream)
        }
        .boxed()
    }
}

// === impl Shared ===

impl Shared {
    async fn open(&self, body: Value) -> Result<Response, Failure> {
        let (http, url, headers) = (self.service.http().clone(), self.url.clone(), self.headers.clone());
        let request = HttpRequestFactory::new(move || {
            let request = http.post(&url).headers(headers.clone()).json(&body).build();
            async move { Ok(request?) }
        });
        let response = self.service.clone().send(request).await?;
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match content_type.unwrap_or_default() {
            stream if stream.starts_with("text/event-stream") => Ok(response),
            other => {
                let other = other.to_owned();
                let body = response.text().await.unwrap_or_default();
                Err(Failure::Malformed(format!("{other} instead of a stream: {:?}", excerpt(&body))))
            }
        }
    }
}
