//! Any bytes as a book: EPUB, FictionBook, Mobipocket.
#![no_main]

use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 3] =
    ["application/epub+zip", "application/x-fictionbook+xml", "application/x-mobipocket-ebook"];

fuzz_target!(|bytes: &[u8]| tidy_fuzz::read_as(&TYPES, bytes));
