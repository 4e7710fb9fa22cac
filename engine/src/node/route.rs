//! A call that no agent answers: whoever it is put through to is called first, and it is answered when they answer.
//! Letting both hear each other is `transfer::join`; which numbers are put through is the control plane's word.

use std::sync::Arc;

use sip_bridge::{IncomingCall, Rejection};

use super::Node;
use super::answer::rejection;
use super::outbound::{Dial, OutboundLeg, Stage, dial};
use super::trunks::Destination;
use crate::control::{Admitted, Route, dialled};
use crate::shard::ShardHandle;

/// The caller could not be put through; `None`: they gave up.
pub struct NotThrough(pub Option<Rejection>);

/// Calls whom the caller is to be put through to, on the caller's shard, until they answer.
///
/// # Errors
/// [`NotThrough`] with the answer that the caller gets.
pub async fn put_through(
    node: &Arc<Node>,
    incoming: &IncomingCall,
    route: &Route,
    admitted: &Admitted,
    shard: &ShardHandle,
) -> Result<OutboundLeg, NotThrough> {
    let no = |code, reason: &str| NotThrough(Some(rejection(code, reason, None)));
    let destination = destination(node, incoming, route).map_err(|error| {
        tracing::error!(%error, "a route leads nowhere");
        no(404, "No route")
    })?;
    let wanted = Dial::party(destination, admitted.agent.clone(), shard.clone());
    let mut party = dial(node, wanted).await.map_err(|error| {
        tracing::warn!(%error, "a caller cannot be put through");
        no(503, "No way out")
    })?;
    loop {
        tokio::select! {
            () = incoming.cancelled() => return Err(NotThrough(None)),
            stage = party.next_stage() => match stage {
                Stage::Dialling => {}
                Stage::Ringing | Stage::Early => ring(incoming).await,
                Stage::Answered => return Ok(party),
                Stage::Gone(status) => return Err(no(status.code.max(400), &status.reason)),
            },
        }
    }
}

async fn ring(incoming: &IncomingCall) {
    if let Err(error) = incoming.ring().await {
        tracing::debug!(%error, "ringing was not sent");
    }
}

/// The caller's own number is shown, in the trunk's domain; headers of the application go along.
fn destination(
    node: &Node,
    incoming: &IncomingCall,
    route: &Route,
) -> Result<Destination, super::trunks::DestinationError> {
    let info = &incoming.info;
    let caller = dialled(&info.from);
    let from = if caller.starts_with(|c: char| c == '+' || c.is_ascii_digit()) { &caller } else { &info.from };
    let mut destination = node.trunks.find(&route.to, Some(from), route.trunk.as_deref())?;
    let is_own = |name: &str| name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-"));
    destination.headers.extend(info.headers.iter().filter(|(name, _)| is_own(name)).cloned());
    Ok(destination)
}
