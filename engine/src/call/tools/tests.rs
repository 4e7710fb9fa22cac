//! What the model is offered, and what is made of what it calls.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn tool(name: &str) -> Arc<Tool> {
    let definition =
        ToolDefinition { name: name.to_owned(), description: String::new(), parameters: json!({ "type": "object" }) };
    let service = ToolService::Webhook { url: "http://h/".to_owned(), secret: None, reach: Reach::Anywhere };
    Arc::new(Tool { definition, filler: String::new(), timeout: Duration::from_secs(1), service })
}

fn agent() -> AgentSettings {
    AgentSettings { tools: vec![tool("lookup")], ..AgentSettings::default() }
}

/// One that may put callers through.
fn with_sales() -> AgentSettings {
    let sales = TransferTarget { name: "sales".to_owned(), to: "+4930123".to_owned() };
    AgentSettings { transfer_to: vec![sales], ..agent() }
}

fn names(toolbox: &Toolbox) -> Vec<String> {
    toolbox.definitions().iter().map(|tool| tool.name.clone()).collect()
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
}

#[test]
fn a_transfer_is_offered_only_to_whom_the_agent_names() {
    assert_eq!(names(&Toolbox::new(&agent())), ["hang_up", "send_dtmf", "lookup"]);
    let toolbox = Toolbox::new(&with_sales());
    assert_eq!(names(&toolbox), ["hang_up", "send_dtmf", "transfer", "lookup"]);
    assert_eq!(toolbox.definitions()[2].parameters["properties"]["to"]["enum"], json!(["sales"]));
    let to_sales = TransferWish { to: "+4930123".to_owned(), reason: None };
    assert_eq!(toolbox.understand(&call("transfer", r#"{"to":"sales"}"#)), Ok(Action::Transfer(to_sales)));
    let elsewhere = toolbox.understand(&call("transfer", r#"{"to":"+900123"}"#));
    assert_eq!(elsewhere, Err("nobody can be put through to \"+900123\"".to_owned()));
}

#[test]
fn what_makes_no_sense_is_told_to_the_model() {
    let toolbox = Toolbox::new(&agent());
    for (name, arguments, reason) in [
        ("lookup", "{\"order\":", "the arguments are no JSON object"),
        ("lookup", "[1]", "the arguments are no JSON object"),
        ("send_dtmf", "{}", "the arguments do not fit: missing field `keys`"),
        ("send_dtmf", r#"{"keys":"1x"}"#, "'x' is no key"),
        ("order_pizza", "{}", "there is no tool \"order_pizza\""),
        ("transfer", r#"{"to":"sales"}"#, "there is no tool \"transfer\""),
    ] {
        let error = toolbox.understand(&call(name, arguments)).unwrap_err();
        assert!(error.starts_with(reason), "{name} {arguments}: {error}");
    }
    assert_eq!(toolbox.understand(&call("hang_up", "")), Ok(Action::HangUp));
}

#[test]
fn a_servers_tool_whose_name_is_taken_goes_by_the_servers_name_too() {
    let mut toolbox = Toolbox::new(&agent());
    toolbox.add("crm", vec![tool("lookup"), tool("find customer"), tool("hang_up")]);
    toolbox.add("crm", vec![tool("lookup")]);
    let expected = ["hang_up", "send_dtmf", "lookup", "crm_lookup", "find_customer", "crm_hang_up"];
    assert_eq!(names(&toolbox), expected);
    let Ok(Action::Run { tool, .. }) = toolbox.understand(&call("crm_lookup", "{}")) else { panic!("it runs") };
    assert_eq!(tool.definition.name, "lookup", "at the server it has its own name");
}

#[test]
fn a_secret_is_not_shown_by_debug() {
    assert!(!format!("{:?}", ToolSecret("s3cret".to_owned())).contains("s3cret"));
}
