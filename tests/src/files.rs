//! Files to put in order: small, real (a decoder accepts them) and the same on every run.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::Run;

/// What a generated file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    Png,
    Jpeg,
    Pdf,
    Zip,
    Mp3,
    Text,
}

impl Sample {
    pub const ALL: [Self; 6] = [Self::Png, Self::Jpeg, Self::Pdf, Self::Zip, Self::Mp3, Self::Text];

    /// The usual extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Pdf => "pdf",
            Self::Zip => "zip",
            Self::Mp3 => "mp3",
            Self::Text => "txt",
        }
    }

    /// The content of the file with number `seed`: equal for equal numbers, different for different ones.
    pub fn content(self, seed: u32) -> Vec<u8> {
        match self {
            Self::Png => png(seed),
            Self::Jpeg => jpeg(seed),
            Self::Pdf => pdf(seed),
            Self::Zip => zip(&[(&format!("note-{seed}.txt"), text(seed).as_bytes())]),
            Self::Mp3 => mp3(seed),
            Self::Text => text(seed).into_bytes(),
        }
    }
}

/// Writes `count` files of all kinds in turn into `directory`, named `<number>.<extension>`, and returns their paths.
pub fn make(directory: &Path, count: u32) -> Vec<PathBuf> {
    fs::create_dir_all(directory).expect("own directory");
    (0..count)
        .zip(Sample::ALL.into_iter().cycle())
        .map(|(number, sample)| {
            let path = directory.join(format!("{number:06}.{}", sample.extension()));
            fs::write(&path, sample.content(number)).expect("own file");
            path
        })
        .collect()
}

/// `cp -r from to`, by the real cp, as a user would.
#[track_caller]
pub fn copy_tree(from: &Path, to: &Path) {
    Run::of(Command::new("cp").arg("-r").arg(from).arg(to)).ok();
}

/// Copies what is in `from`, files and directories, into `to`, over what is there.
#[track_caller]
pub fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("own directory");
    for entry in fs::read_dir(from).expect("own directory") {
        let path = entry.expect("own directory").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        let kind = path.symlink_metadata().expect("own file").file_type();
        if kind.is_dir() {
            copy_into(&path, &target);
        } else if kind.is_file() {
            fs::copy(&path, &target).expect("own file");
        }
    }
}

/// A file somebody is still writing: open until [`SlowWriter::finish`], growing when the test says so.
#[derive(Debug)]
pub struct SlowWriter {
    file: File,
}

impl SlowWriter {
    /// Makes the file, empty.
    pub fn open(path: &Path) -> Self {
        Self { file: File::create_new(path).expect("own file") }
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).expect("own file");
    }

    /// Closes it.
    pub fn finish(self) {}
}

fn text(seed: u32) -> String {
    let line = |n| format!("Line {n} of note {seed}: buy milk and call Ada about the plants.\n");
    (1..=20).map(line).collect()
}

/// One pixel of a colour that is the seed, in an 8-bit RGBA image (PNG specification, ISO/IEC 15948).
fn png(seed: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(1_u32.to_be_bytes());
    header.extend(1_u32.to_be_bytes());
    // bit depth, colour type RGBA, compression, filter, interlace
    header.extend([8, 6, 0, 0, 0]);
    // one row: the filter of the row, then the pixel
    let mut row = vec![0];
    row.extend(seed.to_be_bytes());

    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", zlib_stored(&row)), (b"IEND", Vec::new())] {
        out.extend(length32(&data).to_be_bytes());
        let start = out.len();
        out.extend(kind);
        out.extend(data);
        let sum = crc32(&out[start..]);
        out.extend(sum.to_be_bytes());
    }
    out
}

/// A zlib stream (RFC 1950) of one stored block (RFC 1951), for less than 64 KiB.
fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a small file");
    let mut out = vec![0x78, 0x01, 0x01];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(data);
    out.extend(adler32(data).to_be_bytes());
    out
}

