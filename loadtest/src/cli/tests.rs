//! The command line as it is typed.
//! What commands do is tested in `tests/`.

use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn durations_have_units() {
    assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
    assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
}

#[test]
fn what_is_no_duration_is_refused_with_its_text() {
    assert!(duration("soon").unwrap_err().contains("\"soon\""));
    assert!(duration("5h").unwrap_err().contains("\"h\""));
    assert!(duration("-5s").unwrap_err().contains("-5s"));
}

#[test]
fn a_header_has_a_name_and_a_value() {
    assert_eq!(header("X-Account: 42"), Ok(("X-Account".to_owned(), "42".to_owned())));
    assert!(header("X-Account").is_err());
}
