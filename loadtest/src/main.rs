//! The `loadtest` command: reads its arguments and turns an outcome into an exit code.
//! Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use loadtest::cli::Cli;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Cli::parse().run().await {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}
