//! Any bytes as an archive: the one folder in it is a name, or there is none.
#![no_main]

use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use tidyd::inspect::top_folder;

fuzz_target!(|bytes: &[u8]| {
    let Some(top) = tidy_fuzz::as_file(bytes, top_folder) else { return };
    let name = top.as_bytes();
    assert!(!matches!(name, b"" | b"." | b".."));
    assert!(!name.contains(&b'/') && !name.contains(&0));
});
