//! What Cloudflare charges, from its own pages as they stood in November 2026; each constant names its page.
//! How much is used is `edge`'s business.

/// A meter: so much a month is included, each million more costs so much.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    pub what: &'static str,
    pub unit: &'static str,
    pub included: f64,
    /// $.
    pub per_million: f64,
}

/// Of stored data, by the GB-month.
#[derive(Debug, Clone, Copy)]
pub struct Storage {
    pub what: &'static str,
    pub included_gb: f64,
    /// $.
    pub per_gb_month: f64,
}

/// The Workers Paid plan, $ a month (developers.cloudflare.com/workers/platform/pricing).
pub const PLAN: f64 = 5.0;

pub const WORKER_REQUESTS: Meter =
    Meter { what: "Worker requests", unit: "requests", included: 10e6, per_million: 0.30 };
pub const WORKER_CPU: Meter = Meter { what: "Worker CPU", unit: "ms", included: 30e6, per_million: 0.02 };

// developers.cloudflare.com/durable-objects/platform/pricing
pub const OBJECT_REQUESTS: Meter =
    Meter { what: "Durable Object requests", unit: "requests", included: 1e6, per_million: 0.15 };
pub const OBJECT_DURATION: Meter =
    Meter { what: "Durable Object duration", unit: "GB-s", included: 400e3, per_million: 12.50 };
pub const OBJECT_ROWS_WRITTEN: Meter =
    Meter { what: "Durable Object rows written", unit: "rows", included: 50e6, per_million: 1.00 };
pub const OBJECT_ROWS_READ: Meter =
    Meter { what: "Durable Object rows read", unit: "rows", included: 25e9, per_million: 0.001 };
pub const OBJECT_STORAGE: Storage = Storage { what: "Durable Object storage", included_gb: 5.0, per_gb_month: 0.20 };
/// An object is billed for so much memory, GB.
pub const OBJECT_GB: f64 = 0.128;
/// Incoming WebSocket messages that count as one request.
pub const MESSAGES_PER_REQUEST: f64 = 20.0;

// developers.cloudflare.com/d1/platform/pricing
pub const D1_ROWS_WRITTEN: Meter = Meter { what: "D1 rows written", unit: "rows", included: 50e6, per_million: 1.00 };

// developers.cloudflare.com/kv/platform/pricing
pub const KV_READS: Meter = Meter { what: "KV reads", unit: "reads", included: 10e6, per_million: 0.50 };

// developers.cloudflare.com/r2/pricing; what leaves R2 is free.
pub const R2_CLASS_A: Meter =
    Meter { what: "R2 class A operations", unit: "operations", included: 1e6, per_million: 4.50 };
pub const R2_STORAGE: Storage = Storage { what: "R2 storage", included_gb: 10.0, per_gb_month: 0.015 };

// developers.cloudflare.com/queues/platform/pricing: a message is written, read and deleted.
pub const QUEUE_OPERATIONS: Meter =
    Meter { what: "Queue operations", unit: "operations", included: 1e6, per_million: 0.40 };
pub const OPERATIONS_PER_MESSAGE: f64 = 3.0;

// developers.cloudflare.com/observability/pricing, from December 2026 on: $0.25 a GB.
pub const LOGS: Meter = Meter { what: "Logs", unit: "kB", included: 50e6, per_million: 0.25 };

// === impl Meter ===

impl Meter {
    /// $ for so much in a month.
    pub fn dollars(&self, used: f64) -> f64 {
        (used - self.included).max(0.0) / 1e6 * self.per_million
    }
}

// === impl Storage ===

impl Storage {
    pub fn dollars(&self, gb: f64) -> f64 {
        (gb - self.included_gb).max(0.0) * self.per_gb_month
    }
}
