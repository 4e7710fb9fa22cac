//! A call on a line that carries anything: packets, reports, changes of codec, and time that passes between them.
//! RTCP alone is the target `rtcp`.
#![no_main]

mod call;

use call::{FuzzedCall, session};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, mut rest)) = bytes.split_first() else { return };
    let mut call = FuzzedCall::new(session(*first));
    // Each piece: what it is, how long it is, its bytes.
    while let [kind, length, after @ ..] = rest {
        let (piece, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        match kind % 16 {
            0..=9 => call.rtp(piece),
            10 | 11 => call.rtcp(piece),
            12 => call.change(session(*length)),
            _ => call.pass(kind / 16 + 1),
        }
    }
    call.end();
});
