//! What is done by the clock.
//! Each is idempotent and can be started by an admin too.

use worker::Env;

/// Runs what is due at `cron` (`0 2 * * *`: clean-up).
pub async fn run(_cron: &str, _env: &Env) {}
