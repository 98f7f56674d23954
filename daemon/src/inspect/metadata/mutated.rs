//! Files of every format that is read, damaged at random: no reader panics on them, and each comes to an
//! end. The same on every machine; `fuzz/` goes on where this stops.

use std::os::unix::fs::FileExt;

use tidy_core::category::Category;
use tidy_core::facts::Kind;
use zip::CompressionMethod::{Deflated, Stored};

use super::testing::packed;
use super::{books, metadata, pdf, pictures, recordings, text};

const CORE: &str = "<p xmlns:dc='x'><dc:title>T</dc:title><dc:creator>C</dc:creator></p>";
const BODY: &str = "<w:p><w:r><w:t>some &amp; text</w:t></w:r></w:p>";

/// One file a reader, and what it is.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let word = [("docProps/core.xml", CORE), ("word/document.xml", BODY)];
    let open =
        [("meta.xml", "<meta><title>T</title></meta>"), ("content.xml", "<body><p>x</p></body>")];
    let container = "<rootfile full-path='c.opf'/>";
    let opf = "<p><title>T</title><item id='a' href='a.xhtml'/><itemref idref='a'/></p>";
    let epub = [
        ("META-INF/container.xml", container),
        ("c.opf", opf),
        ("a.xhtml", "<html><p>text</p></html>"),
    ];
    let fb2 = "<FictionBook><title-info><author><last-name>A</last-name></author>\
               <book-title>B</book-title></title-info><body><p>x</p></body></FictionBook>";
    let page = "BT /F 12 Tf 50 700 Td [(some) -200 (text)] TJ ET";
    vec![
        ("application/pdf", pdf::tests::pdf("/Title(T)/CreationDate(D:2024)", &[page, page])),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            packed(&word, Stored),
        ),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            packed(&word, Deflated),
        ),
        ("application/vnd.oasis.opendocument.text", packed(&open, Stored)),
        ("application/epub+zip", packed(&epub, Stored)),
        ("application/x-fictionbook+xml", fb2.into()),
        ("application/x-mobipocket-ebook", books::tests::kindle()),
        ("audio/mpeg", recordings::tests::mp3(&[("TIT2", "T"), ("TPE1", "A"), ("TRCK", "4/9")])),
        ("video/mp4", recordings::tests::mp4(3_000_000_000)),
        (
            "image/jpeg",
            pictures::tests::jpeg(&[(exif::Tag::DateTimeOriginal, "2024:05:06 10:00:00")]),
        ),
        (
            "image/png",
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x08\x08\x02\0\0\0\0\0\0\0\
                        \0\0\0\x07tEXtTitle\0T\0\0\0\0\0\0\0\0IEND\0\0\0\0"
                .to_vec(),
        ),
    ]
}

/// Damaged files of each sample; `TIDYD_TEST_MUTATIONS` says otherwise.
const EACH: usize = 300;

/// xorshift64*, from a fixed beginning.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or(0) % sides.max(1)
    }

    /// Values at which things break more often than elsewhere.
    fn byte(&mut self) -> u8 {
        const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'<', b'(', b'0'];
        match self.roll(2) {
            0 => EDGES[self.roll(EDGES.len())],
            _ => u8::try_from(self.roll(256)).unwrap_or(0),
        }
    }

    /// Flips, overwrites, cuts, doubles and takes out.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.roll(6) {
            let at = self.roll(bytes.len());
            match self.roll(8) {
                0 => bytes.truncate(at),
                1 => {
                    let end = (at + self.roll(64)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                2 => {
                    let end = (at + self.roll(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
                3 => {
                    let end = (at + 4).min(bytes.len());
                    let with = self.byte();
                    bytes[at..end].fill(with);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = self.byte();
                    }
                }
            }
        }
    }
}

#[test]
fn no_reader_fails_on_what_is_damaged() {
    let each = std::env::var("TIDYD_TEST_MUTATIONS").ok().and_then(|n| n.parse().ok());
    let each: usize = each.unwrap_or(EACH);
    // A panic is caught and told as this reason, which nothing else gives.
    let failed = |why: &str| why.contains("its reader failed");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for (media_type, whole) in samples() {
        let kind = Kind {
            media_type: media_type.into(),
            category: Category::unknown(),
            mismatch: false,
            true_ext: None,
        };
        for n in 0..each {
            let mut bytes = whole.clone();
            if n > 0 {
                dice.damage(&mut bytes);
            }
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&bytes, 0).unwrap();
            let len = bytes.len() as u64;
            let says = format!("{:?}{:?}", metadata(&file, &kind, len), text(&file, &kind, len));
            assert!(!failed(&says), "{media_type}, {n}: {says}\n{}", bytes.escape_ascii());
        }
    }
}
