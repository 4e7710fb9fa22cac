//! Messages out of a byte stream, by Content-Length (RFC 3261 18.3), and the pings between them (RFC 5626 3.5.1).
//! Not here: reading the stream (`stream`), what a message is worth (`gate`).

use super::gate::{declared_length, end_of_head};

/// Longest message taken, bytes; a telephone's is some 2,000.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// What the bytes so far hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// One whole message.
    Message(Vec<u8>),
    /// CRLF CRLF between messages: answered with CRLF.
    Ping,
    /// The head of a message whose end cannot be known: nothing after it can be read.
    Endless(Vec<u8>),
    /// More than any message may have.
    TooLong,
    /// More bytes are needed.
    Partial,
}

/// Bytes that came and are not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    waiting: Vec<u8>,
}

impl Frames {
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Nothing of a message is waiting.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn next(&mut self) -> Frame {
        if self.waiting.starts_with(b"\r\n\r\n") {
            self.waiting.drain(..4);
            return Frame::Ping;
        }
        // Empty lines before a message are ignored; the first half of a ping waits for the second.
        let blank = self.waiting.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if blank > 0 && blank < self.waiting.len() {
            self.waiting.drain(..blank);
        }
        let Some(head_bytes) = end_of_head(&self.waiting) else { return self.unfinished() };
        let length = self.waiting.get(..head_bytes).map(declared_length);
        let Some(Ok(body_bytes)) = length else {
            let mut head = std::mem::take(&mut self.waiting);
            head.truncate(head_bytes + 4);
            return Frame::Endless(head);
        };
        let Some(total) = (head_bytes + 4).checked_add(body_bytes).filter(|total| *total <= MAX_MESSAGE_BYTES) else {
            return Frame::TooLong;
        };
        if self.waiting.len() < total {
            return Frame::Partial;
        }
        Frame::Message(self.waiting.drain(..total).collect())
    }

    fn unfinished(&self) -> Frame {
        if self.waiting.len() > MAX_MESSAGE_BYTES { Frame::TooLong } else { Frame::Partial }
    }
}
