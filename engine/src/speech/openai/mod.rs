//! A client for the OpenAI HTTP API at any base URL, serving the three speech ports.
//! Each port has its file; how requests are tried and how failures are named is in `http`.

mod chat;
mod config;
mod synthesis;
mod tool_calls;
mod transcription;
mod warm_up;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_openai::Client;
use edge_protocol::SpeechStage;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::http::{Failure, Once, http_client};
use super::{Provider, SpeechError};

pub use config::{ConfigError, OpenAiConfig, Secret, Timeouts};

use config::Endpoint;
use warm_up::Warmth;

/// One provider for all three stages. Cheap to clone; clones share the connection pool.
#[derive(Clone)]
pub struct OpenAiClient {
    shared: Arc<Shared>,
    voice: Arc<str>,
}

struct Shared {
    config: OpenAiConfig,
    endpoint: Endpoint,
    service: Once,
    api: Client<Endpoint>,
    warm: Warmth,
    /// The provider has refused what not everybody understands of a chat request.
    is_plain: AtomicBool,
}

// === impl OpenAiClient ===

impl OpenAiClient {
    /// Checks the configuration and builds the connection pool; connects to nothing yet.
    pub fn new(config: OpenAiConfig) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::new(&config)?;
        let http = http_client(&config.base_url, config.timeouts.connect)?;
        let service = Once::new(http.clone(), config.longest_retry_after);
        let attempts = service.clone();
        // async-openai's own executor retries with backoff for up to minutes; a caller on the phone is gone by then.
        let api = Client::build(http, endpoint.clone())
            .with_http_service(tower::service_fn(move |request| attempts.clone().send(request)));
        let voice = Arc::from(config.voice.as_str());
        let (warm, is_plain) = (Warmth::default(), AtomicBool::new(false));
        Ok(Self { shared: Arc::new(Shared { config, endpoint, service, api, warm, is_plain }), voice })
    }

    /// The same provider speaking with another voice, over the same connections: an agent may have its own.
    pub fn with_voice(&self, voice: &str) -> Self {
        Self { shared: Arc::clone(&self.shared), voice: Arc::from(voice) }
    }
}

impl Provider for OpenAiClient {
    fn warm_up(&self) -> Option<BoxFuture<'static, ()>> {
        let shared = &self.shared;
        shared.warm.is_due().then(|| shared.clone().warm_up().boxed())
    }
}

// === impl Shared ===

impl Shared {
    fn error(&self, stage: SpeechStage, failure: Failure) -> SpeechError {
        failure.at(stage, &self.config.base_url)
    }
}
