//! Time and size of the cache.

use super::*;

#[test]
fn a_value_is_good_for_its_time() {
    let mut cache = ShortCache::new(10_000, 8);
    cache.put("a".into(), 1, 0);
    assert_eq!(cache.get("a", 9_999), Some(1));
    assert_eq!(cache.get("a", 10_000), None);
    assert_eq!(cache.get("b", 0), None);
}

#[test]
fn it_never_holds_more_than_it_may() {
    let mut cache = ShortCache::new(10_000, 3);
    for n in 0..100u32 {
        cache.put(n.to_string(), n, u64::from(n) * 100);
        assert!(cache.entries.len() <= 3);
        assert_eq!(cache.get(&n.to_string(), u64::from(n) * 100), Some(n));
    }
}

#[test]
fn the_old_make_room_for_the_new() {
    let mut cache = ShortCache::new(10_000, 2);
    cache.put("old".into(), 1, 0);
    cache.put("young".into(), 2, 9_000);
    cache.put("new".into(), 3, 11_000);
    assert_eq!((cache.get("young", 11_000), cache.get("new", 11_000)), (Some(2), Some(3)));
}
