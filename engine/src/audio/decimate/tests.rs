//! What the filter's whole numbers may rest on; how it sounds is tested with `resample`.
//! Nothing here runs outside tests.

use super::*;

#[test]
fn no_sum_of_products_with_full_scale_samples_leaves_32_bits() {
    for ratio in 2..=24 {
        let taps = Decimator::new(ratio).taps;
        let sizes: u32 = taps.iter().map(|tap| u32::from(tap.unsigned_abs())).sum();
        assert!(sizes < 2 * ONE as u32 - 1, "{ratio}: {sizes}");
    }
}
