//! Links that open, and links that do not.

use proptest::prelude::*;

use super::*;

const SECRET: &[u8] = b"token-secret";
const CALL: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// `expires` and `signature` of a link.
fn query(link: &Link) -> (String, String) {
    let (_, query) = link.url.split_once("?expires=").unwrap();
    let (expires, signature) = query.split_once("&signature=").unwrap();
    (expires.to_owned(), signature.to_owned())
}

#[test]
fn a_link_opens_its_recording_until_it_expires() {
    let link = Link::new("https://edge.example/", SECRET, CALL, 1_000);
    assert!(link.url.starts_with("https://edge.example/recordings/01890a5d-ac96-774b-bcce-b302099a8057?expires="));
    assert_eq!(link.expires_at_ms, 1_000 + LIFETIME_MS);
    let (expires, signature) = query(&link);
    let check = |now_ms| check(SECRET, CALL, Some(&expires), Some(&signature), now_ms);
    assert_eq!(check(1_000), Ok(()));
    assert_eq!(check(link.expires_at_ms), Ok(()));
    assert_eq!(check(link.expires_at_ms + 1), Err(LinkError::Expired));
}

#[test]
fn a_link_is_good_for_one_recording_one_expiry_and_one_secret() {
    let link = Link::new("https://edge.example", SECRET, CALL, 1_000);
    let (expires, signature) = query(&link);
    let later = (link.expires_at_ms + 1).to_string();
    assert_eq!(check(SECRET, "another", Some(&expires), Some(&signature), 1_000), Err(LinkError::Wrong));
    assert_eq!(check(SECRET, CALL, Some(&later), Some(&signature), 1_000), Err(LinkError::Wrong));
    assert_eq!(check(b"other", CALL, Some(&expires), Some(&signature), 1_000), Err(LinkError::Wrong));
}

#[test]
fn what_is_missing_or_spelt_otherwise_is_malformed() {
    let (expires, signature) = query(&Link::new("https://edge.example", SECRET, CALL, 1_000));
    for expires in [None, Some(""), Some("soon"), Some("-1"), Some("99999999999999999999")] {
        assert_eq!(check(SECRET, CALL, expires, Some(&signature), 1_000), Err(LinkError::Malformed), "{expires:?}");
    }
    let spelt = format!("0{expires}");
    assert_eq!(check(SECRET, CALL, Some(&spelt), Some(&signature), 1_000), Err(LinkError::Malformed));
    assert_eq!(check(SECRET, CALL, Some(&expires), None, 1_000), Err(LinkError::Malformed));
}

proptest! {
    #[test]
    fn no_other_signature_opens_it(given in "[0-9a-f]{0,70}", expires in any::<u64>()) {
        prop_assume!(given != signature(SECRET, CALL, expires));
        prop_assert_eq!(check(SECRET, CALL, Some(&expires.to_string()), Some(&given), 0), Err(LinkError::Wrong));
    }
}
