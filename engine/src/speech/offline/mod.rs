//! Offline speech: a loopback server that speaks the OpenAI HTTP API without an account or a network. flite is the
//! voice, pocketsphinx the ears, a script from a TOML file the agent. It runs as a process of its own, away from calls.

mod agent_file;
mod api;
mod belief;
mod ears;
mod flite;
mod grammar;
mod meaning;
mod notation;
mod opening_hours;
mod phone_distance;
mod pronunciation;
mod script;
mod sound;
mod sphinx;
mod template;
mod voice_cache;
mod voices;
mod word_graph;

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;

pub use agent_file::{AgentFile, AgentFileError};
pub use ears::EarsError;
pub use flite::FliteError;
pub use notation::{NotationError, Phrase};
pub use pronunciation::PronunciationError;
pub use script::{Clock, Line, Reply, ScriptedAgent};
pub use sphinx::SphinxError;

use api::Speech;
use ears::{Ears, PoolSize};
use flite::Flite;
use grammar::Grammar;

/// The voice's program, looked for in `PATH`.
const FLITE: &str = "flite";

/// Where the Debian package `pocketsphinx-en-us` puts its model and dictionary.
const MODEL: &str = "/usr/share/pocketsphinx/model/en-us/en-us";
const DICTIONARY: &str = "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict";

/// Two decoders, as pocketsphinx's work is what takes the time; 64 utterances may wait, which is some three seconds.
const DECODERS: PoolSize = PoolSize { decoders: 2, max_waiting: 64 };
const VOICES_AT_ONCE: usize = 2;

/// Why the offline speech does not start, or stopped. Missing programs and files name the Debian package to install.
#[derive(Debug, Error)]
pub enum OfflineError {
    #[error("offline speech, the voice: {0}")]
    Voice(#[from] FliteError),
    #[error("offline speech, the words: {0}")]
    Words(#[from] PronunciationError),
    #[error("offline speech, the ears: {0}")]
    Ears(#[from] EarsError),
    #[error("offline speech, the server: {0}")]
    Serve(#[from] std::io::Error),
}

/// Voice, ears and script, warm and ready to be served.
pub struct OfflineSpeech {
    speech: Arc<Speech>,
}

// === impl OfflineSpeech ===

impl OfflineSpeech {
    /// Starts voice and ears for `agent`; whatever is missing shows here.
    pub async fn start(agent: ScriptedAgent) -> Result<Self, OfflineError> {
        let flite = Flite::new(FLITE, VOICES_AT_ONCE);
        flite.check().await?;
        let grammar = Grammar::of(agent.file());
        let words = pronunciation::pronounce(&grammar, Path::new(DICTIONARY), &flite).await?;
        let starting = tokio::task::spawn_blocking(move || Ears::start(Path::new(MODEL), &grammar, words, DECODERS));
        let ears = starting.await.map_err(|_| EarsError::Stopped)??;
        Ok(Self { speech: Arc::new(Speech { ears, flite, agent }) })
    }

    /// Answers on `listener` until `shutdown` resolves; requests that were begun are finished.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), OfflineError> {
        axum::serve(listener, api::router(self.speech)).with_graceful_shutdown(shutdown).await?;
        Ok(())
    }
}
