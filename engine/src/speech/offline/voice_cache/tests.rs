//! What is kept of what was spoken, and what makes room.
//! No flite here.

use super::*;

fn key(text: &str) -> Key {
    (Voice::Rms, 0, text.to_owned())
}

#[test]
fn the_oldest_goes_when_the_bytes_are_used_up() {
    let cache = VoiceCache::new(10);
    for text in ["one", "two", "three"] {
        cache.put(key(text), Bytes::from_static(&[0; 4]));
    }
    assert_eq!(cache.get(&key("one")), None);
    assert!(cache.get(&key("two")).is_some() && cache.get(&key("three")).is_some());
    cache.put(key("huge"), Bytes::from_static(&[0; 11]));
    assert_eq!(cache.get(&key("huge")), None);
    assert!(cache.get(&key("three")).is_some());
}
