//! Which providers serve a node's calls: configured ones, OpenAI with a key, or the node's own offline server.
//! How a provider is spoken to, and when the next one is asked, is `engine::speech`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::SpeechStage;
use thiserror::Error;
use tokio::net::TcpListener;

use super::offline_child::{OfflineChild, OfflineChildError, READY};
use crate::call::{Pipeline, SpeechLimits};
use crate::config::{Config, OFFLINE, OrderConfig, ProviderConfig, ProviderKind, SpeechConfig};
use crate::control::AgentProfile;
use crate::speech::anthropic::{AnthropicClient, AnthropicConfig};
use crate::speech::offline::{AgentFileError, OfflineError, OfflineSpeech, ScriptedAgent};
use crate::speech::openai::{ConfigError, OpenAiClient, OpenAiConfig, Secret, Timeouts};
use crate::speech::realtime::{Patience, Realtime, RealtimeConfig, RealtimeConfigError};
use crate::speech::{
    BreakerSettings, KeptVoice, Prices, Prompts, Provider, Providers, RealtimePrices, Responder, Route, RouteSettings,
    Synthesizer, Tariff, Transcriber,
};

/// Where OpenAI itself is.
const OPENAI: &str = "https://api.openai.com/v1";

/// A provider that refuses for now is waited for this long, and where another could serve, this long.
const RETRY_AFTER_ALONE: Duration = Duration::from_secs(1);
const RETRY_AFTER_WITH_OTHERS: Duration = Duration::from_millis(100);

/// The offline server is on this machine: when it is slow the machine is, and giving up makes nothing faster.
const OFFLINE_TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    transcription: Duration::from_secs(6),
    first_token: Duration::from_secs(5),
    token_gap: Duration::from_secs(4),
    first_audio: Duration::from_secs(5),
    audio_gap: Duration::from_secs(3),
};

/// Longest wait for an answer of the offline server: about what its stages may take together.
const OFFLINE_ANSWER_WITHIN: Duration = Duration::from_secs(16);

