//! The same key told twice, by the signalling and in the media: heard once.
//! Recognising a key is the work of whoever tells it.

use std::time::Duration;

use crate::clock::Moment;

/// A key told by two ways is told by the second within this of the first; pressed again, by the first way first.
const SAME_KEY: Duration = Duration::from_secs(1);

/// How a key was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// As a telephone-event (RFC 4733).
    Events,
    /// As tones in the audio.
    Tones,
    /// By SIP INFO, or by a message beside the frames.
    Signalling,
}

/// The key heard last.
#[derive(Debug, Default)]
pub struct KeySources {
    last: Option<(char, KeySource, Moment)>,
}

// === impl KeySources ===

impl KeySources {
    /// Whether this is another key press than the last one.
    pub fn is_new(&mut self, now: Moment, key: char, source: KeySource) -> bool {
        let again = self.last.is_some_and(|(last, by, at)| last == key && by != source && now.since(at) < SAME_KEY);
        if !again {
            self.last = Some((key, source, now));
        }
        !again
    }
}
