//! Which provider serves a node's calls: a configured one, OpenAI with a key, or the node's own offline server.
//! How a provider is spoken to is `engine::speech`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;

use super::offline_child::{OfflineChild, OfflineChildError, READY};
use crate::config::Config;
use crate::control::AgentProfile;
use crate::speech::offline::{AgentFileError, OfflineError, OfflineSpeech, ScriptedAgent};
use crate::speech::openai::{ConfigError, OpenAiClient, OpenAiConfig, Secret};
use crate::speech::{Prompts, Providers};

/// Where OpenAI itself is.
const OPENAI: &str = "https://api.openai.com/v1";

/// Why a node has no speech.
#[derive(Debug, Error)]
pub enum SpeechSetupError {
    #[error(transparent)]
    Provider(#[from] ConfigError),
    #[error(transparent)]
    Offline(#[from] OfflineChildError),
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

/// Sets up the provider the settings ask for, and begins to synthesise the agent's fixed texts.
pub async fn providers(config: &Config, profile: &AgentProfile) -> Result<Providers, SpeechSetupError> {
    let settings = &config.speech;
    let base_url = if settings.is_offline() {
        let child = OfflineChild::start(config.agent.clone(), settings.offline).await?;
        let url = child.base_url();
        tracing::info!(url, "no OPENAI_API_KEY and no speech.base_url: speech is served offline");
        tokio::spawn(child.keep_alive());
        url
    } else if settings.base_url.is_empty() {
        OPENAI.to_owned()
    } else {
        settings.base_url.clone()
    };
    let mut openai = OpenAiConfig {
        base_url,
        api_key: (!settings.api_key.0.is_empty()).then(|| Secret::new(settings.api_key.0.clone())),
        transcription_model: settings.transcription_model.clone(),
        chat_model: settings.chat_model.clone(),
        speech_model: settings.speech_model.clone(),
        ..OpenAiConfig::default()
    };
    if !settings.voice.is_empty() {
        openai.voice.clone_from(&settings.voice);
    } else if let Some(voice) = &profile.voice {
        openai.voice.clone_from(voice);
    }
    let client = Arc::new(OpenAiClient::new(openai)?);
    let prompts = Arc::new(Prompts::default());
    let texts = profile.fixed_texts();
    let (keeper, synthesizer) = (prompts.clone(), client.clone());
    tokio::spawn(async move { keeper.warm(&texts, synthesizer.as_ref()).await });
    Ok(Providers { transcriber: client.clone(), responder: client.clone(), synthesizer: client, prompts })
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
