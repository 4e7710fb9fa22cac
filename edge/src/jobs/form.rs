//! A form with one file (multipart/form-data, RFC 7578) around bytes that are streamed past.
//! Who it is sent to is `transcription`'s.

/// What comes before and after the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub content_type: String,
    pub before: Vec<u8>,
    pub after: Vec<u8>,
}

// === impl Form ===

impl Form {
    /// `boundary` must not occur in the file: a random one does not. Names and values are our own and need no escapes.
    pub fn new(boundary: &str, fields: &[(&str, &str)], file_name: &str, file_type: &str) -> Self {
        let mut before = String::new();
        for (name, value) in fields {
            before.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        before.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
             Content-Type: {file_type}\r\n\r\n"
        ));
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            before: before.into_bytes(),
            after: format!("\r\n--{boundary}--\r\n").into_bytes(),
        }
    }

    /// Length of the whole with a file of `file_bytes`.
    pub fn bytes(&self, file_bytes: u64) -> u64 {
        file_bytes + (self.before.len() + self.after.len()) as u64
    }
}

#[cfg(test)]
mod tests;
