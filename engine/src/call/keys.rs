//! Keys the caller presses, collected to one line of the conversation.
//! Recognising a key in RTP is `audio::dtmf`'s work.

use std::time::Duration;

use crate::clock::Moment;

/// Pause after which the keys pressed so far are taken as entered.
const ENTERED_AFTER: Duration = Duration::from_millis(1500);

/// Most keys in one entry; more start the next.
const MOST_KEYS: usize = 32;

/// Keys of the entry in the making.
#[derive(Debug, Default)]
pub struct Keys {
    pressed: String,
    last: Moment,
}

// === impl Keys ===

impl Keys {
    pub fn press(&mut self, now: Moment, key: char) {
        self.pressed.push(key);
        self.last = now;
    }

    /// When the last key was pressed.
    pub fn last(&self) -> Moment {
        self.last
    }

    /// The entry as the caller's line, once it is complete: by `#`, by a pause, or full.
    pub fn take_entered(&mut self, now: Moment) -> Option<String> {
        let complete = self.pressed.ends_with('#')
            || self.pressed.len() >= MOST_KEYS
            || (!self.pressed.is_empty() && now.since(self.last) >= ENTERED_AFTER);
        if complete { self.take_pressed() } else { None }
    }

    /// The keys pressed so far as the caller's line, complete or not.
    pub fn take_pressed(&mut self) -> Option<String> {
        self.is_pending().then(|| format!("[pressed {}]", std::mem::take(&mut self.pressed)))
    }

    pub fn is_pending(&self) -> bool {
        !self.pressed.is_empty()
    }
}
