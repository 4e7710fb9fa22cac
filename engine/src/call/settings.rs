//! How the agent of one call behaves: what it says unasked, and the times it keeps.
//! Where these settings come from (a file, the edge) is `control`'s business.

use std::sync::Arc;
use std::time::Duration;

use super::endpointing::Endpointing;
use super::replies::Reply;
use super::speculation::SpeculationSettings;
use super::speech_link::Pipeline;
use super::tools::{McpServer, Tool, TransferTarget};

/// When the caller may cut the agent off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Interruptible {
    #[default]
    Always,
    /// The greeting is heard out.
    AfterGreeting,
    Never,
}

/// How long a call bears with speech that is slow or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechLimits {
    /// From the caller's last word to the first sound of an answer, whichever stages it waits for. Then an apology is
    /// heard in its place.
    pub answer_within: Duration,
    /// After so long with nothing but failures the agent says goodbye.
    pub give_up_after: Duration,
}

/// The agent as a call needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    pub name: String,
    pub pipeline: Pipeline,
    /// Voice of the speech provider; `None`: the node's.
    pub voice: Option<Arc<str>>,
    /// Who of the node's chat providers is asked first; `None`, or a name it does not have: the first in its order.
    pub chat_provider: Option<Arc<str>>,
    /// The system prompt for the language model.
    pub instructions: String,
    /// Said first; empty: the caller speaks first.
    pub greeting: String,
    /// Said one after the other into the caller's silence; after the last one the call ends.
    pub silence_prompts: Vec<String>,
    /// Said before the agent ends the call by itself.
    pub goodbye: String,
    /// Said when a provider fails.
    pub fallback: String,
    /// Said when nobody could be reached to give the caller to.
    pub transfer_failed: String,
    /// Silence after which a silence prompt is said.
    pub silence_after: Duration,
    /// Silence that ends the caller's turn.
    pub endpointing: Endpointing,
    /// Work done ahead while the caller pauses.
    pub speculation: SpeculationSettings,
    pub interruptible: Interruptible,
    /// Longest time the caller may talk with the agent, which says goodbye then; time with somebody else does not count.
    pub max_call: Duration,
    /// The call ends then whoever the caller talks with: what its credits pay for. `None`: nobody counts.
    pub paid_for: Option<Duration>,
    /// The call ends when no RTP came for so long.
    pub rtp_timeout: Duration,
    /// Noise is taken out of the caller's speech before it is listened to; what is recorded keeps it.
    pub noise_suppression: bool,
    /// Answers that need no model, the first that fits.
    pub replies: Vec<Reply>,
    /// Sentences that are said often are synthesised once, for all calls.
    pub keep_voice: bool,
    /// Tools of services outside, beside what every call can do.
    pub tools: Vec<Arc<Tool>>,
    /// Servers that have more of them.
    pub mcp: Arc<[Arc<McpServer>]>,
    /// Whom the agent may put callers through to; nobody: it cannot.
    pub transfer_to: Vec<TransferTarget>,
    /// The call ends when, on hold, neither RTP nor RTCP came for so long.
    pub hold_timeout: Duration,
}

// === impl SpeechLimits ===

impl Default for SpeechLimits {
    fn default() -> Self {
        Self { answer_within: Duration::from_millis(2600), give_up_after: Duration::from_secs(120) }
    }
}

// === impl AgentSettings ===

impl AgentSettings {
    /// Silence that ends a turn of which no words are known.
    pub fn wait_for_unknown_words(&self) -> Duration {
        if self.speculation.per_turn == 0 { self.endpointing.finished } else { self.endpointing.unknown }
    }
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            name: "agent".to_owned(),
            pipeline: Pipeline::default(),
            voice: None,
            chat_provider: None,
            instructions: String::new(),
            greeting: String::new(),
            silence_prompts: Vec::new(),
            goodbye: "Goodbye.".to_owned(),
            fallback: "Sorry, something went wrong on our side. Could you say that again?".to_owned(),
            transfer_failed: "I am sorry, I could not reach anybody.".to_owned(),
            silence_after: Duration::from_secs(8),
            endpointing: Endpointing::after(Duration::from_millis(600)),
            speculation: SpeculationSettings::default(),
            interruptible: Interruptible::default(),
            max_call: Duration::from_secs(300),
            paid_for: None,
            rtp_timeout: Duration::from_secs(15),
            noise_suppression: false,
            replies: Vec::new(),
            keep_voice: true,
            tools: Vec::new(),
            mcp: Arc::default(),
            transfer_to: Vec::new(),
            hold_timeout: Duration::from_secs(180),
        }
    }
}
