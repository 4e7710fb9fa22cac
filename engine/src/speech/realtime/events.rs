//! The events of the OpenAI Realtime API that matter to a phone call, as they are on the wire.
//! When which is sent, and what one that came means, is the session's matter.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audio::g711::Law;
use crate::speech::tariff::SpokenTokens;

/// What we send. Each has an `event_id`, which an `error` that answers it repeats.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum ClientEvent {
    #[serde(rename = "session.update")]
    SessionUpdate { event_id: String, session: SessionSettings },
    /// `audio` is base64 of what the session's input format says.
    #[serde(rename = "input_audio_buffer.append")]
    AudioAppend { event_id: String, audio: String },
    /// Makes the buffer an item of the conversation; answered by `input_audio_buffer.committed`.
    #[serde(rename = "input_audio_buffer.commit")]
    AudioCommit { event_id: String },
    /// `previous_item_id` is `root` for the first of the conversation.
    #[serde(rename = "conversation.item.create")]
    ItemCreate { event_id: String, previous_item_id: String, item: NewItem },
    #[serde(rename = "conversation.item.truncate")]
    ItemTruncate { event_id: String, item_id: String, content_index: u32, audio_end_ms: u64 },
    #[serde(rename = "conversation.item.delete")]
    ItemDelete { event_id: String, item_id: String },
    #[serde(rename = "response.create")]
    ResponseCreate { event_id: String },
    #[serde(rename = "response.cancel")]
    ResponseCancel { event_id: String, response_id: String },
}

/// What of the session is to be changed; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionSettings {
    #[serde(rename = "type")]
    pub kind: SessionKind,
    pub instructions: String,
    pub tools: Vec<FunctionTool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioSettings>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    Realtime,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioSettings {
    pub input: AudioInput,
    pub output: AudioOutput,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioInput {
    pub format: AudioFormat,
    pub transcription: InputTranscription,
    /// Always `None`, written `null`: when the caller's turn is over is decided by the call.
    pub turn_detection: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AudioOutput {
    pub format: AudioFormat,
    pub voice: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputTranscription {
    pub model: String,
}

/// G.711, 8 kHz, as a call has it: nothing is resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum AudioFormat {
    #[serde(rename = "audio/pcmu")]
    Pcmu,
    #[serde(rename = "audio/pcma")]
    Pcma,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename = "function")]
pub struct FunctionTool {
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments.
    pub parameters: Value,
}

/// An item of the conversation that we make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewItem {
    pub id: String,
    #[serde(flatten)]
    pub content: NewContent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NewContent {
    Message { role: &'static str, content: [TextPart; 1] },
    FunctionCall { call_id: String, name: String, arguments: String },
    FunctionCallOutput { call_id: String, output: String },
}

/// Text of the caller (`input_text`) or of the agent (`output_text`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TextPart {
    InputText { text: String },
    OutputText { text: String },
}

/// What the server sends, as far as it matters. Events of the beta have other names for what was spoken; what is not
/// known here is [`Self::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type")]
pub enum ServerEvent {
    #[serde(rename = "session.updated")]
    SessionUpdated { session: SessionState },
    #[serde(rename = "input_audio_buffer.committed")]
    AudioCommitted { item_id: String },
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Transcribed { item_id: String, transcript: String },
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    NotTranscribed { item_id: String, error: ApiError },
    #[serde(rename = "response.created")]
    ResponseCreated { response: ResponseState },
    #[serde(rename = "response.output_item.added")]
    OutputItemAdded { response_id: String, item: OutputItem },
    #[serde(rename = "response.output_audio.delta", alias = "response.audio.delta")]
    AudioDelta { response_id: String, item_id: String, delta: String },
    #[serde(rename = "response.output_audio_transcript.delta", alias = "response.audio_transcript.delta")]
    TranscriptDelta { response_id: String, delta: String },
    #[serde(rename = "response.output_audio_transcript.done", alias = "response.audio_transcript.done")]
    TranscriptDone { response_id: String, transcript: String },
    #[serde(rename = "response.function_call_arguments.done")]
    ArgumentsDone { response_id: String, item_id: String, call_id: String, name: Option<String>, arguments: String },
    #[serde(rename = "response.output_item.done")]
    OutputItemDone { response_id: String, item: OutputItem },
    #[serde(rename = "response.done")]
    ResponseDone { response: ResponseState },
    #[serde(rename = "error")]
    Error { error: ApiError },
    #[serde(other)]
    Other,
}

/// A response at its beginning and its end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResponseState {
    pub id: String,
    #[serde(default)]
    pub status: ResponseStatus,
    pub status_details: Option<StatusDetails>,
    pub usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    #[default]
    InProgress,
    Completed,
    Cancelled,
    Failed,
    Incomplete,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StatusDetails {
    pub reason: Option<String>,
    pub error: Option<ApiError>,
}

/// Tokens of a response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub input_token_details: InputDetails,
    pub output_token_details: OutputDetails,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct InputDetails {
    pub text_tokens: u64,
    pub cached_tokens: u64,
    pub cached_tokens_details: CachedDetails,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CachedDetails {
    pub text_tokens: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OutputDetails {
    pub text_tokens: u64,
}

/// An item of a response: what is said, or a function that is called.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OutputItem {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: OutputKind,
    pub call_id: Option<String>,
    pub name: Option<String>,
    pub arguments: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    Message,
    FunctionCall,
    #[serde(other)]
    Other,
}

/// Why something did not work, of whichever event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApiError {
    pub code: Option<String>,
    pub message: Option<String>,
    /// Of the event of ours that caused it.
    pub event_id: Option<String>,
}

/// The session as the server has it: the one thing of it that is checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SessionState {
    audio: Option<SessionAudio>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct SessionAudio {
    output: Option<SessionOutput>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct SessionOutput {
    format: Option<FormatName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct FormatName {
    #[serde(rename = "type")]
    name: String,
}

// === impl SessionState ===

impl SessionState {
    /// What the server's audio is, if it says so.
    pub fn output_format(&self) -> Option<&str> {
        Some(self.audio.as_ref()?.output.as_ref()?.format.as_ref()?.name.as_str())
    }
}

// === impl Usage ===

impl From<Usage> for SpokenTokens {
    fn from(usage: Usage) -> Self {
        let Usage { input_tokens, output_tokens, input_token_details, output_token_details } = usage;
        Self {
            input: input_tokens,
            text_input: input_token_details.text_tokens,
            cached: input_token_details.cached_tokens,
            cached_text: input_token_details.cached_tokens_details.text_tokens,
            output: output_tokens,
            text_output: output_token_details.text_tokens,
        }
    }
}

// === impl AudioFormat ===

impl AudioFormat {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "audio/pcmu",
            Self::Pcma => "audio/pcma",
        }
    }
}

impl From<Law> for AudioFormat {
    fn from(law: Law) -> Self {
        match law {
            Law::Mu => Self::Pcmu,
            Law::A => Self::Pcma,
        }
    }
}

// === impl ApiError ===

impl ApiError {
    /// In the server's words, with its code.
    pub fn words(&self) -> String {
        let message = self.message.as_deref().unwrap_or("no message");
        match &self.code {
            Some(code) => format!("{message} ({code})"),
            None => message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
