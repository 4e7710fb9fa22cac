//! What a call starts from: what signalling knows of it, whose it is, its media and its agent.
//! How these came about (an INVITE, an API, a WebSocket) is not known here.

use std::sync::Arc;

use edge_protocol::{CallerIdentity, Direction, EventKind};

use super::media::MediaSetup;
use super::settings::{AgentSettings, SpeechLimits};
use crate::audio::codec::Codec;

/// Everything a call starts from.
#[derive(Debug, Clone)]
pub struct CallSetup {
    /// Tandem's id of the call (UUIDv7).
    pub call_id: String,
    /// Wall-clock time of the start, milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    pub facts: CallFacts,
    pub media: MediaSetup,
    pub agent: Arc<AgentSettings>,
    pub limits: SpeechLimits,
    /// What a minute of the line costs, from its answer on, microcredits.
    pub minute_microcredits: u64,
}

/// What signalling knows of a call; it goes into `CallStarted` unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFacts {
    pub direction: Direction,
    pub from: String,
    pub to: String,
    /// SIP `Call-ID`; empty for a call that came without SIP.
    pub sip_call_id: String,
    pub node: String,
    pub headers: Vec<(String, String)>,
    /// Who the call is answered for; `None` without an edge.
    pub tenant: Option<Tenant>,
    /// Who vouches for the caller's number; `None` where that is not verified.
    pub identity: Option<CallerIdentity>,
}

/// The account and the business profile a call was admitted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub account_id: String,
    pub profile_id: String,
}

// === impl CallFacts ===

impl CallFacts {
    /// The first event of a call in `codec`, answered by the agent of that name.
    pub fn into_started(self, codec: Codec, agent: String) -> EventKind {
        let (account_id, profile_id) = self.tenant.map(|tenant| (tenant.account_id, tenant.profile_id)).unzip();
        EventKind::CallStarted {
            direction: self.direction,
            from: self.from,
            to: self.to,
            sip_call_id: self.sip_call_id,
            codec: codec.name().to_owned(),
            agent,
            node: self.node,
            headers: self.headers,
            account_id,
            profile_id,
            identity: self.identity.map(Box::new),
        }
    }
}
