//! How it feels to talk to an agent, measured in virtual time with recordings of people: how soon the answer is heard,
//! whether a pause is waited out, how the agent yields and to what. Providers are stubs of 100 ms a stage.
//!
//! `cargo nextest run -p engine --test talk --no-capture` prints the figures.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../virtual_call/mod.rs"]
mod virtual_call;

#[path = "../netem/mod.rs"]
mod netem;

mod answers;
mod bad_lines;
mod echo;
mod figures;
mod interruptions;
mod pauses;
mod recordings;
mod scene;
mod sounds;
