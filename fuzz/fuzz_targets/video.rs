//! Any bytes as a film: when it was made, its length and size.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidy_fuzz::read_as(&["video/mp4"], bytes));
