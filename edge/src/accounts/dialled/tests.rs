//! Addresses as carriers write them.

use proptest::prelude::*;

use super::*;

#[test]
fn the_number_is_the_user_part_without_separators() {
    for (uri, number) in [
        ("sip:+15551234567@edge.example", "+15551234567"),
        ("sip:+1-(555)-123.4567@edge.example;user=phone", "+15551234567"),
        ("sip:%2B15551234567@10.0.0.1:5060", "+15551234567"),
        ("\"Mill Street\" <sip:Reception@127.0.0.1:5060>;tag=abc", "reception"),
        ("sips:agent:secret@host", "agent"),
        ("sip:030123456;phone-context=+49@host", "030123456"),
        ("tel:+1-201-555-0123;ext=7", "+12015550123"),
        ("SIP:front-desk@host", "front-desk"),
        ("sip:*31#@host", "*31#"),
    ] {
        assert_eq!(of_uri(uri).as_deref(), Some(number), "{uri}");
    }
}

#[test]
fn a_trunk_has_one_way_of_being_written() {
    for (written, address) in [
        ("192.0.2.1", Some("192.0.2.1")),
        ("::ffff:192.0.2.1", Some("192.0.2.1")),
        ("::FFFF:C000:0201", Some("192.0.2.1")),
        ("2001:DB8:0:0::A", Some("2001:db8::a")),
        ("", None),
        ("trunk.example", None),
        ("192.0.2.1:5060", None),
    ] {
        assert_eq!(trunk_address(written).as_deref(), address, "{written}");
    }
}

#[test]
fn what_names_no_number_is_none() {
    for uri in
        ["", "sip:host.example", "sip:@host", "mailto:a@b", "sip:%zz@host", "sip:a b c@host", "sip:<x>@host", "tel:"]
    {
        assert_eq!(of_uri(uri), None, "{uri}");
    }
    assert_eq!(normal(&"1".repeat(MAX_NUMBER + 1)), None);
}

proptest! {
    #[test]
    fn anything_is_read_without_harm_and_normal_stays_normal(text in "\\PC{0,90}") {
        if let Some(number) = of_uri(&text) {
            prop_assert!(number.len() <= MAX_NUMBER);
            prop_assert_eq!(normal(&number), Some(number));
        }
    }

    #[test]
    fn separators_between_digits_do_not_matter(digits in "[0-9]{3,15}", separator in "[-. ()]") {
        let spaced: String = digits.chars().flat_map(|digit| [digit.to_string(), separator.clone()]).collect();
        prop_assert_eq!(normal(&spaced), Some(digits));
    }
}
