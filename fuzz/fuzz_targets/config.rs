//! Files people write: `tandem.toml`, and agents with their scripts.
//! Environment and flags become the same settings.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    engine::fuzzing::settings(text);
    engine::fuzzing::agent(text);
});
