//! The engine nodes: their heartbeats, their links, which of them takes the next call.
//! Its rules are beside it, without `worker`.

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::http::ApiError;
use crate::objects;

#[durable_object]
pub struct NodeRegistry {
    _state: State,
    _env: Env,
}

impl DurableObject for NodeRegistry {
    fn new(state: State, env: Env) -> Self {
        Self { _state: state, _env: env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        objects::answer::<()>(Err(ApiError::not_found(objects::verb(&request))))
    }
}