/// Why a node has no speech.
#[derive(Debug, Error)]
pub enum SpeechSetupError {
    #[error(transparent)]
    Provider(#[from] ConfigError),
    #[error(transparent)]
    Realtime(#[from] RealtimeConfigError),
    #[error(transparent)]
    Offline(#[from] OfflineChildError),
    #[error("the agent's chat_provider {0:?} is not in speech.order.chat")]
    ChatProvider(String),
}

/// Why the offline speech server cannot serve.
#[derive(Debug, Error)]
pub enum OfflineSpeechError {
    #[error(transparent)]
    Agent(#[from] AgentFileError),
    #[error("cannot listen for offline speech on {addr}: {source}")]
    Listen { addr: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Offline(#[from] OfflineError),
}

/// The providers that are in some order, by their names.
struct Clients<'a> {
    settings: &'a SpeechConfig,
    by_name: BTreeMap<&'a str, Client>,
}

/// One provider at the stages it serves.
struct Client {
    transcriber: Option<Arc<dyn Transcriber>>,
    responder: Option<Arc<dyn Responder>>,
    synthesizer: Option<Arc<dyn Synthesizer>>,
    timeouts: Timeouts,
}

/// Sets up the providers the settings ask for, and begins to synthesise the agent's fixed texts.
pub async fn providers(config: &Config, profile: &AgentProfile) -> Result<Providers, SpeechSetupError> {
    let settings = &config.speech;
    if let Some(name) =
        profile.settings.chat_provider.as_deref().filter(|name| !settings.order.chat.iter().any(|known| known == name))
    {
        return Err(SpeechSetupError::ChatProvider(name.to_owned()));
    }
    let mut clients = Clients { settings, by_name: BTreeMap::new() };
    let own = settings.order.names().find(|name| settings.provider(name).is_none());
    let offline_url = match own {
        Some(name) => start_offline(config, name).await?,
        None => String::new(),
    };
    for name in settings.order.names() {
        let Entry::Vacant(new) = clients.by_name.entry(name) else { continue };
        let (provider, timeouts) = match settings.provider(name) {
            Some(provider) => (provider, timeouts(settings)),
            None => (offline(settings, name, &offline_url), OFFLINE_TIMEOUTS),
        };
        let alone = settings.order.names().all(|other| other == name);
        let longest_retry_after = if alone { RETRY_AFTER_ALONE } else { RETRY_AFTER_WITH_OTHERS };
        new.insert(match provider.kind {
            ProviderKind::Openai => Client::openai(provider, profile, timeouts, longest_retry_after)?,
            ProviderKind::Anthropic => Client::anthropic(provider, timeouts, longest_retry_after)?,
        });
    }
    let order = &settings.order;
    let transcriber = clients.route(SpeechStage::Transcription, &order.transcription, |client| &client.transcriber);
    let responder = clients.route(SpeechStage::Chat, &order.chat, |client| &client.responder);
    let synthesizer = clients.route(SpeechStage::Synthesis, &order.synthesis, |client| &client.synthesizer);
    let kept_voice = Arc::new(KeptVoice::new(usize::from(settings.kept_voice_mb) << 20));
    let prompts = Arc::new(Prompts::new(Arc::clone(&kept_voice)));
    let texts = profile.fixed_texts();
    let (keeper, voices) = (Arc::clone(&prompts), Arc::clone(&synthesizer));
    tokio::spawn(async move { keeper.warm(&texts, &voices).await });
    let tariff = Arc::new(tariff(settings));
    let realtime = realtime(settings)?;
    if realtime.is_none() && profile.settings.pipeline == Pipeline::SpeechToSpeech {
        tracing::warn!(
            "the agent wants pipeline = \"realtime\", and there is neither speech.realtime.base_url nor a key"
        );
    }
    Ok(Providers { transcriber, responder, synthesizer, prompts, kept_voice, tariff, realtime })
}

/// Speech-to-speech: where it is configured, or else where the main provider is; `None` if there is neither.
fn realtime(settings: &SpeechConfig) -> Result<Option<Realtime>, SpeechSetupError> {
    let set = &settings.realtime;
    let elsewhere = !set.base_url.is_empty();
    let key = if set.api_key.0.is_empty() && !elsewhere { &settings.api_key } else { &set.api_key };
    let base_url = [&set.base_url, &settings.base_url].into_iter().find(|url| !url.is_empty());
    if base_url.is_none() && key.0.is_empty() {
        return Ok(None);
    }
    let config = RealtimeConfig {
        base_url: base_url.map_or_else(|| OPENAI.to_owned(), String::clone),
        api_key: (!key.0.is_empty()).then(|| Secret::new(key.0.clone())),
        model: set.model.clone(),
        voice: set.voice.clone(),
        transcription_model: set.transcription_model.clone(),
        patience: Patience::default(),
        prices: RealtimePrices {
            input_million: set.prices.input_million,
            audio_input_million: set.prices.audio_input_million,
            cached_million: set.prices.cached_million,
            output_million: set.prices.output_million,
            audio_output_million: set.prices.audio_output_million,
        },
    };
    Ok(Some(Realtime::new(config)?))
}

/// Starts the node's own speech and keeps it running; its base URL.
async fn start_offline(config: &Config, name: &str) -> Result<String, SpeechSetupError> {
    let child = OfflineChild::start(config.agent.clone(), config.speech.offline).await?;
    let url = child.base_url();
    if name == OFFLINE {
        tracing::info!(url, "offline speech stands by");
    } else {
        tracing::info!(url, "no OPENAI_API_KEY and no speech.base_url: speech is served offline");
    }
    tokio::spawn(child.keep_alive());
    Ok(url)
}

/// The offline server in the place of a provider.
fn offline(settings: &SpeechConfig, name: &str, base_url: &str) -> ProviderConfig {
    let voice = if name == OFFLINE { String::new() } else { settings.voice.clone() };
    ProviderConfig { base_url: base_url.to_owned(), voice, ..ProviderConfig::default() }
}

/// What the providers charge; the node's own speech costs nothing.
fn tariff(settings: &SpeechConfig) -> Tariff {
    let priced = settings.order.names().filter_map(|name| {
        let prices = settings.provider(name)?.prices;
        let prices = Prices {
            transcription_minute: prices.transcription_minute,
            input_million: prices.input_million,
            cached_million: prices.cached_million,
            output_million: prices.output_million,
            characters_million: prices.characters_million,
        };
        Some((name.to_owned(), prices))
    });
    Tariff::new(priced)
}

/// How long calls bear with the providers.
pub fn limits(settings: &SpeechConfig) -> SpeechLimits {
    let OrderConfig { transcription, chat, synthesis } = &settings.order;
    let mut first = [transcription, chat, synthesis].into_iter().filter_map(|stage| stage.first());
    let answer_within = if first.any(|name| settings.provider(name).is_none()) {
        OFFLINE_ANSWER_WITHIN
    } else {
        Duration::from_millis(settings.timeouts.answer_ms.into())
    };
    SpeechLimits { answer_within, give_up_after: Duration::from_secs(settings.give_up_after_s.into()) }
}

fn timeouts(settings: &SpeechConfig) -> Timeouts {
    let millis = |ms: u32| Duration::from_millis(ms.into());
    let set = &settings.timeouts;
    Timeouts {
        transcription: millis(set.transcription_ms),
        first_token: millis(set.first_token_ms),
        token_gap: millis(set.token_gap_ms),
        first_audio: millis(set.first_audio_ms),
        audio_gap: millis(set.audio_gap_ms),
        ..Timeouts::default()
    }
}

// === impl Client ===

impl Client {
    fn openai(
        provider: ProviderConfig,
        profile: &AgentProfile,
        timeouts: Timeouts,
        longest_retry_after: Duration,
    ) -> Result<Self, ConfigError> {
        let own = OpenAiConfig::default();
        let voice = Some(provider.voice).filter(|voice| !voice.is_empty());
        let client = Arc::new(OpenAiClient::new(OpenAiConfig {
            base_url: if provider.base_url.is_empty() { OPENAI.to_owned() } else { provider.base_url },
            api_key: (!provider.api_key.0.is_empty()).then(|| Secret::new(provider.api_key.0)),
            transcription_model: provider.transcription_model,
            language: own.language,
            chat_model: provider.chat_model,
            speech_model: provider.speech_model,
            voice: voice.or_else(|| profile.voice.clone()).unwrap_or(own.voice),
            speech_rate_hz: provider.speech_rate_hz,
            timeouts,
            longest_retry_after,
        })?);
        let (transcriber, responder) = (Some(client.clone() as _), Some(client.clone() as _));
        Ok(Self { transcriber, responder, synthesizer: Some(client), timeouts })
    }

    fn anthropic(
        provider: ProviderConfig,
        timeouts: Timeouts,
        longest_retry_after: Duration,
    ) -> Result<Self, ConfigError> {
        let own = AnthropicConfig::default();
        let client = AnthropicClient::new(AnthropicConfig {
            base_url: if provider.base_url.is_empty() { own.base_url } else { provider.base_url },
            api_key: (!provider.api_key.0.is_empty()).then(|| Secret::new(provider.api_key.0)),
            model: provider.chat_model,
            max_tokens: provider.max_tokens,
            timeouts,
            longest_retry_after,
        })?;
        Ok(Self { transcriber: None, responder: Some(Arc::new(client)), synthesizer: None, timeouts })
    }
}

// === impl Clients ===

impl Clients<'_> {
    /// A stage's route; `port` finds what a client is to the stage.
    fn route<P: Provider + ?Sized>(
        &self,
        stage: SpeechStage,
        order: &[String],
        port: impl Fn(&Client) -> &Option<Arc<P>>,
    ) -> Arc<Route<P>> {
        let hop = |name: &String| {
            let client = self.by_name.get(name.as_str())?;
            Some((name.clone(), Arc::clone(port(client).as_ref()?), client.timeouts))
        };
        let hops: Vec<_> = order.iter().filter_map(hop).collect();
        let limit = hops.first().map_or(OFFLINE_TIMEOUTS, |(.., timeouts)| *timeouts);
        let limit = match stage {
            SpeechStage::Transcription => limit.transcription,
            SpeechStage::Chat => limit.first_token,
            SpeechStage::Synthesis => limit.first_audio,
        };
        let millis = |ms: u32| Duration::from_millis(ms.into());
        let set = &self.settings.breaker;
        let breaker = BreakerSettings { failures: set.failures, pause: millis(set.pause_ms) };
        let hedge_after = Some(millis(self.settings.hedge_after_ms)).filter(|after| !after.is_zero());
        let settings = RouteSettings { limit, hedge_after, breaker };
        Arc::new(Route::new(stage, settings, hops.into_iter().map(|(name, port, _)| (name, port))))
    }
}

/// `tandem offline-speech`: serves until the process is ended.
///
/// # Errors
/// [`OfflineSpeechError`] naming what is missing on this machine or wrong with the agent file.
pub async fn serve_offline_speech(agent: PathBuf, listen: SocketAddr) -> Result<(), OfflineSpeechError> {
    let agent = ScriptedAgent::load(&agent)?;
    let listening = |source| OfflineSpeechError::Listen { addr: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(listening)?;
    let addr = listener.local_addr().map_err(listening)?;
    let speech = OfflineSpeech::start(agent).await?;
    println!("{READY}{addr}");
    speech.serve(listener, std::future::pending()).await?;
    Ok(())
}
