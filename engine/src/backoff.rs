//! Pauses between attempts that fail one after the other.
//! What is tried again, and when the first pause counts anew, is decided by whoever tries.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Doubling pauses up to the longest, without end. Chance adds as much again at most, so that nodes that lost the edge
/// together do not come back together.
pub fn pauses(shortest: Duration, longest: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).with_jitter().without_max_times()
}
