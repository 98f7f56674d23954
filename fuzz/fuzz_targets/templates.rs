//! Any text as a destination: refused with a place in it, or it renders to a path below its base.
#![no_main]

use std::path::Path;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use tidy_core::UnixNanos;
use tidy_core::facts::{Facts, FileType, Identity, Stat};
use tidy_core::name::NAME_MAX;
use tidy_core::template::{Base, Template};

fuzz_target!(|text: &str| {
    let template = match Template::parse(text, Base::Root, &TimeZone::UTC) {
        Ok(template) => template,
        Err(error) => {
            // The span is shown under the text: it must be a piece of it.
            assert!(text.get(error.span()).is_some());
            return;
        }
    };
    assert_eq!(template.text(), text);
    let Ok(place) = template.destination(&facts(), false) else { return };
    assert!(
        place.rel().components().all(|c| c.as_os_str().len() <= NAME_MAX && c.as_os_str() != "..")
    );
});

fn facts() -> Facts {
    let mtime = UnixNanos::from_parts(1_715_038_215, 0);
    let stat = Stat {
        id: Identity { ino: 1, size: 4096, mtime, birth: None },
        file_type: FileType::Regular,
        dev: 1,
        ctime: mtime,
        atime: mtime,
        mode: 0o644,
        nlink: 1,
        uid: 1000,
    };
    Facts::new("/r/Downloads/in/Photo.JPG".into(), Path::new("/r/Downloads").into(), stat)
}
