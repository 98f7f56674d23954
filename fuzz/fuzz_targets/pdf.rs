//! Any bytes as a PDF file: what it says of itself, and its text.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tidy_fuzz::read_as(&["application/pdf"], bytes));
