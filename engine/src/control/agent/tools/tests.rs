//! Tools as they are written in an agent file or a profile, and what is wrong with some.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use super::*;
use crate::control::AgentProfile;

fn parse(tools: &str) -> Result<AgentProfile, String> {
    let text = format!("name = \"A\"\ninstructions = \"Be kind.\"\n{tools}");
    AgentProfile::parse(&text, Path::new("a.toml")).map_err(|error| error.to_string())
}

#[test]
fn an_agent_file_names_webhooks_servers_and_whom_to_put_through_to() {
    let agent = parse(
        r#"
        transfer_to = { sales = "+4930123" }
        [[tools]]
        name = "find_order"
        description = "Finds an order by its number."
        parameters = { type = "object", properties = { order = { type = "integer" } }, required = ["order"] }
        url = "http://127.0.0.1:9/orders"
        secret = "s3cret"
        timeout_ms = 3000
        filler = "Let me look."
        [[mcp]]
        name = "crm"
        url = "https://crm.example/mcp"
        "#,
    );
    let agent = agent.unwrap();
    let settings = &agent.settings;
    let tool = &settings.tools[0];
    assert_eq!(tool.definition.parameters["properties"]["order"]["type"], "integer");
    assert_eq!((tool.timeout, tool.filler.as_str()), (Duration::from_secs(3), "Let me look."));
    let secret = Some(ToolSecret("s3cret".to_owned()));
    let url = "http://127.0.0.1:9/orders".to_owned();
    assert_eq!(tool.service, ToolService::Webhook { url, secret, reach: Reach::Anywhere });
    assert_eq!((settings.mcp[0].name.as_str(), settings.mcp[0].token.as_ref()), ("crm", None));
    assert_eq!(settings.transfer_to[0], TransferTarget { name: "sales".to_owned(), to: "+4930123".to_owned() });
    assert!(agent.fixed_texts().contains(&"Let me look.".to_owned()), "a filler is ready before it is needed");
}

#[test]
fn a_tool_that_cannot_work_is_refused_with_its_value() {
    let tool = |rest: &str| format!("[[tools]]\n{rest}");
    for (tools, complaint) in [
        (tool("name = \"two words\"\nurl = \"http://h/\""), "tools.name = \"two words\""),
        (tool("name = \"hang_up\"\nurl = \"http://h/\""), "is a tool that every call has"),
        (tool("name = \"a\"\nurl = \"ftp://h/\""), "tools.url = \"ftp://h/\""),
        (tool("name = \"a\"\nurl = \"http://h/\"\ntimeout_ms = 50"), "tools.timeout_ms = 50"),
        (tool("name = \"a\"\nurl = \"http://h/\"\nparameters = { type = \"string\" }"), "must be a JSON Schema"),
        (tool("name = \"a\"\nurl = \"http://h/\"\nsecrt = \"x\""), "unknown field `secrt`"),
        (tool("name = \"a\"\nurl = \"http://h/\"\n").repeat(2), "is there twice"),
        ("[[mcp]]\nname = \"\"\nurl = \"http://h/\"".to_owned(), "mcp.name = \"\""),
        ("transfer_to = { sales = \"\" }".to_owned(), "transfer_to"),
    ] {
        let error = parse(&tools).unwrap_err();
        assert!(error.contains(complaint), "{tools}: {error}");
    }
}

#[test]
fn of_a_profile_those_with_a_url_are_run_and_reach_the_public_internet_only() {
    let function = |name: &str| json!({ "name": name, "parameters": { "type": "object" } });
    let tools = vec![
        json!({ "type": "function", "function": function("kept") }),
        json!({ "type": "function", "function": function("run"), "url": "https://shop.example/t", "secret": "x" }),
        json!({ "type": "function", "function": function("run"), "url": "https://shop.example/t" }),
        json!({ "type": "function", "function": function("hang_up"), "url": "https://shop.example/t" }),
        json!({ "type": "function", "url": "https://shop.example/t" }),
    ];
    let found = of_profile(tools, "p");
    assert_eq!(found.len(), 1);
    assert!(matches!(found[0].service, ToolService::Webhook { reach: Reach::PublicInternet, .. }));
    assert_eq!(found[0].filler, "One moment, please.");
}
