//! Any bytes under any name: what they are is told within the bound, and under every name.
#![no_main]

use std::ffi::OsStr;

use libfuzzer_sys::fuzz_target;
use tidy_core::facts::Fact;
use tidyd::inspect::{CategoryTable, MAX_READ, look};

fuzz_target!(|input: (&str, &[u8], Option<u64>)| {
    let (name, mut content, len) = input;
    let len = len.unwrap_or(content.len() as u64);
    let looked = look(&mut content, OsStr::new(name), len, &CategoryTable::default());
    assert!(looked.bytes_read <= MAX_READ);
    assert!(matches!(looked.kind, Fact::Known(..)));
});
