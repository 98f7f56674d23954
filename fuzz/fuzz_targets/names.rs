//! Any bytes as a file name: what is made of it fits, differs where it must, and is safe to print.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use tidy_core::name;

fuzz_target!(|bytes: &[u8]| {
    let raw = OsStr::from_bytes(bytes);
    assert!(!name::shown(raw).contains(char::is_control));

    let text = String::from_utf8_lossy(bytes);
    let _ = name::host(&text);
    let component = name::safe_component(&text);
    assert!(!component.is_empty() && component != "." && component != "..");
    assert!(!component.contains(['/', '\0', '\n']));

    if bytes.is_empty() || bytes.contains(&b'/') || bytes.contains(&0) {
        return;
    }
    let (second, third) = (name::numbered(raw, 2), name::numbered(raw, 3));
    assert!(second.len() <= name::NAME_MAX && third.len() <= name::NAME_MAX);
    assert!(second != raw && second != third);
    for max in [1, 20, name::NAME_MAX] {
        assert!(name::fit(raw, max).len() <= max);
    }
});
