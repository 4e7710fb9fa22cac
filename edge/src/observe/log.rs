//! The log: one JSON object a line, with the ids that tie lines together (`call_id`, `request_id`, `job_id`).
//! Where it goes is the platform's.

use serde_json::{Map, Value};

/// Writes a line. Facts without a value are left out.
pub fn log(level: &str, message: &str, facts: &[(&str, &str)]) {
    let line = line(level, message, facts);
    match level {
        "error" => worker::console_error!("{line}"),
        "warning" => worker::console_warn!("{line}"),
        _ => worker::console_log!("{line}"),
    }
}

fn line(level: &str, message: &str, facts: &[(&str, &str)]) -> String {
    let facts = facts.iter().filter(|(_, value)| !value.is_empty());
    let mut line: Map<String, Value> = facts.map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), message.into());
    Value::Object(line).to_string()
}
