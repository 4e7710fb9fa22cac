//! One call: its events applied once and in order, its state, its socket.
//! Its rules are beside it, without `worker`.

use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::http::ApiError;
use crate::objects;

#[durable_object]
pub struct CallSession {
    _state: State,
    _env: Env,
}

impl DurableObject for CallSession {
    fn new(state: State, env: Env) -> Self {
        Self { _state: state, _env: env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        objects::answer::<()>(Err(ApiError::not_found(objects::verb(&request))))
    }
}
