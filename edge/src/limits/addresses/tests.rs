use proptest::prelude::*;

use super::*;

fn list(entries: &[&str]) -> AllowList {
    AllowList::parse(entries.iter().copied()).unwrap()
}

#[test]
fn an_empty_list_allows_all() {
    assert!(list(&[]).allows("192.0.2.1"));
    assert!(list(&[]).allows("local"));
}

#[test]
fn addresses_and_networks_allow_what_they_name() {
    let list = list(&["192.0.2.1", "198.51.100.0/24", "2001:db8::/32"]);
    for allowed in ["192.0.2.1", "198.51.100.0", "198.51.100.255", "2001:db8:1::1", "::ffff:192.0.2.1"] {
        assert!(list.allows(allowed), "{allowed}");
    }
    for refused in ["192.0.2.2", "198.51.101.0", "2001:db9::1", "::1", "local", "", "192.0.2.1 "] {
        assert!(!list.allows(refused), "{refused}");
    }
}

#[test]
fn an_entry_that_is_no_network_is_named() {
    for wrong in ["192.0.2.256", "192.0.2.0/33", "example.test", "", "192.0.2.1-9"] {
        assert_eq!(AllowList::parse(["192.0.2.1", wrong]), Err(NotANetwork(wrong.to_owned())));
    }
}

#[test]
fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
    assert_eq!(client("192.0.2.1"), "192.0.2.1");
    assert_eq!(client("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(client("2001:db8:0:7:1:2:3:4"), "2001:db8:0:7::/64");
    assert_eq!(client("2001:db8:0:7::"), client("2001:db8:0:7:ffff::1"));
    assert_ne!(client("2001:db8:0:7::1"), client("2001:db8:0:8::1"));
    assert_eq!(client("local"), "local");
}

proptest! {
    #[test]
    fn a_network_allows_exactly_the_addresses_that_share_its_prefix(base: u32, prefix in 1u32..=32, other: u32) {
        let address = |bits: u32| std::net::Ipv4Addr::from(bits).to_string();
        let list = AllowList::parse([format!("{}/{prefix}", address(base)).as_str()]).unwrap();
        let shares = base >> (32 - prefix) == other >> (32 - prefix);
        prop_assert_eq!(list.allows(&address(other)), shares);
    }

    #[test]
    fn no_text_is_too_strange(text in ".{0,80}") {
        let _ = (client(&text), AllowList::parse([text.as_str()]), list(&["::/0"]).allows(&text));
    }
}
