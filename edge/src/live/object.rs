//! One account's dashboards: sockets that hibernate, and what they are told.
//! Its rules are beside it, without `worker`.

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::http::ApiError;
use crate::objects;

#[durable_object]
pub struct LiveFeed {
    _state: State,
    _env: Env,
}

impl DurableObject for LiveFeed {
    fn new(state: State, env: Env) -> Self {
        Self { _state: state, _env: env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        objects::answer::<()>(Err(ApiError::not_found(objects::verb(&request))))
    }
}
