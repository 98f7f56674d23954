//! Any bytes as a picture: Exif, sizes, and the texts of PNG.
#![no_main]

use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/x-canon-cr3"];

// The readers tell the formats apart by the bytes; the type only says which of them are asked.
fuzz_target!(|bytes: &[u8]| tidy_fuzz::read_as(&TYPES, bytes));
