use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{Allowance, LEAST_COST};

#[test]
fn a_client_in_real_time_never_waits_even_if_it_sends_a_second_at_a_time() {
    let start = Instant::now();
    let mut allowance = Allowance::new(start);
    for second in 0..600 {
        let now = start + Duration::from_secs(second);
        assert_eq!(allowance.next(), None);
        allowance.spend(now, 8000);
    }
}

proptest! {
    #[test]
    fn a_client_that_sends_as_fast_as_it_can_is_held_to_twice_real_time(length in 1_usize..8000) {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let (mut now, mut sent) = (start, 0);
        while now < start + Duration::from_secs(60) {
            allowance.spend(now, length);
            sent += length.max(LEAST_COST);
            now = allowance.next().unwrap_or(now);
        }
        // A minute's worth, what was saved up, and the message that was under way.
        prop_assert!(sent <= 60 * 16_000 + 32_000 + 2 * 8000, "{sent} samples in a minute");
        prop_assert!(sent >= 60 * 16_000, "{sent} samples in a minute");
    }
}
