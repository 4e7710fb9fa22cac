//! Speech that was spoken before, up to so many bytes, oldest out first.
//! Who speaks is `flite`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::voices::Voice;

/// The voice, the bits of the speed, the text.
pub type Key = (Voice, u32, String);

/// A bounded store of PCM.
pub struct VoiceCache {
    max_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    speech: HashMap<Key, Bytes>,
    /// In the order they came.
    order: VecDeque<Key>,
    bytes: usize,
}

impl VoiceCache {
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, kept: Mutex::default() }
    }

    pub fn get(&self, key: &Key) -> Option<Bytes> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).speech.get(key).cloned()
    }

    /// Keeps `pcm`, and drops the oldest until all fits. What alone is too big is not kept.
    pub fn put(&self, key: Key, pcm: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if pcm.len() > self.max_bytes || kept.speech.contains_key(&key) {
            return;
        }
        kept.bytes += pcm.len();
        kept.order.push_back(key.clone());
        kept.speech.insert(key, pcm);
        while kept.bytes > self.max_bytes {
            let Some(oldest) = kept.order.pop_front() else { break };
            kept.bytes -= kept.speech.remove(&oldest).map_or(0, |pcm| pcm.len());
        }
    }
}

#[cfg(test)]
mod tests;
