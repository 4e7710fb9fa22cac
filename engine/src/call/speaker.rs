//! The agent's voice on one call: audio queued in order, taken 20 ms at a time, and what of it was heard.
//! Where the audio comes from and when to stop is not decided here.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes};

use super::speech_link::UtteranceId;
use crate::audio::FRAME_SAMPLES;
use crate::audio::g711::Law;

/// Bytes that must be queued before a voice that ran dry goes on (60 ms): one gap instead of many.
const RESUME_BYTES: usize = 3 * FRAME_SAMPLES;

/// How far a voice that was held goes back when it goes on (400 ms), to the quietest frame there: the beginning of a word.
const GOES_BACK_FRAMES: usize = 20;

/// Samples over which a voice that is cut off fades, so that the cut does not click (10 ms).
const FADE_SAMPLES: usize = FRAME_SAMPLES / 2;

/// 8000 samples a second, one byte each.
const BYTES_PER_MS: usize = 8;

/// Audio of one letter of text at an ordinary pace: 14 letters a second.
pub const BYTES_PER_LETTER: usize = 8000 / 14;

/// What went into one outgoing frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// The agent's voice. `first`: the first frame of its utterance.
    Voice { first: bool },
    /// Nothing to say.
    Silence,
}

/// How an utterance stands when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub utterance: UtteranceId,
    /// All that was to be said, as far as it is known.
    pub text: String,
    /// What of it was played, to the word.
    pub heard_text: String,
    pub heard_ms: u64,
}

/// Queue of the utterance being said. One at a time: a new one replaces the old.
#[derive(Debug)]
pub struct Speaker {
    law: Law,
    current: Option<Utterance>,
    /// Audio of the current utterance that is still to be played.
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
    /// Ran dry in the middle; waits for [`RESUME_BYTES`].
    starved: bool,
    /// Tail of an utterance that was cut off or held, faded.
    fade: Option<[u8; FRAME_SAMPLES]>,
    /// Nothing is played for now: the utterance is prepared, or the caller may be cutting in.
    held: bool,
    /// Played here, and not yet where it is heard.
    unplayed: Duration,
    /// The last frames of the utterance that were played, to go back to, once there is anything to be played; and the place
    /// of the oldest.
    played: Option<Box<[[u8; FRAME_SAMPLES]; GOES_BACK_FRAMES]>>,
    oldest: usize,
}

#[derive(Debug)]
struct Utterance {
    id: UtteranceId,
    sentences: Vec<Sentence>,
    /// Sentences of which all audio is known to be there.
    whole: usize,
    /// Sentences that began to be played.
    begun: usize,
    played_bytes: usize,
    /// The furthest it was played; more than `played_bytes` after going back.
    furthest_bytes: usize,
    /// Nothing more will be queued.
    complete: bool,
}

#[derive(Debug)]
struct Sentence {
    text: String,
    bytes: usize,
    /// Audio of the utterance before this sentence's.
    starts_at: usize,
}

// === impl Speaker ===

impl Speaker {
    pub fn new(law: Law) -> Self {
        Self {
            law,
            current: None,
            queue: VecDeque::with_capacity(16),
            queued_bytes: 0,
            starved: false,
            fade: None,
            held: false,
            unplayed: Duration::ZERO,
            played: None,
            oldest: 0,
        }
    }

    /// Makes room for a new utterance. What was left of the one before is dropped; `stop` it first to know.
    pub fn begin(&mut self, id: UtteranceId) {
        self.drop_queue();
        self.held = false;
        self.current = Some(Utterance {
            id,
            sentences: Vec::new(),
            whole: 0,
            begun: 0,
            played_bytes: 0,
            furthest_bytes: 0,
            complete: false,
        });
    }

    pub fn add_sentence(&mut self, id: UtteranceId, text: String) {
        if let Some(current) = self.current.as_mut().filter(|u| u.id == id) {
            let last = current.sentences.last();
            let starts_at = last.map_or(0, |last| last.starts_at + last.bytes);
            // Audio may come before the first of its text.
            let bytes = if last.is_none() { current.played_bytes + self.queued_bytes } else { 0 };
            current.sentences.push(Sentence { text, bytes, starts_at });
        }
    }

    /// Queues audio of the last sentence. False if it belongs to an utterance that is no longer said.
    pub fn add_voice(&mut self, id: UtteranceId, audio: Bytes) -> bool {
        let Some(current) = self.current.as_mut().filter(|u| u.id == id) else { return false };
        if let Some(sentence) = current.sentences.last_mut() {
            sentence.bytes += audio.len();
        }
        self.queued_bytes += audio.len();
        if !audio.is_empty() {
            let silence = self.law.silence();
            self.played.get_or_insert_with(|| Box::new([[silence; FRAME_SAMPLES]; GOES_BACK_FRAMES]));
            self.queue.push_back(audio);
        }
        true
    }

