//! The linear path from a reference to what was heard: a short filter fitted by least squares.
//! It takes in gain, resamplers and fractions of a sample of delay, so that what is left over is damage.

/// Taps on each side of the middle one: 2 ms, longer than the resamplers differ.
pub const SIDE: usize = 16;
const TAPS: usize = 2 * SIDE + 1;
/// Keeps the equations solvable where the reference has no energy (above 3.4 kHz), as a share of its power.
const RIDGE: f64 = 1e-6;

/// `heard[n]` as a filter of `reference` would have it. Both are aligned and of the same length.
pub fn expected(heard: &[f64], reference: &[f64]) -> Vec<f64> {
    let taps = fit(heard, reference);
    let at = |n: usize, tap: usize| (n + SIDE).checked_sub(tap).and_then(|place| reference.get(place)).unwrap_or(&0.0);
    (0..reference.len()).map(|n| taps.iter().enumerate().map(|(tap, weight)| weight * at(n, tap)).sum()).collect()
}

/// The weights w with the least Σ (heard\[n\] - Σ w\[k\] reference\[n + SIDE - k\])².
fn fit(heard: &[f64], reference: &[f64]) -> [f64; TAPS] {
    // Sum of a[n + shift] · b[n].
    let product = |a: &[f64], shift: usize, b: &[f64]| -> f64 { a.iter().skip(shift).zip(b).map(|(a, b)| a * b).sum() };
    let auto: [f64; TAPS] = std::array::from_fn(|shift| product(reference, shift, reference));
    let mut rows: [[f64; TAPS]; TAPS] = std::array::from_fn(|row| std::array::from_fn(|tap| auto[row.abs_diff(tap)]));
    let mut right: [f64; TAPS] = std::array::from_fn(|tap| match tap.checked_sub(SIDE) {
        Some(late) => product(heard, late, reference),
        None => product(reference, SIDE - tap, heard),
    });
    for (n, row) in rows.iter_mut().enumerate() {
        row[n] += auto[0] * RIDGE;
    }
    solve(&mut rows, &mut right);
    right
}

/// Gaussian elimination; the matrix is positive definite, so it needs no pivoting.
fn solve(rows: &mut [[f64; TAPS]; TAPS], right: &mut [f64; TAPS]) {
    for pivot in 0..TAPS {
        let from = rows[pivot];
        for below in pivot + 1..TAPS {
            let factor = rows[below][pivot] / from[pivot];
            rows[below].iter_mut().zip(&from).for_each(|(value, above)| *value -= factor * above);
            right[below] -= factor * right[pivot];
        }
    }
    for pivot in (0..TAPS).rev() {
        let known: f64 = (pivot + 1..TAPS).map(|column| rows[pivot][column] * right[column]).sum();
        right[pivot] = (right[pivot] - known) / rows[pivot][pivot];
    }
}

#[cfg(test)]
mod tests;