/// A grey 8×8 baseline JPEG (ITU T.81) with the seed in a comment.
fn jpeg(seed: u32) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    let mut segment = |marker: u8, data: &[u8]| {
        out.extend([0xff, marker]);
        out.extend(u16::try_from(data.len() + 2).expect("a small segment").to_be_bytes());
        out.extend(data);
    };
    segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    segment(0xfe, format!("number {seed}").as_bytes());
    // quantization table 0: all ones
    segment(0xdb, &[&[0][..], &[1; 64]].concat());
    // frame: 8 bits, 8×8, one component with table 0
    segment(0xc0, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]);
    // Huffman tables DC 0 and AC 0: one code each, one bit long, for the symbol 0 (no difference; end of block)
    for class in [0x00, 0x10] {
        segment(0xc4, &[&[class, 1][..], &[0; 15], &[0]].concat());
    }
    segment(0xda, &[1, 1, 0, 0, 63, 0]);
    // The two codes are 0 and 0; the rest of the byte is filled with ones.
    out.extend([0b0011_1111, 0xff, 0xd9]);
    out
}

/// A picture as a camera writes it: with these texts in its Exif fields, by tag number (Exif 2.3; TIFF 6.0).
pub fn photo(fields: &[(u16, &str)]) -> Vec<u8> {
    /// The pointer to the fields that TIFF itself does not know, which have the higher numbers.
    const EXIF: u16 = 0x8769;
    let (own, exif): (Vec<_>, Vec<_>) = fields.iter().partition(|(tag, _)| *tag < EXIF);
    let table = |fields: &[&(u16, &str)], at: usize, pointer: bool| {
        let entries = fields.len() + usize::from(pointer);
        let mut texts: Vec<u8> = Vec::new();
        let end = at + 2 + entries * 12 + 4;
        let mut out = u16::try_from(entries).expect("a few").to_le_bytes().to_vec();
        for (tag, text) in fields {
            // Longer than the four bytes that an entry has room for.
            let text = format!("{text:<4}\0");
            out.extend(tag.to_le_bytes());
            out.extend([2, 0]);
            out.extend(length32(text.as_bytes()).to_le_bytes());
            out.extend(u32::try_from(end + texts.len()).expect("small").to_le_bytes());
            texts.extend(text.as_bytes());
        }
        if pointer {
            out.extend(EXIF.to_le_bytes());
            out.extend([4, 0, 1, 0, 0, 0]);
            out.extend(u32::try_from(end + texts.len()).expect("small").to_le_bytes());
        }
        out.extend([0; 4]);
        out.extend(texts);
        out
    };
    let mut sorted = own;
    sorted.sort_unstable();
    let first = table(&sorted, 8, !exif.is_empty());
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend(&first);
    if !exif.is_empty() {
        let mut sorted = exif;
        sorted.sort_unstable();
        tiff.extend(table(&sorted, 8 + first.len(), false));
    }
    let mut out = vec![0xff, 0xd8, 0xff, 0xe1];
    out.extend(u16::try_from(tiff.len() + 8).expect("a small segment").to_be_bytes());
    out.extend(b"Exif\0\0");
    out.extend(tiff);
    out.extend(&jpeg(1)[2..]);
    out
}

/// Music: an ID3v2.3 tag with these frames in front of some frames of silence.
pub fn music(frames: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, value) in frames {
        let text = [b"\x03".as_slice(), value.as_bytes()].concat();
        body.extend(id.as_bytes());
        body.extend(length32(&text).to_be_bytes());
        body.extend([0, 0]);
        body.extend(text);
    }
    let size = length32(&body);
    let size = [0, 0, u8::try_from(size >> 7).expect("a small tag"), (size & 0x7f) as u8];
    let silence = [b"\xff\xfb\x90\x00".as_slice(), &[0; 413]].concat();
    [b"ID3\x03\0\0".as_slice(), &size, &body, &silence.repeat(8)].concat()
}

