//! Sentences and their audio, kept across calls: what is said often is synthesised once.
//! What is worth keeping is decided here; who says it when is not.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lru::LruCache;

use crate::audio::g711::Law;

/// Longest sentence that is kept, bytes (30 s): what is longer is not said twice.
const LONGEST: usize = 240_000;

/// Sentences that are remembered to have been said once.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// All that makes a sentence sound as it does. A provider's model and usual voice are the same as long as the node runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Line {
    provider: Arc<str>,
    /// `None`: the provider's usual voice.
    voice: Option<Arc<str>>,
    law: Law,
    text: String,
}

/// Audio of sentences, law-encoded at 8 kHz: those used last, as far as there is room.
#[derive(Debug)]
pub struct KeptVoice {
    room_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    audio: LruCache<Line, Bytes>,
    bytes: usize,
    /// Hashes of sentences that were said and are not kept.
    said: LruCache<u64, ()>,
    hashes: RandomState,
}

// === impl Line ===

impl Line {
    /// How the text is spaced cannot be heard.
    pub fn new(provider: &str, voice: Option<Arc<str>>, law: Law, text: &str) -> Self {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { provider: provider.into(), voice, law, text }
    }
}

// === impl KeptVoice ===

impl KeptVoice {
    /// Keeps audio of so many bytes (8000 a second); the texts beside it are small.
    pub fn new(room_bytes: usize) -> Self {
        let (audio, said) = (LruCache::unbounded(), LruCache::new(REMEMBERED));
        Self { room_bytes, kept: Mutex::new(Kept { audio, bytes: 0, said, hashes: RandomState::new() }) }
    }

    pub fn get(&self, line: &Line) -> Option<Bytes> {
        self.kept().audio.get(line).cloned()
    }

    pub fn put(&self, line: Line, audio: Bytes) {
        if audio.len() > LONGEST.min(self.room_bytes) {
            return;
        }
        let mut kept = self.kept();
        kept.bytes += audio.len();
        if let Some((_, replaced)) = kept.audio.push(line, audio) {
            kept.bytes -= replaced.len();
        }
        while kept.bytes > self.room_bytes
            && let Some((_, oldest)) = kept.audio.pop_lru()
        {
            kept.bytes -= oldest.len();
        }
    }

    /// A sentence that is not kept is said: true if it was said before, and so is worth keeping.
    pub fn said_again(&self, line: &Line) -> bool {
        let mut kept = self.kept();
        let hash = kept.hashes.hash_one(line);
        kept.said.put(hash, ()).is_some()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
