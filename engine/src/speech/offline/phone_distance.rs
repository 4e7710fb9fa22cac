//! How unlike two sequences of phones are: an edit distance in which phones of one kind stand for each other at half price.
//! Where the sequences come from is `belief`.

/// Phones that are easily taken for each other, over a telephone too.
const KINDS: [&[&str]; 14] = [
    &["P", "B"],
    &["T", "D"],
    &["K", "G"],
    &["F", "TH"],
    &["V", "DH", "B"],
    &["S", "Z", "SH"],
    &["CH", "JH", "SH", "ZH"],
    &["M", "N", "NG"],
    &["L", "R", "W"],
    &["IY", "IH", "Y"],
    &["EH", "AE", "EY", "IH"],
    &["AA", "AO", "AH", "AW", "AY"],
    &["UH", "UW", "OW"],
    &["ER", "R", "AH"],
];

/// The least cost of turning `heard` into `expected`, for each phone of `expected`: 0 if they are the same, about 1 if
/// they have nothing to do with each other.
pub fn distance(heard: &[&str], expected: &[&str]) -> f64 {
    let mut costs: Vec<f64> = (0..=heard.len()).map(|n| n as f64).collect();
    for (row, phone) in expected.iter().enumerate() {
        let mut left = row as f64 + 1.0;
        let Some(first) = costs.first_mut() else { break };
        let mut diagonal = std::mem::replace(first, left);
        for (cost, other) in costs.iter_mut().skip(1).zip(heard) {
            let best = (diagonal + substitution(phone, other)).min(*cost + 1.0).min(left + 1.0);
            diagonal = std::mem::replace(cost, best);
            left = best;
        }
    }
    costs.last().copied().unwrap_or_default() / expected.len().max(1) as f64
}

fn substitution(a: &str, b: &str) -> f64 {
    if a == b {
        0.0
    } else if KINDS.iter().any(|kind| kind.contains(&a) && kind.contains(&b)) {
        0.5
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests;
