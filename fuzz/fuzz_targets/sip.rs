//! SIP from the network: the same bytes as a datagram and as a stream.
//! What is asked of a message is in `sip_bridge::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sip_bridge::fuzzing::datagram(bytes);
    sip_bridge::fuzzing::stream(bytes);
});
