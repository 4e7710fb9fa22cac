//! What the edge accepted before, by trunk and dialled number: in memory, and in a file that outlives the node.
//! When to fall back on it is `admission`'s decision.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edge_protocol::admission::Acceptance;
use lru::LruCache;
use serde::{Deserialize, Serialize};

use crate::atomic_file;

/// Most lines remembered, the ones called last.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// Version of the file.
const VERSION: u32 = 1;

/// What tells one line from another: both numbers of an INVITE, as the edge may have gone by either.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    /// IP address of the trunk.
    pub trunk: String,
    /// Number in the request URI.
    pub number: String,
    /// Number in `To`.
    pub to: String,
}

/// The last acceptances.
#[derive(Debug)]
pub struct Known {
    answers: LruCache<Line, Answer>,
    /// What the file does not have yet.
    unsaved: Unsaved,
}

/// How much a crash would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsaved {
    Nothing,
    /// Times only: known lines were answered again.
    Times,
    /// A new line, another answer for an old one, or one that is forgotten.
    Answers,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Answer {
    /// Milliseconds since the Unix epoch.
    answered_at_ms: u64,
    acceptance: Arc<Acceptance>,
}

/// The file: what was called longest ago comes first.
#[derive(Debug, Serialize, Deserialize)]
pub struct KnownFile {
    v: u32,
    answers: Vec<(Line, Answer)>,
}

// === impl Known ===

impl Default for Known {
    fn default() -> Self {
        Self { answers: LruCache::new(MOST), unsaved: Unsaved::Nothing }
    }
}

impl Known {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// An unreadable file, or one of another version.
    pub fn load(path: &Path) -> io::Result<Self> {
        let mut known = Self::default();
        let Some(bytes) = atomic_file::read(path)? else { return Ok(known) };
        let file: KnownFile = serde_json::from_slice(&bytes)?;
        if file.v != VERSION {
            return Err(io::Error::other(format!("version {} instead of {VERSION}", file.v)));
        }
        for (line, answer) in file.answers {
            known.answers.put(line, answer);
        }
        Ok(known)
    }

    /// The edge accepted a call on this line.
    pub fn remember(&mut self, line: Line, acceptance: Acceptance, now_ms: u64) {
        let unsaved = match self.answers.get_mut(&line) {
            Some(answer) if *answer.acceptance == acceptance => {
                answer.answered_at_ms = now_ms;
                Unsaved::Times
            }
            _ => {
                self.answers.put(line, Answer { answered_at_ms: now_ms, acceptance: Arc::new(acceptance) });
                Unsaved::Answers
            }
        };
        self.unsaved = self.unsaved.max(unsaved);
    }

    /// The edge takes no calls on this line any more.
    pub fn forget(&mut self, line: &Line) {
        if self.answers.pop(line).is_some() {
            self.unsaved = Unsaved::Answers;
        }
    }

    /// The last acceptance for this line, if it is not older than `longest`.
    pub fn recall(&mut self, line: &Line, now_ms: u64, longest: Duration) -> Option<Arc<Acceptance>> {
        let answer = self.answers.get(line)?;
        let age = Duration::from_millis(now_ms.saturating_sub(answer.answered_at_ms));
        (age < longest).then(|| answer.acceptance.clone())
    }

    pub fn unsaved(&self) -> Unsaved {
        self.unsaved
    }

    /// What is to be saved now; it counts as saved.
    pub fn take_file(&mut self) -> KnownFile {
        self.unsaved = Unsaved::Nothing;
        let answers = self.answers.iter().rev().map(|(line, answer)| (line.clone(), answer.clone())).collect();
        KnownFile { v: VERSION, answers }
    }

    /// The file could not be written.
    pub fn not_saved(&mut self) {
        self.unsaved = Unsaved::Answers;
    }
}

// === impl KnownFile ===

impl KnownFile {
    pub fn write(&self, path: &Path) -> io::Result<()> {
        atomic_file::replace(path, &serde_json::to_vec(self)?)
    }
}
