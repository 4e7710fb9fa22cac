//! `POST /v1/engine/events`: a batch is taken apart by call, each call's object takes its own.
//! Which events are applied is theirs to say.

use std::collections::BTreeMap;

use edge_protocol::delivery::{BatchReceipt, CallReceipt, EventBatch, MAX_BATCH_EVENTS};
use edge_protocol::{CallEvent, VERSION};
use futures::{StreamExt, stream};
use worker::Env;

use super::call_id;
use super::verbs::{ApplyAnswer, ApplyQuestion};
use crate::http::{Answer, ApiError, Call, ok};
use crate::objects;

/// Objects asked at the same time.
const AT_ONCE: usize = 50;

/// # Errors
/// A batch that cannot be understood; nothing of it is applied.
pub async fn serve(call: &Call) -> Answer {
    let batch: EventBatch = call.json()?;
    check(&batch)?;
    let mut calls: BTreeMap<String, Vec<CallEvent>> = BTreeMap::new();
    for event in batch.events {
        calls.entry(event.call_id.clone()).or_default().push(event);
    }
    let node = batch.node.as_str();
    let receipts = stream::iter(calls)
        .map(|(call_id, events)| apply(&call.env, node, call_id, events))
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    ok(&BatchReceipt { receipts })
}

fn check(batch: &EventBatch) -> Result<(), ApiError> {
    let strange = batch.events.iter().map(|event| event.v).chain([batch.v]).find(|version| *version != VERSION);
    if let Some(version) = strange {
        return Err(ApiError::bad_request(format!("version {version} is not understood, {VERSION} is")));
    }
    if batch.events.len() > MAX_BATCH_EVENTS {
        return Err(ApiError::bad_request(format!("at most {MAX_BATCH_EVENTS} events in a batch")));
    }
    if let Some(event) = batch.events.iter().find(|event| !call_id::is_plausible(&event.call_id)) {
        return Err(ApiError::bad_request(format!("call_id {:?} is none", event.call_id)));
    }
    Ok(())
}

/// One call that fails does not hold up the others: its events come again.
async fn apply(env: &Env, node: &str, call_id: String, events: Vec<CallEvent>) -> CallReceipt {
    // What is not known is not told: 0 acknowledges nothing.
    let question = ApplyQuestion { node: node.to_owned(), events };
    match objects::ask::<_, ApplyAnswer>(env, "CALL_SESSIONS", &call_id, "apply", &question).await {
        Ok(ApplyAnswer { next_seq }) => CallReceipt { call_id, next_seq, error: None },
        Err(error) => {
            worker::console_warn!("call {call_id}: events not applied: {}", error.message);
            CallReceipt { call_id, next_seq: 0, error: Some(error.message) }
        }
    }
}
