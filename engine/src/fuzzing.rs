//! What reads bytes from outside and is private otherwise, for fuzz targets to reach: built only with `--cfg fuzzing`.
//! Not here: the targets (`fuzz/`), and what is public anyway.

use std::path::Path;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};

use crate::config::Config;
use crate::control::AgentProfile;
use crate::node::info_key::key_in;
use crate::node::websocket::read_by_all;
use crate::speech::offline::AgentFile;

/// A text message of a client that calls over a WebSocket, or the body of a SIP INFO.
pub fn client_message(text: &str) {
    read_by_all(text);
    let _ = key_in("application/dtmf-relay", text.as_bytes());
    let _ = key_in("application/dtmf", text.as_bytes());
}

/// The text of a `tandem.toml`.
pub fn settings(text: &str) {
    let read = Figment::from(Serialized::defaults(Config::default())).merge(Toml::string(text)).extract::<Config>();
    let _ = read.map(Config::check);
}

/// The text of an agent file.
pub fn agent(text: &str) {
    let _ = AgentProfile::parse(text, Path::new("agent.toml"));
    let _ = AgentFile::parse(text, Path::new("agent.toml"));
}
