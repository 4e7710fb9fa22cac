//! What is put in for a variable, and what is left alone.
//! Nothing here runs outside tests.

use super::*;
use proptest::prelude::*;

fn variables() -> Variables {
    let headers = [("X-Campaign", "spring"), ("X-Campaign", "autumn"), ("User-to-User", "56;encoding=hex")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Variables::of_call("sip:+1-555-0100@carrier.example", "sip:agent@127.0.0.1", &headers)
}

#[test]
fn variables_are_filled_in_whatever_their_case_and_spaces() {
    let cases = [
        ("You talk with {{caller}}.", "You talk with +15550100."),
        ("{{ Called }} {{header.x-campaign}}", "agent spring"),
        ("{{header.User-to-User}}", "56;encoding=hex"),
        ("[{{nothing}}]", "[]"),
        ("{{ open", "{{ open"),
        ("{{a}}{{", "{{"),
        ("no variable", "no variable"),
    ];
    for (text, filled) in cases {
        assert_eq!(variables().filled(text), filled, "{text}");
    }
}

#[test]
fn a_value_from_outside_is_one_short_line_and_no_text_of_its_own() {
    let mut known = variables();
    known.set("name", &format!("a\nb {{{{caller}}}} {}", "x".repeat(1000)));
    let filled = known.filled("{{name}}");
    assert!(filled.starts_with("a b {{caller}} x"), "a value is not filled in again: {filled}");
    assert_eq!(filled.chars().count(), 300);
}

#[test]
fn an_agent_without_variables_stays_the_same_one() {
    let agent = Arc::new(AgentSettings::default());
    assert!(Arc::ptr_eq(&variables().fill_in(&agent), &agent));
    let asks = Arc::new(AgentSettings { greeting: "Hello {{caller}}.".to_owned(), ..AgentSettings::default() });
    assert_eq!(variables().fill_in(&asks).greeting, "Hello +15550100.");
}

proptest! {
    #[test]
    fn any_text_is_filled_in_without_a_panic(text in "[{}a-c .ä]{0,40}") {
        variables().filled(&text);
    }
}
