//! Session descriptions, as an offer to us and as an answer to ours.
//! How they come in a message is the target `sip`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| sip_bridge::fuzzing::description(text));
