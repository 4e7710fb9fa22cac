//! The other side sends the agent elsewhere (REFER, RFC 3515): the agent calls there, and reports how that goes.
//! The call it came in goes on until the other side ends it, as whoever sends a REFER does.

use std::sync::Arc;

use sip_bridge::{ReferReply, Rejection};
use uuid::Uuid;

use super::Node;
use super::outbound::{Dial, Stage, dial};
use super::trunks::{Destination, DestinationError};
use crate::call::AgentSettings;
use crate::control::dialled;

/// Follows a REFER, or declines it where that is not allowed.
pub async fn follow(node: Arc<Node>, agent: Arc<AgentSettings>, refer_to: String, reply: ReferReply) {
    if !node.config.accept_refer {
        return reply.reject(Rejection::new(603)).await;
    }
    let wanted = match destination(&node, &refer_to) {
        Ok(destination) => Dial {
            call_id: Uuid::now_v7().to_string(),
            destination,
            agent,
            speaks: true,
            record: true,
            tenant: None,
            shard: None,
        },
        Err(error) => {
            tracing::info!(refer_to, %error, "a REFER leads nowhere");
            return reply.reject(Rejection::new(404)).await;
        }
    };
    let Ok(mut reports) = reply.accept().await else { return };
    let mut call = match dial(&node, wanted).await {
        Ok(call) => call,
        Err(error) => {
            tracing::warn!(refer_to, %error, "a REFER cannot be followed");
            return reports.notify(503);
        }
    };
    call.keep();
    loop {
        match call.next_stage().await {
            Stage::Dialling => {}
            Stage::Ringing => reports.notify(180),
            Stage::Early => reports.notify(183),
            Stage::Answered => return reports.notify(200),
            Stage::Gone(status) => return reports.notify(status.code),
        }
    }
}

/// Through the usual trunk, if there is one: whoever may call us is not to have us call any host there is.
fn destination(node: &Node, refer_to: &str) -> Result<Destination, DestinationError> {
    match node.destination(&dialled(refer_to), None, None) {
        Err(DestinationError::NoWayOut) => node.destination(refer_to, None, None),
        found => found,
    }
}
