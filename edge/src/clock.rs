//! The time as handlers read it. Rules take it as an argument instead.

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    worker::Date::now().as_millis()
}
