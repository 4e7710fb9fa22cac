//! The Worker at the edge: who may call, what happened, who sees it. A folder a feature, the same shape in each:
//! rules that never name `worker` (tested natively), and a thin layer that does.

pub mod accounts;
pub mod auth;
pub mod cache;
pub mod calls;
mod clock;
pub mod http;
mod id;
pub mod jobs;
pub mod limits;
pub mod live;
pub mod nodes;
mod objects;
pub mod observe;
mod patience;
pub mod recordings;
mod storage;

use worker::{Context, Env, MessageBatch, Request, Response, ScheduleContext, ScheduledEvent, event};

#[event(fetch, respond_with_errors)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    http::serve(request, env, context).await
}

#[event(queue)]
async fn queue(batch: MessageBatch<jobs::Job>, env: Env, _context: Context) -> worker::Result<()> {
    jobs::consume(batch, env).await
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    jobs::cron::run(&event.cron(), &env).await;
}
