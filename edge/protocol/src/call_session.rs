//! `/ws/call-session`: a conversation for clients that can only reach the Worker. JSON text messages, both ways.
//! The field names are the clients', in camel case. Audio is base64 of µ-law (G.711) at 8000 Hz.

use serde::{Deserialize, Serialize};

/// Longest session unless configured otherwise, seconds.
pub const MAX_SESSION_S: u32 = 300;

/// Client to edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    #[serde(rename_all = "camelCase")]
    StartCall {
        call_id: String,
        user_id: String,
        #[serde(default)]
        metadata: CallMetadata,
    },
    #[serde(rename_all = "camelCase")]
    Audio {
        /// Base64.
        data: String,
        format: AudioFormat,
        /// Hz; 8000.
        sample_rate: u32,
    },
    EndCall,
    /// Heartbeat; answered by `pong`.
    Ping,
}

/// What the client knows of the call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallMetadata {
    /// Dialled number: chooses the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioFormat {
    Mulaw,
}

/// Edge to client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// What the agent says: audio as it is to be played, with the text that begins to be heard in it or "".
    AudioResponse {
        /// Base64.
        audio: String,
        text: String,
    },
    Status {
        status: SessionStatus,
        message: String,
    },
    Error {
        code: SessionError,
        message: String,
    },
    /// Answer to `ping`, and sent unasked every 20 s.
    Pong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// The caller's words are being worked on.
    Processing,
    /// The agent listens.
    Ready,
    /// The session is over for a reason of ours.
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionError {
    RateLimit,
    Timeout,
    InternalError,
}
