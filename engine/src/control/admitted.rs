//! A call that may be answered: its agent, its owner, whether it is recorded; made from what the edge says.
//! Values of the edge are brought into the ranges a call can live with; what they mean is the call's business.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::accounts::{self, FixedReply};
use edge_protocol::admission::Acceptance;
use thiserror::Error;

use super::agent::of_profile;
use crate::call::{AgentSettings, Endpointing, Pipeline, Reply, Tenant};

/// Ranges an agent's settings are kept in, whoever sets them.
pub(super) const MAX_CALL_S: RangeInclusive<u32> = 1..=24 * 3600;
pub(super) const SILENCE_AFTER_MS: RangeInclusive<u32> = 1000..=120_000;
pub(super) const ENDPOINTING_MS: RangeInclusive<u32> = 100..=5000;
pub(super) const RTP_TIMEOUT_S: RangeInclusive<u32> = 2..=3600;
pub(super) const HOLD_TIMEOUT_S: RangeInclusive<u32> = 2..=24 * 3600;

/// Everything a call needs to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    pub agent: Arc<AgentSettings>,
    /// Who the call is answered for; `None` without an edge.
    pub tenant: Option<Tenant>,
    /// Record it, if the node records at all.
    pub record: bool,
    /// No agent answers: the call is put through to there.
    pub route: Option<Route>,
}

/// Where a call goes that no agent answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// A SIP URI or a number.
    pub to: String,
    /// Name of a trunk; `None`: the usual way.
    pub trunk: Option<String>,
}

/// Why an acceptance cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadAcceptance {
    #[error("the acceptance names no {0}")]
    Missing(&'static str),
    #[error("the acceptance allows no time: max_call_s = 0")]
    NoTime,
}

// === impl Admitted ===

impl TryFrom<Acceptance> for Admitted {
    type Error = BadAcceptance;

    /// What the edge said, as a call lives by it. Times out of range are brought into it and logged; texts that must
    /// be there and are not are the engine's own.
    fn try_from(acceptance: Acceptance) -> Result<Self, BadAcceptance> {
        let Acceptance { account_id, profile_id, agent, max_call_s, record } = acceptance;
        for (name, id) in [("account_id", &account_id), ("profile_id", &profile_id)] {
            if id.is_empty() {
                return Err(BadAcceptance::Missing(name));
            }
        }
        if max_call_s == 0 {
            return Err(BadAcceptance::NoTime);
        }
        let seconds = |value: u32| Duration::from_secs(value.into());
        let millis = |value: u32| Duration::from_millis(value.into());
        let own = AgentSettings::default();
        let max_call = seconds(in_range("max_call_s", max_call_s, &MAX_CALL_S, &profile_id));
        let settings = AgentSettings {
            max_call,
            // Credits are held for no longer than that.
            paid_for: Some(max_call),
            silence_after: millis(in_range("silence_after_ms", agent.silence_after_ms, &SILENCE_AFTER_MS, &profile_id)),
            endpointing: Endpointing::after(millis(in_range(
                "endpointing_ms",
                agent.endpointing_ms,
                &ENDPOINTING_MS,
                &profile_id,
            ))),
            speculation: own.speculation,
            interruptible: own.interruptible,
            rtp_timeout: seconds(in_range("rtp_timeout_s", agent.rtp_timeout_s, &RTP_TIMEOUT_S, &profile_id)),
            hold_timeout: own.hold_timeout,
            noise_suppression: own.noise_suppression,
            pipeline: match agent.pipeline.unwrap_or_default() {
                accounts::Pipeline::Stages => Pipeline::Stages,
                accounts::Pipeline::Realtime => Pipeline::SpeechToSpeech,
            },
            name: or(agent.name, own.name),
            voice: agent.voice.filter(|voice| !voice.is_empty()).map(Arc::from),
            instructions: agent.instructions,
            greeting: agent.greeting,
            silence_prompts: agent.silence_prompts.into_iter().filter(|text| !text.trim().is_empty()).collect(),
            goodbye: or(agent.goodbye, own.goodbye),
            fallback: or(agent.fallback, own.fallback),
            transfer_failed: own.transfer_failed,
            replies: agent.replies.into_iter().filter_map(|reply| of_profile_reply(reply, &profile_id)).collect(),
            keep_voice: agent.keep_voice.unwrap_or(own.keep_voice),
            chat_provider: agent.chat_provider.filter(|name| !name.is_empty()).map(Arc::from),
            tools: of_profile(agent.tools, &profile_id),
            mcp: own.mcp,
            transfer_to: own.transfer_to,
        };
        Ok(Self { agent: Arc::new(settings), tenant: Some(Tenant { account_id, profile_id }), record, route: None })
    }
}

/// A reply the engine cannot follow is left out, and the rest of the agent works.
fn of_profile_reply(FixedReply { questions, text }: FixedReply, profile_id: &str) -> Option<Reply> {
    Reply::new(&questions, text)
        .inspect_err(|error| tracing::warn!(profile_id, %error, "a reply of the edge cannot be used"))
        .ok()
}

fn in_range(name: &str, value: u32, range: &RangeInclusive<u32>, profile_id: &str) -> u32 {
    let used = value.clamp(*range.start(), *range.end());
    if used != value {
        tracing::warn!(profile_id, name, value, used, "a setting of the edge is out of range");
    }
    used
}

fn or(text: String, own: String) -> String {
    if text.trim().is_empty() { own } else { text }
}

#[cfg(test)]
mod tests;
