//! Which ways out are refused before a node starts, and how it says so.
//! Nothing here runs outside tests.

use super::*;

fn trunks(uri: &str, ring_timeout_s: u32) -> BTreeMap<String, TrunkConfig> {
    let text = format!("uri = {uri:?}\nring_timeout_s = {ring_timeout_s}");
    BTreeMap::from([("carrier".to_owned(), toml::from_str(&text).expect("a trunk"))])
}

fn route(number: &str, to: &str, trunk: &str) -> RouteConfig {
    RouteConfig { number: number.to_owned(), to: to.to_owned(), trunk: trunk.to_owned(), record: false }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let carrier = trunks("sip:carrier.example", 45);
    let cases = [
        (trunks("carrier.example", 45), vec![], "trunks.carrier.uri"),
        (trunks("sip:carrier.example", 0), vec![], "ring_timeout_s = 0"),
        (carrier.clone(), vec![route("1", "2", "carier")], "\"carier\""),
        (carrier.clone(), vec![route("1", "2", ""), route("1", "3", "")], "two routes for \"1\""),
        (BTreeMap::new(), vec![route("1", "2", "")], "somewhere to go"),
    ];
    for (trunks, routes, named) in cases {
        let error = check(&trunks, &routes).expect_err(named).to_string();
        assert!(error.contains(named), "{error}");
    }
    check(&carrier, &[route("1", "", ""), route("*", "sip:pbx.example", "carrier")]).expect("these can work");
    check(&BTreeMap::new(), &[route("1", "sip:2@pbx.example", "")]).expect("a URI needs no trunk");
}

#[test]
fn beginnings_of_numbers_are_digits_and_nobody_elses() {
    let with = |numbers: &[&str]| {
        let mut carrier = trunks("sip:carrier.example", 45);
        let config = carrier.get_mut("carrier").expect("it is there");
        config.numbers = numbers.iter().map(|&prefix| prefix.to_owned()).collect();
        carrier
    };
    check(&with(&["+49", "0", "*8"]), &[]).expect("these can work");
    for wrong in ["", "+", "49 30", "sip:x"] {
        let error = check(&with(&[wrong]), &[]).expect_err(wrong).to_string();
        assert!(error.starts_with("trunks.carrier.numbers: ") && error.contains(&format!("{wrong:?}")), "{error}");
    }
    let mut two = with(&["+49"]);
    two.insert("other".to_owned(), two["carrier"].clone());
    let error = check(&two, &[]).expect_err("both want them").to_string();
    assert!(error.contains("trunks.carrier and trunks.other"), "{error}");
}

#[test]
fn a_password_does_not_show_itself() {
    let mut carrier = trunks("sip:carrier.example", 45);
    carrier.get_mut("carrier").expect("it is there").password = ApiKey("secret".to_owned());
    assert!(!format!("{carrier:?}").contains("secret"));
}
