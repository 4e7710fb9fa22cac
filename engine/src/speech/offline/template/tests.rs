//! Replies with variables in them.
//! Where the values come from is `script`'s.

use super::*;

#[test]
fn variables_are_filled_in() {
    let template = Template::parse("It is {time}, {name}.", &["time", "name"]).unwrap();
    assert_eq!(template.render(|variable| format!("<{variable}>")), "It is <time>, <name>.");
    assert!(template.uses("time") && !template.uses("date"));
}

#[test]
fn unknown_variables_and_lone_braces_are_refused_by_name() {
    assert_eq!(Template::parse("It is {tme}.", &["time"]).unwrap_err(), "{tme} is unknown; here there are {time}");
    for text in ["It is {time", "It is time}", "{", "a } b {time}"] {
        assert!(Template::parse(text, &["time"]).unwrap_err().contains("both braces"), "{text}");
    }
}

#[test]
fn a_value_that_ends_a_sentence_needs_no_second_full_stop() {
    let render = |text, value: &str| Template::parse(text, &["time"]).unwrap().render(|_| value.to_owned());
    assert_eq!(render("It is {time}.", "3:06 p.m."), "It is 3:06 p.m.");
    assert_eq!(render("It is {time}. Bye.", "3:06 p.m."), "It is 3:06 p.m. Bye.");
    assert_eq!(render("It is {time}...", "late"), "It is late...");
    assert_eq!(render("It is {time} now.", "3:06 p.m."), "It is 3:06 p.m. now.");
}
