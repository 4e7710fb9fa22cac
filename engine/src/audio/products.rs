//! Sums of products of samples, written so that the compiler makes vectors of them.
//! What a sum tells is known where it is asked for.

/// Samples in a piece: pieces of a known length are what the compiler multiplies eight samples at a time.
pub const PIECE: usize = 32;

/// Sum of the products of what stands at the same place in two slices of one length. It is the caller's to know that it fits
/// 32 bits.
pub fn dot(a: &[i16], b: &[i16]) -> i32 {
    let rests = a.as_chunks::<PIECE>().1.iter().zip(b.as_chunks::<PIECE>().1);
    dot_of_pieces(a, b) + rests.map(product).sum::<i32>()
}

/// The same for slices of whole pieces; what is more than that is left out.
#[inline]
pub fn dot_of_pieces(a: &[i16], b: &[i16]) -> i32 {
    let pieces = a.as_chunks::<PIECE>().0.iter().zip(b.as_chunks::<PIECE>().0);
    pieces.map(|(a, b)| a.iter().zip(b).map(product).sum::<i32>()).sum()
}

fn product((a, b): (&i16, &i16)) -> i32 {
    i32::from(*a) * i32::from(*b)
}

/// Sum of the squares. Two at a time fit 32 bits.
pub fn energy(samples: &[i16]) -> u64 {
    let square = |sample: i16| (i32::from(sample) * i32::from(sample)) as u32;
    let (pairs, last) = samples.as_chunks();
    let pairs: u64 = pairs.iter().map(|[a, b]| u64::from(square(*a) + square(*b))).sum();
    pairs + last.iter().map(|sample| u64::from(square(*sample))).sum::<u64>()
}