    /// All of what was begun is queued; more may follow.
    pub fn sentences_are_whole(&mut self, id: UtteranceId) {
        if let Some(current) = self.current.as_mut().filter(|u| u.id == id) {
            current.whole = current.sentences.len();
        }
    }

    /// All of the utterance was queued.
    pub fn complete(&mut self, id: UtteranceId) {
        if let Some(current) = self.current.as_mut().filter(|u| u.id == id) {
            current.complete = true;
        }
    }

    /// Fills the next 20 ms; silence where there is nothing to say.
    pub fn next_frame(&mut self, out: &mut [u8; FRAME_SAMPLES]) -> Spoken {
        if let Some(fade) = self.fade.take() {
            *out = fade;
            return Spoken::Voice { first: false };
        }
        let Some(current) = self.current.as_mut().filter(|_| !self.held) else {
            out.fill(self.law.silence());
            return Spoken::Silence;
        };
        let enough = if self.starved { RESUME_BYTES } else { FRAME_SAMPLES };
        if self.queued_bytes == 0 || (self.queued_bytes < enough && !current.complete) {
            self.starved = current.played_bytes > 0;
            out.fill(self.law.silence());
            return Spoken::Silence;
        }
        self.starved = false;
        let first = current.furthest_bytes == 0;
        let mut filled = 0;
        while let Some(chunk) = self.queue.front_mut() {
            let n = chunk.len().min(FRAME_SAMPLES - filled);
            out[filled..filled + n].copy_from_slice(&chunk[..n]);
            chunk.advance(n);
            filled += n;
            if chunk.is_empty() {
                self.queue.pop_front();
            }
            if filled == FRAME_SAMPLES {
                break;
            }
        }
        out[filled..].fill(self.law.silence());
        self.queued_bytes -= filled;
        current.played_bytes += filled;
        current.furthest_bytes = current.furthest_bytes.max(current.played_bytes);
        if let Some(frame) = self.played.as_mut().and_then(|played| played.get_mut(self.oldest)) {
            *frame = *out;
        }
        self.oldest = (self.oldest + 1) % GOES_BACK_FRAMES;
        Spoken::Voice { first }
    }

    /// The next sentence of which the last frame brought the first sound, each once.
    pub fn take_begun(&mut self) -> Option<&str> {
        let current = self.current.as_mut()?;
        let sentence = current.sentences.get(current.begun).filter(|s| s.starts_at < current.played_bytes)?;
        current.begun += 1;
        Some(&sentence.text)
    }

    /// The utterance whose last frame was played, once.
    pub fn take_finished(&mut self) -> Option<Heard> {
        let done = self.current.as_ref().is_some_and(|u| u.complete) && self.queued_bytes == 0;
        (done && !self.held).then(|| self.end(0)).flatten()
    }

    /// Falls silent at once (within a faded frame). Tells what had been heard.
    pub fn stop(&mut self) -> Option<Heard> {
        self.fade_out();
        self.end(self.unplayed.as_millis() as usize * BYTES_PER_MS)
    }

    /// Falls silent as by `stop`, or does not begin, but keeps what is still to be said until it goes on.
    pub fn hold(&mut self) {
        self.fade_out();
        self.held = true;
    }

    /// Begins what was prepared. What was held in mid-word goes on at the beginning of that word.
    pub fn go_on(&mut self) {
        // Where nothing was left to be played, no word was cut.
        if std::mem::replace(&mut self.held, false) && self.is_audible() && self.queued_bytes > 0 {
            self.go_back();
        }
    }

    /// Milliseconds that are still to be played, once all of the utterance is there.
    pub fn remaining_ms(&self) -> Option<usize> {
        self.current.as_ref().filter(|u| u.complete).map(|_| self.queued_bytes / 8)
    }

    /// An utterance was begun and is not over.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    /// The first sentence of the current utterance, once it is known.
    pub fn first_sentence(&self) -> Option<&str> {
        self.current.as_ref()?.sentences.first().map(|sentence| sentence.text.as_str())
    }

    /// All sentences of the current utterance so far.
    pub fn text(&self) -> String {
        self.current.as_ref().map_or_else(String::new, Utterance::text)
    }

    /// The caller has heard some of the current utterance.
    pub fn is_audible(&self) -> bool {
        self.current.as_ref().is_some_and(|u| u.furthest_bytes > 0)
    }

    /// Milliseconds of the current utterance that were heard.
    pub fn heard_ms(&self) -> u64 {
        let played = self.current.as_ref().map_or(0, |u| (u.furthest_bytes / BYTES_PER_MS) as u64);
        played.saturating_sub(self.unplayed.as_millis() as u64)
    }

