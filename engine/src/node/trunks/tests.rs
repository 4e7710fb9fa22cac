//! Which URI is called, as whom and by which way, for every way to ask for it.
//! Nothing here runs outside tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn trunks(names: &[&str]) -> Trunks {
    let trunk = |name: &str| {
        let text = format!("uri = \"sip:{name}.example:5080;transport=tcp\"\nfrom = \"+15550100\"\nmax_calls = 1");
        (name.to_owned(), toml::from_str::<TrunkConfig>(&text).unwrap())
    };
    let trunks = names.iter().map(|name| trunk(name)).collect();
    Trunks::new(&trunks, "192.0.2.1:5070".parse().unwrap(), 100)
}

#[test]
fn a_number_becomes_the_user_part_of_its_trunk() {
    let found = trunks(&["one"]).find("+1 (555) 0142", None, None).unwrap();
    assert_eq!(found.uri, "sip:+15550142@one.example:5080;transport=tcp");
    assert_eq!(found.from, "sip:+15550100@one.example:5080");
    assert_eq!(trunks(&["one"]).find("*55#", None, None).unwrap().uri, "sip:*55%23@one.example:5080;transport=tcp");
    assert_eq!(trunks(&["one"]).find("tel:+15550142", None, None).unwrap().uri, found.uri);
}

#[test]
fn of_several_trunks_one_is_named_or_is_the_default() {
    let several = trunks(&["default", "two"]);
    assert!(several.find("100", None, None).unwrap().uri.contains("@default."));
    assert!(several.find("100", None, Some("two")).unwrap().uri.contains("@two."));
    assert_eq!(several.find("100", None, Some("three")), Err(DestinationError::NoTrunk("three".to_owned())));
    assert_eq!(trunks(&["a", "b"]).find("100", None, None), Err(DestinationError::NoWayOut));
}

#[test]
fn a_number_goes_by_the_longest_beginning_that_fits() {
    let mut several = trunks(&["default", "germany", "berlin"]);
    for (name, numbers) in [("germany", vec!["+49", "0049"]), ("berlin", vec!["+4930"])] {
        let trunk = several.by_name.get_mut(name).unwrap();
        trunk.config.numbers = numbers.into_iter().map(str::to_owned).collect();
    }
    for (to, way) in
        [("+49 40 1234", "germany"), ("tel:+49-30-1234", "berlin"), ("0049301234", "germany"), ("+15550142", "default")]
    {
        assert_eq!(several.find(to, None, None).unwrap().trunk.as_deref(), Some(way), "{to}");
    }
    assert_eq!(several.find("+4930", None, Some("default")).unwrap().trunk.as_deref(), Some("default"));
}

#[test]
fn a_uri_is_called_as_it_stands_by_its_own_host_unless_a_trunk_is_named() {
    let own = trunks(&["one"]).find("sip:bob@pbx.example", None, None).unwrap();
    assert_eq!((own.uri.as_str(), own.trunk), ("sip:bob@pbx.example", None));
    assert_eq!(own.from, "sip:tandem@192.0.2.1:5070");
    let through = trunks(&["one"]).find("sip:bob@pbx.example", Some("sip:a@b"), Some("one")).unwrap();
    assert_eq!((through.uri.as_str(), through.from.as_str()), ("sip:bob@pbx.example", "sip:a@b"));
    assert_eq!(through.trunk.as_deref(), Some("one"));
}

#[test]
fn what_is_neither_a_uri_nor_a_number_is_refused_by_its_value() {
    for to in ["", "sip:", "sip:a b", "sip:<a@b>", "a@b", "1\r\nVia: x", "ü", &"1".repeat(65)] {
        let error = trunks(&["one"]).find(to, None, None).unwrap_err();
        assert!(matches!(error, DestinationError::BadUri { field: "to", .. }), "{to:?}: {error}");
    }
    let error = trunks(&["one"]).find("100", Some("no one"), None).unwrap_err();
    assert_eq!(error, DestinationError::BadUri { field: "from", value: "no one".to_owned() });
}

#[tokio::test]
async fn a_trunk_takes_as_many_calls_as_it_may() {
    let trunks = trunks(&["one"]);
    let to = trunks.find("100", None, None).unwrap();
    let (_, place) = trunks.way_out(&to).await.unwrap();
    assert_eq!(trunks.way_out(&to).await.err(), Some(WayOutError::Full("one".to_owned())));
    drop(place);
    assert!(trunks.way_out(&to).await.is_ok());
}
