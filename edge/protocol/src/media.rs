//! `/ws/tandem` of a node: one call over a WebSocket, JSON text messages. The Worker relays clients' audio here;
//! anybody who may reach a node can use it too. Audio is base64 of µ-law (G.711) at 8000 Hz, any length up to 1 s.

use serde::{Deserialize, Serialize};

use crate::EndCause;
use crate::admission::Acceptance;

/// Client to node. The first message is `start`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToNode {
    Start {
        /// Format version, [`crate::VERSION`].
        v: u32,
        /// Id of the call (UUIDv7); `None`: the node makes one.
        call_id: Option<String>,
        /// Who calls: a number, a URI or a user id.
        from: String,
        /// The dialled number, or "".
        to: String,
        /// What admission decided, when the edge relays; `None`: the node asks its own control plane.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admitted: Option<Box<Acceptance>>,
    },
    Audio {
        data: String,
    },
    /// A key pressed: `0`-`9`, `*`, `#`, `A`-`D`.
    Dtmf {
        digit: char,
    },
    /// The caller is gone.
    Hangup,
}

/// Node to client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromNode {
    /// The call lives; audio may be sent.
    Started { call_id: String },
    /// 20 ms of the agent's line, in real time. Silence is not sent.
    Audio { data: String },
    /// What the agent begins to say.
    AgentText { text: String },
    /// The caller's words are known.
    CallerText { text: String },
    /// The caller's turn is over and is being worked on.
    Thinking,
    /// The caller cut in: whatever was sent and is not played yet is to be dropped.
    Flush,
    /// The call is over. The socket closes after it.
    Ended { cause: EndCause },
    /// What was sent could not be used; the call goes on unless `ended` follows.
    Error { message: String },
}
