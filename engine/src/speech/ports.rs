//! The three ports of a spoken turn and the errors they may end in.
//! No provider, no HTTP and no call state here.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edge_protocol::SpeechStage;
use futures::Stream;
use futures::future::BoxFuture;
use thiserror::Error;

use crate::audio::resample::ResampleError;
pub use crate::call::{ChatMessage, ToolCall, ToolDefinition};

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatDelta {
    /// Text to be appended to the answer.
    Text(String),
    /// The model called a function; told once the call is complete.
    ToolCall(ToolCall),
    /// What the answer took, as the provider counts; it comes last, or not at all.
    Used(Tokens),
}

/// Tokens of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read; those in `cached` are among them.
    pub input: u64,
    pub cached: u64,
    pub output: u64,
}

pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatDelta, SpeechError>> + Send>>;

/// 16-bit little-endian mono PCM, cut anywhere.
pub type PcmStream = Pin<Box<dyn Stream<Item = Result<Bytes, SpeechError>> + Send>>;

/// Synthesised speech as it comes.
pub struct VoiceStream {
    pub sample_rate_hz: u32,
    pub pcm: PcmStream,
}

/// What every stage's provider has.
pub trait Provider: Send + Sync {
    /// A call has begun: what has connections ready for its first turn, unless they are. What goes wrong shows when they are
    /// needed.
    fn warm_up(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

/// Speech to text. `pcm` is 8 kHz mono; an empty text means that no words could be made out.
pub trait Transcriber: Provider {
    fn transcribe(&self, pcm: Vec<i16>) -> BoxFuture<'static, Result<String, SpeechError>>;
}

/// A conversation to its next line, streamed. `tools` are what the model may call in it.
pub trait Responder: Provider {
    fn respond(
        &self,
        messages: Vec<ChatMessage>,
        tools: Arc<[ToolDefinition]>,
    ) -> BoxFuture<'static, Result<ChatStream, SpeechError>>;
}

/// Text to speech, streamed, by the voice of that name; `None`: the provider's own choice.
pub trait Synthesizer: Provider {
    fn speak(&self, voice: Option<Arc<str>>, text: String) -> BoxFuture<'static, Result<VoiceStream, SpeechError>>;
}

/// Why a provider did not serve a stage of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpeechError {
    #[error("{stage:?}: no answer from {base_url} within {} ms", after.as_millis())]
    TimedOut { stage: SpeechStage, base_url: String, after: Duration },
    #[error("{stage:?}: cannot reach {base_url}: {reason}")]
    Unreachable { stage: SpeechStage, base_url: String, reason: String },
    #[error("{stage:?}: {base_url} answered {status}: {message}")]
    Refused { stage: SpeechStage, base_url: String, status: u16, message: String },
    #[error("{stage:?}: the answer from {base_url} was cut off: {reason}")]
    CutOff { stage: SpeechStage, base_url: String, reason: String },
    #[error("Chat: the answer has no words")]
    NoAnswer,
    #[error("Synthesis: {0}")]
    SampleRate(#[from] ResampleError),
    #[error("{stage:?}: {base_url} sent what cannot be understood: {reason}")]
    Malformed { stage: SpeechStage, base_url: String, reason: String },
}

/// What is added to the time a transcription may take, for so many samples at 8 kHz: a twentieth of their length.
pub fn hearing_time(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 125 / 20)
}

// === impl SpeechError ===

impl SpeechError {
    /// The stage that failed.
    pub fn stage(&self) -> SpeechStage {
        match self {
            Self::TimedOut { stage, .. }
            | Self::Unreachable { stage, .. }
            | Self::Refused { stage, .. }
            | Self::CutOff { stage, .. }
            | Self::Malformed { stage, .. } => *stage,
            Self::SampleRate(_) => SpeechStage::Synthesis,
            Self::NoAnswer => SpeechStage::Chat,
        }
    }

    /// True if another provider may do better. What is wrong with our request or our key must be seen and put right,
    /// not hidden by somebody who serves all the same.
    pub fn is_providers_fault(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Unreachable { .. } | Self::CutOff { .. } | Self::Malformed { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::NoAnswer | Self::SampleRate(_) => false,
        }
    }
}
