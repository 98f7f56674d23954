//! What the targets of the readers share: bytes as a file of one of some types, and what must hold of the answers.
//!
//! A panic in a reader is an error here, though the service would only leave the fact unknown. What they allocate and how
//! long they take is bounded by the process they run in; libFuzzer's `-rss_limit_mb` and `-timeout` stand for it.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;

use tidy_core::category::Category;
use tidy_core::facts::{Fact, Kind};
use tidyd::inspect::metadata::{metadata, text};

/// Longest text a reader may give, bytes: 64 KiB and the end of the last word.
const MAX_TEXT: usize = 70_000;

thread_local! {
    static SCRATCH: RefCell<File> = RefCell::new(tempfile::tempfile().expect("a scratch file"));
}

/// Reads the bytes as each of these types.
pub fn read_as(types: &[&'static str], content: &[u8]) {
    as_file(content, |file| {
        for media_type in types {
            read(file, media_type, content.len() as u64);
        }
    });
}

/// Does something with a file that has these bytes.
pub fn as_file<T>(content: &[u8], then: impl FnOnce(&File) -> T) -> T {
    SCRATCH.with_borrow_mut(|file| {
        file.set_len(0).expect("the scratch file is cut");
        file.write_all_at(content, 0).expect("the scratch file is written");
        then(file)
    })
}

fn read(file: &File, media_type: &'static str, len: u64) {
    let kind = Kind {
        media_type: media_type.into(),
        category: Category::unknown(),
        mismatch: false,
        true_ext: None,
    };
    if let Fact::Unreadable(why) = metadata(file, &kind, len) {
        assert!(!why.contains("its reader failed"), "{media_type}: {why}");
    }
    match text(file, &kind, len) {
        Fact::Known(text, _) => {
            assert!(text.len() <= MAX_TEXT, "{media_type}: {} bytes of text", text.len())
        }
        Fact::Unreadable(why) => assert!(!why.contains("its reader failed"), "{media_type}: {why}"),
        Fact::Absent | Fact::Unread => {}
    }
}
