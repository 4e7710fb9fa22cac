//! One load run by many machines: a coordinator gives each worker its share, starts all at once, and adds up what they
//! counted. What a share of calls does is `fleet`; what the sums mean is `report`.
//!
//! Coordinator and worker speak JSON (`message`) over a WebSocket that the coordinator opens. The connection is the run: when it is gone, a worker ends its calls, and the coordinator calls the worker dead.
//! Histograms travel in HdrHistogram's V2 encoding, so that merged percentiles are exact.

mod job;
mod message;
mod run;
mod worker;

pub use job::{BadJob, Job, JobLine, JobTarget};
pub use message::{Order, Told};
pub use run::{Gathered, NotStarted, Totals, WorkerEnd, run};
pub use worker::{Worker, serve};
