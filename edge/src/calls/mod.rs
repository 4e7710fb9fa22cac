//! Calls: their facts from the engine, their state, their sockets for clients without a phone.
//! Audio passes through here only for `/ws/call-session`; it is worked on by an engine node.

pub mod call_id;
mod carry_out;
mod control;
mod delivery;
pub mod effects;
mod listing;
pub mod margins;
mod object;
mod relay;
mod retention;
pub mod sequence;
pub mod session;
pub mod state;
mod store;
mod tick;
pub mod verbs;

use crate::http::routes::RouteId;
use crate::http::{Answer, ApiError, Call};

pub async fn serve(id: RouteId, call: Call) -> Answer {
    match id {
        RouteId::Events => delivery::serve(&call).await,
        RouteId::Calls => listing::list(&call).await,
        RouteId::Call => listing::read(&call).await,
        RouteId::AdminCalls => margins::list(&call).await,
        RouteId::CallHangUp => control::hang_up(&call).await,
        RouteId::CallPress => control::press(&call).await,
        RouteId::CallTokenCreate => control::token(&call).await,
        RouteId::CallSession => control::session(&call).await,
        _ => Err(ApiError::not_found("there is nothing here")),
    }
}
