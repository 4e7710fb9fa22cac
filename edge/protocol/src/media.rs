//! `/ws/tandem` of a node: one call over a WebSocket, JSON text messages. The Worker relays clients' audio here;
//! anybody who may reach a node can use it too. Audio is base64 of µ-law (G.711) at 8000 Hz, any length up to 1 s.
//!
//! An upgrade is signed over its path and query ([`crate::signature`]), and a signature opens one socket only: a query
//! such as `?call_id=…` keeps two of the same millisecond apart. Messages take at most 64 KiB.

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
        /// Id of the call, a UUID no call had before; `None`: the node makes one (UUIDv7).
        call_id: Option<String>,
        /// Who calls: a number, a URI or a user id.
        from: String,
        /// The dialled number, or "".
        to: String,
        /// What admission decided, when the edge relays: taken only from whoever signs the upgrade
        /// ([`crate::signature`]). `None`: the node asks its own control plane.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admitted: Option<Box<Acceptance>>,
        /// The client gives the caller to somebody else when `transfer` tells it to. Without it agents cannot transfer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        transfers: bool,
    },
    /// In real time, in messages of any length up to 1 s. At most 2 s wait to be heard; beyond it the oldest is
    /// dropped. A caller that sends nothing for the agent's `rtp_timeout_s` is given up.
    Audio { data: String },
    /// A key pressed: `0`-`9`, `*`, `#`, `A`-`D`.
    Dtmf { digit: char },
    /// The caller is gone.
    Hangup,
}

/// Node to client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromNode {
    /// The call lives; audio may be sent.
    Started { call_id: String },
    /// 20 ms of the agent's line, in real time, while the agent speaks (its pauses are sent) and for 200 ms after.
    /// Other silence is not sent.
    Audio { data: String },
    /// The sentence the agent begins to say; the audio after it is that of the sentence.
    AgentText { text: String },
    /// The caller's words are known.
    CallerText { text: String },
    /// The caller's turn is over and is being worked on. What was only a noise gets no `caller_text` and no answer.
    Thinking,
    /// The caller cut in: whatever was sent and is not played yet is to be dropped.
    Flush,
    /// The caller is to be given to somebody else, which is the client's to do; `ended` follows. Only to a client that
    /// said so in `start`.
    Transfer {
        /// A number or a SIP URI.
        to: String,
        /// For whoever takes the caller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The call is over. The socket closes after it.
    Ended { cause: EndCause },
    /// What was sent could not be used; the call goes on unless `ended` follows.
    Error { message: String },
}
