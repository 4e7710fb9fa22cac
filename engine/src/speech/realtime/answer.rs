//! One answer of the model as it comes: its audio and its transcript become sentences with their voice, in order.
//! The two arrive apart and out of step; to whom they are told, and when, is the session's matter.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::call::{BYTES_PER_LETTER, ToolCall};
use crate::speech::sentences::SentenceSplitter;

/// Longest answer, bytes of audio (five minutes): more is not an answer.
const LONGEST: usize = 5 * 60 * 8000;

/// What is to be told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Sentence(String),
    /// Of the sentence before it, as far as can be told.
    Voice(Bytes),
}

/// An answer under way. Its pieces wait until somebody wants them.
#[derive(Debug, Default)]
pub struct Answer {
    splitter: SentenceSplitter,
    /// Some of its transcript came.
    any_text: bool,
    /// Sentences whose audio has not begun, by the pace people speak at.
    waiting: VecDeque<String>,
    ready: VecDeque<Piece>,
    /// The sentences that are or were ready.
    begun: String,
    /// Audio that came.
    bytes: usize,
    calls: Vec<(String, ToolCall)>,
}

// === impl Answer ===

impl Answer {
    /// More of the transcript.
    pub fn text(&mut self, delta: &str) {
        self.any_text |= !delta.is_empty();
        self.waiting.extend(self.splitter.push(delta));
        self.release();
    }

    /// The whole transcript, for servers that send it in one piece.
    pub fn whole_text(&mut self, transcript: &str) {
        if !self.any_text {
            self.text(transcript);
        }
    }

    /// More of the audio. False if it is longer than any answer.
    pub fn audio(&mut self, mut audio: Bytes) -> bool {
        while !audio.is_empty() {
            let until_next = self.end_of_ready().saturating_sub(self.bytes);
            let now = if self.waiting.is_empty() { audio.len() } else { audio.len().min(until_next) };
            self.bytes += now;
            let piece = audio.split_to(now);
            if !piece.is_empty() {
                self.ready.push_back(Piece::Voice(piece));
            }
            self.release();
        }
        self.bytes <= LONGEST
    }

    /// A function was called; told by several events, of which each may know a part.
    pub fn call(&mut self, item_id: &str, call: ToolCall) {
        match self.calls.iter_mut().find(|(known, _)| known == item_id) {
            Some((_, known)) => {
                let newer = |old: &mut String, new: String| {
                    if !new.is_empty() {
                        *old = new
                    }
                };
                newer(&mut known.id, call.id);
                newer(&mut known.name, call.name);
                newer(&mut known.arguments, call.arguments);
            }
            None => self.calls.push((item_id.to_owned(), call)),
        }
    }

    /// Nothing more will come.
    pub fn complete(&mut self) {
        self.waiting.extend(self.splitter.flush());
        while let Some(sentence) = self.waiting.pop_front() {
            self.begin(sentence);
        }
    }

    /// All it says, once it is complete.
    pub fn words(&self) -> &str {
        &self.begun
    }

    pub fn pop(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    /// The functions it called, each with the server's name of its item.
    pub fn calls(&self) -> &[(String, ToolCall)] {
        &self.calls
    }

    /// Neither voice nor a function came.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0 && self.calls.is_empty()
    }

    /// Where the audio of the sentences that are ready ends, by the pace people speak at.
    fn end_of_ready(&self) -> usize {
        self.begun.len() * BYTES_PER_LETTER
    }

    fn release(&mut self) {
        while self.bytes >= self.end_of_ready() {
            let sentence = match self.waiting.pop_front() {
                // The voice is ahead of its sentences: what is there of the next one is part of it already.
                None if self.bytes > self.end_of_ready() => self.splitter.take_words(),
                sentence => sentence,
            };
            let Some(sentence) = sentence else { return };
            self.begin(sentence);
        }
    }

    fn begin(&mut self, sentence: String) {
        if !self.begun.is_empty() {
            self.begun.push(' ');
        }
        self.begun.push_str(&sentence);
        self.ready.push_back(Piece::Sentence(sentence));
    }
}

#[cfg(test)]
mod tests;
