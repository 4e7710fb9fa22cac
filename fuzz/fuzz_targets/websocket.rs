//! What a client says over a WebSocket that carries a call, and keys in SIP INFO.
//! HTTP and WebSocket framing are the libraries'.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| engine::fuzzing::client_message(text));
