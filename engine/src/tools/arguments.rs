//! Whether what a model calls a tool with is what the tool takes, by its JSON Schema.
//! What the call itself can do is checked in `call::tools`.

use serde_json::Value;

use super::bounded;
use crate::call::ToolDefinition;

/// Faults a model is told of at once.
const MOST_FAULTS: usize = 5;

/// Checks `arguments`, a JSON object, by the tool's parameters. A schema that is none says nothing about them.
///
/// # Errors
/// What does not fit, as the model is told.
pub fn check(tool: &ToolDefinition, arguments: &str) -> Result<(), String> {
    let arguments: Value = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
    let schema = match jsonschema::validator_for(&tool.parameters) {
        Ok(schema) => schema,
        Err(error) => {
            tracing::warn!(tool = tool.name, %error, "a tool's parameters are no JSON Schema; its arguments go unchecked");
            return Ok(());
        }
    };
    let faults = schema.iter_errors(&arguments).take(MOST_FAULTS);
    let faults: Vec<String> = faults
        .map(|fault| match fault.instance_path().as_str() {
            "" => fault.to_string(),
            at => format!("{at}: {fault}"),
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(bounded(format!("the arguments do not fit: {}", faults.join("; ")))) }
}

#[cfg(test)]
mod tests;