/// One page of text, with a cross-reference table (ISO 32000-1, 7.5).
fn pdf(seed: u32) -> Vec<u8> {
    let page = format!("BT /F1 12 Tf 20 100 Td (Page {seed}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut out = "%PDF-1.4\n".to_owned();
    let mut table = "0000000000 65535 f \n".to_owned();
    for (number, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", out.len());
        out += &format!("{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let start = out.len();
    let size = objects.len() + 1;
    out += &format!(
        "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    );
    out.into_bytes()
}

/// An archive of stored files (PKWARE APPNOTE, 4.3).
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in files {
        let offset = length32(&out);
        // What local and central header share: version 1.0, no flags, stored, midnight of 1 January 1980.
        let mut common = vec![10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(data).to_le_bytes());
        common.extend(length32(data).to_le_bytes());
        common.extend(length32(data).to_le_bytes());
        common.extend(u16::try_from(name.len()).expect("a short name").to_le_bytes());
        common.extend([0, 0]);

        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(*data);

        directory.extend(b"PK\x01\x02\x0a\0");
        directory.extend(&common);
        // comment length, disk, attributes: none
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len()).expect("a few files").to_le_bytes();
    let offset = length32(&out);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count);
    out.extend(count);
    out.extend(length32(&directory).to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// A title (ID3v2.3) and eight frames of silence: MPEG-1 layer III, 128 kbit/s, 44.1 kHz, 417 bytes each.
fn mp3(seed: u32) -> Vec<u8> {
    let title = format!("\0Song {seed}");
    let mut frame = b"TIT2".to_vec();
    frame.extend(length32(title.as_bytes()).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(title.as_bytes());
    let size = u8::try_from(frame.len()).ok().filter(|n| *n < 128).expect("one digit of base 128");
    let mut out = b"ID3\x03\0\0\0\0\0".to_vec();
    out.push(size);
    out.extend(frame);
    for _ in 0..8 {
        out.extend([0xff, 0xfb, 0x90, 0x00]);
        out.extend([0; 413]);
    }
    out
}

fn length32(data: &[u8]) -> u32 {
    u32::try_from(data.len()).expect("a small file")
}

/// CRC-32 as in PNG and ZIP (ISO 3309), bit by bit: the files are small.
fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// RFC 1950, section 8.2.
fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_checksums_are_the_standard_ones() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn a_number_is_a_content() {
        for sample in Sample::ALL {
            assert_eq!(sample.content(7), sample.content(7));
            let contents: BTreeSet<_> = (0..50).map(|n| sample.content(n)).collect();
            assert_eq!(contents.len(), 50, "{sample:?}");
        }
    }

    #[test]
    fn the_cross_references_of_a_pdf_point_at_its_objects() {
        let pdf = String::from_utf8(pdf(3)).unwrap();
        let offsets = pdf.lines().filter_map(|l| l.strip_suffix(" 00000 n "));
        for (number, offset) in offsets.enumerate() {
            let at: usize = offset.parse().unwrap();
            assert!(pdf[at..].starts_with(&format!("{} 0 obj", number + 1)));
        }
        let (_, start) = pdf.split_once("startxref\n").unwrap();
        assert!(pdf[start.lines().next().unwrap().parse().unwrap()..].starts_with("xref\n"));
    }

    #[test]
    fn a_tree_is_made_and_copied_whole() {
        let dir = tempfile::tempdir().unwrap();
        let paths = make(&dir.path().join("a"), 13);
        assert_eq!(paths.len(), 13);
        assert!(paths[12].ends_with("000012.png"));
        copy_tree(&dir.path().join("a"), &dir.path().join("b"));
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let names =
            |dir: &Path| -> Vec<_> { crate::Snapshot::take(dir).entries.into_keys().collect() };
        assert_eq!(names(&a), names(&b));
        assert!(crate::Snapshot::take(&a).lost_by(&crate::Snapshot::take(&b)).is_empty());
    }

    #[test]
    fn a_slow_writer_grows_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slow.iso");
        let mut writer = SlowWriter::open(&path);
        writer.write(b"one");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        writer.write(b"two");
        writer.finish();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
    }
}
