//! What a stream's client has to play: frames one after the other in real time, marks between them, all of it cleared.
//! It has no buffer of its own beyond what came too early; where the audio comes from is `stream`'s.

use std::collections::VecDeque;
use std::time::Duration;

use engine::audio::FRAME_SAMPLES;
use tokio::time::Instant;

/// 20 ms of µ-law.
pub type Frame = [u8; FRAME_SAMPLES];

const FRAME: Duration = Duration::from_millis(20);

/// What is due next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Played {
    Frame(Box<Frame>),
    /// What came before the mark of this name was played.
    Mark(String),
}

#[derive(Debug)]
pub struct Playout {
    waiting: VecDeque<Played>,
    /// What does not fill a frame yet.
    partial: Vec<u8>,
    /// When the frame that was played last is over.
    free_at: Instant,
}

// === impl Playout ===

impl Playout {
    pub fn new(now: Instant) -> Self {
        Self { waiting: VecDeque::new(), partial: Vec::new(), free_at: now }
    }

    /// Audio came, of any length.
    pub fn push(&mut self, now: Instant, audio: &[u8]) {
        if self.waiting.is_empty() {
            self.free_at = self.free_at.max(now);
        }
        self.partial.extend_from_slice(audio);
        let (frames, rest) = self.partial.as_chunks::<FRAME_SAMPLES>();
        self.waiting.extend(frames.iter().map(|frame| Played::Frame(Box::new(*frame))));
        self.partial = rest.to_vec();
    }

    pub fn mark(&mut self, name: String) {
        self.waiting.push_back(Played::Mark(name));
    }

    /// Drops what was not played; the names of the marks in it.
    pub fn clear(&mut self) -> Vec<String> {
        self.partial.clear();
        let name = |played| if let Played::Mark(name) = played { Some(name) } else { None };
        self.waiting.drain(..).filter_map(name).collect()
    }

    /// When the next thing is due; `None`: there is nothing.
    pub fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.free_at)
    }

    /// What is due by now, and when it was.
    pub fn next(&mut self, now: Instant) -> Option<(Instant, Played)> {
        self.due().filter(|due| *due <= now)?;
        let played = self.waiting.pop_front()?;
        let at = self.free_at;
        if let Played::Frame(_) = played {
            self.free_at += FRAME;
        }
        Some((at, played))
    }

    /// Nothing has been played for a frame's time, and there is nothing to be played.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.waiting.is_empty() && now >= self.free_at + FRAME
    }
}

#[cfg(test)]
mod tests;
