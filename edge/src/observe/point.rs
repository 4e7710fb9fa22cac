//! What one data point of the Analytics Engine holds, column by column. The queries in `edge/analytics` go by it.
//! Writing it is `analytics`'.

/// A request that was answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestPoint {
    pub request_id: String,
    /// The route as in the table, `{name}` and all: an endpoint, not a path. Empty for none.
    pub endpoint: String,
    pub method: String,
    pub status: u16,
    pub duration_ms: u64,
    /// Empty for none.
    pub account_id: String,
    /// Empty for none.
    pub call_id: String,
    /// `X-Cache` of the answer; empty for none.
    pub cache: String,
    /// The step that took longest, and how long; empty and 0 for none.
    pub bottleneck: (String, u64),
}

/// A call that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CallPoint {
    pub account_id: String,
    pub call_id: String,
    pub node: String,
    /// `EndCause` as on the wire.
    pub cause: String,
    /// It ended as calls should.
    pub good: bool,
    pub duration_ms: u64,
    pub turns: u32,
    pub cost_microcredits: i64,
    /// Median latency of its turns; 0 without turns.
    pub latency_ms: u64,
}

/// A data point as the platform takes it: at most one index, 20 blobs, 20 doubles.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// What is sampled by: the account, so that a large one does not hide a small one.
    pub index: String,
    pub blobs: Vec<String>,
    pub doubles: [f64; DOUBLES.len()],
}

/// Columns of both kinds of point, in order: `blob1` and on.
pub const BLOBS: [&str; 8] = ["type", "endpoint", "method", "status", "account_id", "call_id", "cache", "bottleneck"];
/// `double1` and on. For a call: ms, 1 if it was good, its cost, its latency, its turns.
pub const DOUBLES: [&str; 5] = ["duration_ms", "success", "cost_microcredits", "wait_ms", "turns"];

/// Blobs of a point together may hold 16 KiB, its index 96 bytes.
const LONGEST_BLOB: usize = 512;
const LONGEST_INDEX: usize = 96;

// === impl RequestPoint ===

impl RequestPoint {
    pub fn columns(&self) -> Columns {
        let blobs = [
            "request",
            &self.endpoint,
            &self.method,
            &self.status.to_string(),
            &self.account_id,
            &self.call_id,
            &self.cache,
            &self.bottleneck.0,
        ];
        let good = if self.status < 500 { 1.0 } else { 0.0 };
        let doubles = [self.duration_ms as f64, good, 0.0, self.bottleneck.1 as f64, 0.0];
        columns(&self.account_id, blobs, doubles)
    }
}

// === impl CallPoint ===

impl CallPoint {
    pub fn columns(&self) -> Columns {
        let blobs = ["call", &self.node, "", &self.cause, &self.account_id, &self.call_id, "", ""];
        let good = if self.good { 1.0 } else { 0.0 };
        let (cost, turns) = (self.cost_microcredits as f64, f64::from(self.turns));
        columns(&self.account_id, blobs, [self.duration_ms as f64, good, cost, self.latency_ms as f64, turns])
    }
}

fn columns(index: &str, blobs: [&str; BLOBS.len()], doubles: [f64; DOUBLES.len()]) -> Columns {
    let blobs = blobs.iter().map(|blob| cut(blob, LONGEST_BLOB).to_owned()).collect();
    Columns { index: cut(index, LONGEST_INDEX).to_owned(), blobs, doubles }
}

/// The longest beginning of `text` of at most `bytes` bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
