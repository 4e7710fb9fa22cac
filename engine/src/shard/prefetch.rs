//! A hint to the processor: memory that is needed soon is to come nearer now.
//! What is worth it, and how long before, is whoever asks's to know.

/// Bytes that come at a time.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Asks for all of `what`, but not for what it points to. Does nothing where there is no such hint.
pub fn prefetch<T>(what: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = std::ptr::from_ref(what).cast::<i8>();
        let within_line = start.addr() % CACHE_LINE;
        for offset in (0..within_line + size_of::<T>()).step_by(CACHE_LINE) {
            // SAFETY: a hint loads nothing into a register and never faults, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_sub(within_line).wrapping_add(offset)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = what;
}