    /// So much of what was played here is not yet played where it is heard.
    pub fn know_unplayed(&mut self, unplayed: Duration) {
        self.unplayed = unplayed;
    }

    pub fn unplayed(&self) -> Duration {
        self.unplayed
    }

    /// Makes the next frame the last one, faded; it counts as not heard.
    fn fade_out(&mut self) {
        if !self.is_audible() || self.queued_bytes == 0 || self.held {
            return;
        }
        let mut frame = [self.law.silence(); FRAME_SAMPLES];
        let before = self.current.as_ref().map(|u| (u.played_bytes, u.furthest_bytes));
        if matches!(self.next_frame(&mut frame), Spoken::Voice { .. }) {
            self.fade = Some(fade_out(self.law, frame));
        }
        if let Some((current, (played, furthest))) = self.current.as_mut().zip(before) {
            (current.played_bytes, current.furthest_bytes) = (played, furthest);
        }
    }

    /// Queues the last frames again, from the quietest of them on.
    fn go_back(&mut self) {
        let Some((current, played)) = self.current.as_mut().zip(self.played.as_mut()) else { return };
        // The newest of them is the one that was faded out and not heard.
        let again = (current.played_bytes / FRAME_SAMPLES + 1).min(GOES_BACK_FRAMES);
        played.rotate_left(std::mem::take(&mut self.oldest));
        let frames = played.get(GOES_BACK_FRAMES - again..).unwrap_or_default();
        let energy = |frame: &[u8; FRAME_SAMPLES]| {
            frame.iter().map(|&byte| i64::from(self.law.decode(byte)).pow(2)).sum::<i64>()
        };
        let quietest = frames.iter().enumerate().min_by_key(|(_, frame)| energy(frame)).map_or(0, |(at, _)| at);
        let back = frames.get(quietest..).unwrap_or_default().concat();
        let counted = back.len().saturating_sub(FRAME_SAMPLES);
        current.played_bytes = current.played_bytes.saturating_sub(counted);
        self.queued_bytes += back.len();
        self.queue.push_front(back.into());
    }

    /// Ends the utterance; its last `unplayed` bytes are not heard.
    fn end(&mut self, unplayed: usize) -> Option<Heard> {
        self.drop_queue();
        self.held = false;
        (self.played, self.oldest) = (None, 0);
        let current = self.current.take()?;
        let heard = current.furthest_bytes.saturating_sub(unplayed);
        Some(Heard {
            utterance: current.id,
            text: current.text(),
            heard_text: heard_text(&current, heard),
            heard_ms: (heard / BYTES_PER_MS) as u64,
        })
    }

    fn drop_queue(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
        self.starved = false;
    }
}

// === impl Utterance ===

impl Utterance {
    fn text(&self) -> String {
        joined(self.sentences.iter().map(|s| s.text.as_str()))
    }
}

/// Whole sentences as far as they were heard (bytes), and of the one that was cut the words in proportion to its audio.
fn heard_text(utterance: &Utterance, heard: usize) -> String {
    let mut left = heard;
    if left == 0 {
        return String::new();
    }
    let mut texts = Vec::new();
    for (at, sentence) in utterance.sentences.iter().enumerate() {
        let whole = utterance.complete || at < utterance.whole || at + 1 < utterance.sentences.len();
        // A sentence may have no audio of its own: its voice was taken for the end of the one before.
        if whole && left >= sentence.bytes {
            texts.push(sentence.text.as_str());
            left -= sentence.bytes;
            continue;
        }
        if left == 0 {
            break;
        }
        // While a sentence is still coming, its length is not known: take what such a text usually takes.
        let expected = if whole { 0 } else { sentence.text.len() * BYTES_PER_LETTER };
        let cut = sentence.text.len() * left / sentence.bytes.max(expected).max(1);
        texts.push(whole_words(&sentence.text, cut));
        break;
    }
    joined(texts.into_iter().filter(|s| !s.is_empty()))
}

/// The words of `text` that end at or before byte `cut`.
fn whole_words(text: &str, cut: usize) -> &str {
    if cut >= text.len() {
        return text;
    }
    let end = text.char_indices().rfind(|&(at, c)| at <= cut && c.is_whitespace()).map_or(0, |(at, _)| at);
    text.get(..end).unwrap_or("").trim_end()
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}

fn fade_out(law: Law, mut frame: [u8; FRAME_SAMPLES]) -> [u8; FRAME_SAMPLES] {
    for (at, byte) in frame.iter_mut().enumerate() {
        let gain = FADE_SAMPLES.saturating_sub(at) as i32;
        let sample = i32::from(law.decode(*byte)) * gain / FADE_SAMPLES as i32;
        *byte = law.encode(i16::try_from(sample).unwrap_or(0));
    }
    frame
}

#[cfg(test)]
mod tests;
