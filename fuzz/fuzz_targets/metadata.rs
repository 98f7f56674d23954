//! Any bytes as a file of any format: its readers come to an end, and what they say is bounded.
//!
//! The first byte chooses the format. A panic is an error of the reader's here, though the service would only leave the
//! fact unknown.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use tidy_core::category::Category;
use tidy_core::facts::{Fact, Kind};
use tidyd::inspect::metadata::{metadata, text};

const TYPES: [&str; 16] = [
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.text-flat",
    "application/epub+zip",
    "application/x-fictionbook+xml",
    "application/x-mobipocket-ebook",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/heic",
    "image/webp",
    "audio/mpeg",
    "audio/flac",
    "audio/mp4",
    "video/mp4",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    let kind = Kind {
        media_type: TYPES[usize::from(*first) % TYPES.len()].into(),
        category: Category::unknown(),
        mismatch: false,
        true_ext: None,
    };
    let mut file = tempfile::tempfile().expect("a scratch file");
    file.write_all(content).expect("a scratch file");
    let len = content.len() as u64;
    if let Fact::Unreadable(why) = metadata(&file, &kind, len) {
        assert!(!why.contains("its reader failed"), "{why}");
    }
    match text(&file, &kind, len) {
        Fact::Known(text, _) => assert!(text.len() <= 70_000),
        Fact::Unreadable(why) => assert!(!why.contains("its reader failed"), "{why}"),
        Fact::Absent | Fact::Unread => {}
    }
});
