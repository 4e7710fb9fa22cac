//! Profiles as people write them, good and bad, and the agents they become.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(profile: Value) -> Result<Profile, String> {
    Profile::read(profile.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_name_is_enough() {
    let profile = read(json!({"name": "Shop"})).unwrap();
    assert_eq!((profile.max_call_s, profile.endpointing_ms, profile.record), (300, 600, true));
    assert_eq!(profile.opening(0), Opening::Open);
    let agent = profile.agent(Opening::Open);
    assert_eq!(
        (agent.instructions.as_str(), agent.pipeline, agent.keep_voice),
        ("", Some(Pipeline::Stages), Some(true))
    );
}

#[test]
fn the_first_profile_is_a_good_one() {
    assert_eq!(Profile::first("Blue Door Books").check(), Ok(()));
}

#[test]
fn what_is_wrong_is_named() {
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    let run = |url: &str, timeout_ms: u32| json!({"type": "function", "function": {"name": "f"}, "url": url, "timeout_ms": timeout_ms});
    for (profile, said) in [
        (json!({}), "missing field `name`"),
        (json!({"name": "  "}), "name: must not be empty"),
        (json!({"name": "x".repeat(81)}), "name: 81 characters; at most 80"),
        (json!({"name": "x", "colour": "blue"}), "unknown field `colour`"),
        (json!({"name": "x", "prompt": "y".repeat(16_001)}), "prompt: 16001 characters; at most 16000"),
        (json!({"name": "x", "goodbye": ""}), "goodbye: must not be empty"),
        (json!({"name": "x", "endpointing_ms": 99}), "endpointing_ms: 99; must be 100 to 5000"),
        (json!({"name": "x", "silence_after_ms": 120_001}), "silence_after_ms: 120001; must be 1000 to 120000"),
        (json!({"name": "x", "max_call_s": 9}), "max_call_s: 9; must be 10 to 86400"),
        (json!({"name": "x", "max_call_s": -1}), "invalid value"),
        (json!({"name": "x", "silence_prompts": vec!["a"; 9]}), "silence_prompts: 9 of them; at most 8"),
        (json!({"name": "x", "silence_prompts": ["a", ""]}), "silence_prompts[1]: must not be empty"),
        (json!({"name": "x", "pipeline": "telepathy"}), "unknown variant `telepathy`"),
        (json!({"name": "x", "replies": [{"questions": [], "text": "y"}]}), "replies[0].questions: must not be empty"),
        (
            json!({"name": "x", "replies": [{"questions": ["* ?"], "text": "y"}]}),
            "replies[0].questions[0]: `* ?` has no",
        ),
        (json!({"name": "x", "replies": [{"questions": ["a"], "text": ""}]}), "replies[0].text: must not be empty"),
        (json!({"name": "x", "chat_provider": " "}), "chat_provider: must not be empty"),
        (json!({"name": "x", "tools": vec![function("f"); 33]}), "tools: 33 of them; at most 32"),
        (json!({"name": "x", "tools": [{}]}), "tools[0]: `type` must be \"function\""),
        (json!({"name": "x", "tools": [function("two words")]}), "tools[0]: `function.name` `two words`"),
        (
            json!({"name": "x", "tools": [run("http://shop.example/", 8_000)]}),
            "tools[0]: `url`: a webhook goes to https",
        ),
        (json!({"name": "x", "tools": [run("https://10.0.0.1/", 8_000)]}), "\"10.0.0.1\" is not a public address"),
        (json!({"name": "x", "tools": [run("https://shop.example/", 50)]}), "`timeout_ms` 50 must be 100 to 20000"),
        (json!({"name": "x", "hours": {"time_zone": "Mars/Base"}}), "hours.time_zone: `Mars/Base`"),
        (json!({"name": "x", "hours": {"time_zone": "UTC", "friday": ["9"]}}), "hours.friday: `9`"),
        (
            json!({"name": "x", "hours": {"time_zone": "UTC", "outside": {"then": "greet", "greeting": ""}}}),
            "hours.outside.greeting: must not be empty",
        ),
    ] {
        let error = read(profile).unwrap_err();
        assert!(error.contains(said), "`{error}` does not say `{said}`");
    }
}

#[test]
fn the_agent_is_told_persona_prompt_and_hours_and_greets_as_the_hours_say() {
    let profile = read(json!({
        "name": "Shop", "persona": "You are Ann.\n", "prompt": "Be brief.", "greeting": "Hello!",
        "hours": {"time_zone": "UTC", "thursday": ["00:00-01:00"], "outside": {"then": "greet", "greeting": "Closed."}},
    }))
    .unwrap();
    // The epoch began on a Thursday.
    assert_eq!(profile.opening(0), Opening::Open);
    let open = profile.agent(Opening::Open);
    assert!(open.instructions.starts_with("You are Ann.\n\nBe brief.\n\nOpening hours (UTC): Monday closed"));
    assert_eq!(open.greeting, "Hello!");
    let opening = profile.opening(3_600_000);
    assert_eq!(opening, Opening::ClosedWithGreeting);
    let closed = profile.agent(opening);
    assert_eq!(closed.greeting, "Closed.");
    assert!(closed.instructions.ends_with("The business is closed now; say so when it matters."));

    let shut = read(json!({"name": "Shop", "hours": {"time_zone": "UTC"}})).unwrap();
    assert_eq!(shut.opening(0), Opening::Closed);
}

#[test]
fn a_profile_survives_being_stored() {
    let profile = Profile::first("Shop");
    assert_eq!(read(serde_json::to_value(&profile).unwrap()), Ok(profile));
}

proptest! {
    #[test]
    fn no_json_harms(json in "\\PC{0,200}") {
        let _ = Profile::read(json.as_bytes());
    }
}
