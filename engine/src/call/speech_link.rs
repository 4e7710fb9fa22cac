//! What a call asks of speech and what comes back: plain messages, no provider, no channel.
//! Audio crosses here law-encoded at 8 kHz, so that a tick only copies it.

use std::sync::Arc;

use bytes::Bytes;
use edge_protocol::{ProviderUsage, SpeechStage};

use super::chat::{ChatMessage, ToolCall, ToolDefinition};
use super::tools::{McpServer, Tool, ToolRun};
use crate::audio::g711::Law;

/// A caller's turn within a call, from 1.
pub type TurnId = u32;

/// A piece of the caller's audio of which the text is wanted, from 1 within a call. A turn may take several.
pub type HearingId = u32;

/// Something the agent says as one piece: a prompt, or the answer to a turn. From 1 within a call.
pub type UtteranceId = u32;

/// A call's wish to speech. `voice` is the provider's name of one; `None`: the node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeechCommand {
    /// Turn the caller's audio into text; answered by `Transcribed` or `Failed`.
    /// `so_far`: for a model that hears for itself, which begins to answer before it is told to.
    Transcribe { hearing: HearingId, law: Law, audio: Bytes, so_far: Option<SoFar> },
    /// Find the next line of the conversation and speak it; answered by `FirstToken`, `Sentence`, `Voice`, `ToolsCalled`,
    /// `Said`. The same utterance again goes on with it, after tools or a filler. `keep`: sentences that are said often are
    /// synthesised once, for all calls. `provider`: who is asked first, where it is not the first in the node's order.
    Respond {
        utterance: UtteranceId,
        law: Law,
        voice: Option<Arc<str>>,
        keep: bool,
        provider: Option<Arc<str>>,
        messages: Vec<ChatMessage>,
        tools: Arc<[ToolDefinition]>,
    },
    /// Speak a fixed text; answered by `Sentence`, `Voice`, `Said`. `urgent`: if it cannot be had at once, something else
    /// is said in its place.
    Say { utterance: UtteranceId, law: Law, voice: Option<Arc<str>>, text: String, urgent: bool },
    /// Have a fixed text ready: it is to be said when there may be nobody to speak it. Not answered.
    Prepare { law: Law, voice: Option<Arc<str>>, text: String },
    /// How much was heard of an utterance that is over, and the words of it. Only told to a model that speaks for
    /// itself; not answered.
    Heard { utterance: UtteranceId, ms: u64, text: String },
    /// Run a tool for the call of that id; answered by `ToolFinished`, whatever else is asked for or cancelled.
    RunTool { run: ToolRun, call_id: String, tool: Arc<Tool>, arguments: String },
    /// Ask these servers for their tools; answered by `ToolsFound` for each that answers.
    FindTools { servers: Arc<[Arc<McpServer>]> },
    /// A call has begun that will need speech: have connections to the providers ready. Not answered.
    WarmUp { pipeline: Pipeline, provider: Option<Arc<str>> },
    /// Stop whatever is under way for this call; nothing more of it is wanted.
    Cancel,
    /// The call is over. Only told to a model that speaks for itself; not answered.
    Over,
}

/// How a call hears, thinks and speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pipeline {
    /// Text from speech, an answer from the text, and speech from it: one after the other.
    #[default]
    Stages,
    /// One model hears and speaks. The stages help out.
    SpeechToSpeech,
}

/// The conversation before something the caller says, and how it is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoFar {
    pub voice: Option<Arc<str>>,
    pub messages: Vec<ChatMessage>,
    pub tools: Arc<[ToolDefinition]>,
}

/// What speech has for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeechEvent {
    /// The audio's text; empty if no words could be made out.
    Transcribed { hearing: HearingId, text: String },
    /// The language model began to answer.
    FirstToken { utterance: UtteranceId },
    /// The next sentence's text; its `Voice` follows.
    Sentence { utterance: UtteranceId, text: String },
    /// More of the last sentence's audio, law-encoded, 8 kHz.
    Voice { utterance: UtteranceId, audio: Bytes },
    /// The language model's answer is complete, and it called these; what it said may still be on its way. Not told if
    /// it called none.
    ToolsCalled { utterance: UtteranceId, calls: Vec<ToolCall> },
    /// What came of a tool, or why nothing did.
    ToolFinished { run: ToolRun, outcome: Result<String, String> },
    /// A server has these tools.
    ToolsFound { server: Arc<McpServer>, tools: Vec<Arc<Tool>> },
    /// All of it was handed over.
    Said { utterance: UtteranceId },
    /// A provider was used, for whatever it was wanted; it may be that nobody wants it any more.
    Used(ProviderUsage),
    /// A stage failed; nothing more comes for the hearing or utterance it belongs to.
    Failed { hearing: Option<HearingId>, utterance: Option<UtteranceId>, stage: SpeechStage, error: String },
}
