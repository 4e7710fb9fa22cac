//! What was looked up a moment ago, misses too: bounded in time and in number.
//! What is looked up, and when it is forgotten early, is `lookup`'s.

use std::collections::HashMap;

/// Values that are good for a while. The time is the caller's.
#[derive(Debug)]
pub struct ShortCache<V> {
    entries: HashMap<String, (u64, V)>,
    keep_ms: u64,
    most: usize,
}

// === impl ShortCache ===

impl<V: Clone> ShortCache<V> {
    /// Keeps each of at most `most` values for `keep_ms`.
    pub fn new(keep_ms: u64, most: usize) -> Self {
        Self { entries: HashMap::new(), keep_ms, most }
    }

    pub fn get(&self, key: &str, now_ms: u64) -> Option<V> {
        let (until_ms, value) = self.entries.get(key)?;
        (now_ms < *until_ms).then(|| value.clone())
    }

    /// Full, it drops what is too old, and if nothing is, everything: it fills again soon enough.
    pub fn put(&mut self, key: String, value: V, now_ms: u64) {
        if self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            self.entries.retain(|_, (until_ms, _)| now_ms < *until_ms);
            if self.entries.len() >= self.most {
                self.entries.clear();
            }
        }
        self.entries.insert(key, (now_ms + self.keep_ms, value));
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests;
