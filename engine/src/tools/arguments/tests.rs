//! What models write, and what they are told about it.
//! Nothing here runs outside tests.

use serde_json::json;

use super::*;

fn check_by(parameters: Value, arguments: &Value) -> Result<(), String> {
    let tool = ToolDefinition { name: "find_order".to_owned(), description: String::new(), parameters };
    check(&tool, &arguments.to_string())
}

fn order() -> Value {
    json!({
        "type": "object",
        "properties": { "order": { "type": "integer", "minimum": 1 }, "color": { "enum": ["red", "blue"] } },
        "required": ["order"],
        "additionalProperties": false,
    })
}

#[test]
fn what_fits_passes() {
    for arguments in [json!({ "order": 7 }), json!({ "order": 7, "color": "red" })] {
        assert_eq!(check_by(order(), &arguments), Ok(()));
    }
    assert_eq!(check_by(json!({ "type": "object", "properties": {} }), &json!({ "anything": [1] })), Ok(()));
}

#[test]
fn the_model_is_told_what_does_not_fit_and_where() {
    let said = |arguments: Value| check_by(order(), &arguments).unwrap_err();
    for (arguments, tells) in [
        (json!({}), "\"order\" is a required property"),
        (json!({ "order": "seven" }), "/order: \"seven\" is not of type \"integer\""),
        (json!({ "order": 0 }), "/order: 0 is less than the minimum of 1"),
        (json!({ "order": 1, "colour": "red" }), "'colour'"),
    ] {
        let error = said(arguments);
        assert!(error.starts_with("the arguments do not fit: ") && error.contains(tells), "{error}");
    }
    let both = said(json!({ "order": "seven", "color": "green" }));
    assert!(both.contains("/order: ") && both.contains("/color: "), "{both}");
}

#[test]
fn a_schema_that_is_none_or_lies_elsewhere_checks_nothing() {
    for parameters in [json!({ "type": "order" }), json!({ "$ref": "https://shop.example/order.json" })] {
        assert_eq!(check_by(parameters, &json!({ "order": "seven" })), Ok(()));
    }
}
