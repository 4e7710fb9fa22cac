//! How it is known that Twilio is asking for a WebSocket.
//! What is said on it is `node::websocket`'s.

use serde::{Deserialize, Serialize};

use super::{ApiKey, ConfigError};

/// The account whose Media Streams come to this node. Without a token they are taken as other clients are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwilioConfig {
    /// The account's auth token: streams from elsewhere must be signed with it.
    pub auth_token: ApiKey,
    /// The `wss://` URL of `<Stream>`, where it does not end in the host and path that reach the node.
    pub url: String,
}

impl TwilioConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let usable = self.url.is_empty() || (self.url.starts_with("wss://") && !self.url.contains('?'));
        if usable { Ok(()) } else { Err(ConfigError::TwilioUrl(self.url.clone())) }
    }
}
