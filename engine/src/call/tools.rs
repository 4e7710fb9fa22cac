//! The functions every agent can call, and what the model is told about them.
//! What they do is the conversation's business.

use serde_json::json;

use super::chat::ToolDefinition;

pub const HANG_UP: &str = "hang_up";

/// What a call can do by itself.
pub fn built_in() -> Vec<ToolDefinition> {
    vec![ToolDefinition {
        name: HANG_UP.to_owned(),
        description: "Ends the phone call. Call it after you have said goodbye, in the same answer.".to_owned(),
        parameters: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
    }]
}
