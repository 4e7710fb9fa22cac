//! Durations counted in a small histogram, one per call, merged for a report. It grows with the longest one counted.
//! Microseconds inside, milliseconds outside, 0.1 % resolution; what is longer than 60 s counts as 60 s.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as V2Reader, Serializer as V2Writer, V2Serializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

const LONGEST_US: u64 = 60_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// Counts durations; recording allocates only for one that is longer than all before.
#[derive(Debug, Clone, PartialEq)]
pub struct Durations(Histogram<u32>);

/// What a report shows of [`Durations`], milliseconds. All zero when nothing was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub min_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

// === impl Percentiles ===

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("not measured");
        }
        let Self { p50_ms, p95_ms, p99_ms, max_ms, .. } = self;
        write!(f, "p50 {p50_ms:.0}  p95 {p95_ms:.0}  p99 {p99_ms:.0}  max {max_ms:.0} ms")
    }
}

// === impl Durations ===

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new(SIGNIFICANT_DIGITS).expect("the constant is a valid number of digits"))
    }
}

impl Durations {
    pub fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(LONGEST_US);
        // It grows as far as it must, and that is bounded.
        let _ = self.0.record(us.min(LONGEST_US));
    }

    pub fn merge(&mut self, other: &Self) {
        // It grows to hold the other's, so adding cannot fail.
        let _ = self.0.add(&other.0);
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What share, 0 to 1, took at most so many ms: a point for each hundredth, in order.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let points = if self.0.is_empty() { 0..0 } else { 0..101 };
        points.map(|n| f64::from(n) / 100.0).map(|share| (ms(self.0.value_at_quantile(share)), share)).collect()
    }

    pub fn percentiles(&self) -> Percentiles {
        if self.0.is_empty() {
            return Percentiles::default();
        }
        Percentiles {
            count: self.0.len(),
            min_ms: ms(self.0.min()),
            p50_ms: ms(self.0.value_at_quantile(0.50)),
            p95_ms: ms(self.0.value_at_quantile(0.95)),
            p99_ms: ms(self.0.value_at_quantile(0.99)),
            max_ms: ms(self.0.max()),
        }
    }
}

/// As HdrHistogram's V2 encoding in base64: nothing is lost on the way.
impl Serialize for Durations {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).map_err(ser::Error::custom)?;
        to.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Durations {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(from)?).map_err(de::Error::custom)?;
        let read: Histogram<u32> = V2Reader::new().deserialize(&mut bytes.as_slice()).map_err(de::Error::custom)?;
        // Whatever bounds it came with, ours are the ones that are added.
        let mut own = Self::default();
        own.0.add(&read).map_err(de::Error::custom)?;
        Ok(own)
    }
}

/// Whole microseconds as milliseconds; reports need no more than the three digits counted.
fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[cfg(test)]
mod tests;
