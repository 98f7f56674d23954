//! Any bytes as a recording: tags and lengths.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidy_fuzz::read_as(&["audio/mpeg"], bytes));
