//! Books: EPUB (a ZIP package), FictionBook (XML, as it is or zipped), and Mobipocket with its Kindle
//! descendants (a Palm database).

use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use tidy_core::facts::Source;
use tidy_core::metadata::{Key, Metadata};

use super::package::Package;
use super::xml::{self, Item, Prose};
use super::{Limited, TEXT_BYTES, Why, put_moment};

pub(super) fn is_epub(media_type: &str) -> bool {
    media_type == "application/epub+zip"
}

pub(super) fn is_fb2(media_type: &str) -> bool {
    media_type == "application/x-fictionbook+xml"
}

pub(super) fn is_mobi(media_type: &str) -> bool {
    const KNOWN: [&str; 3] = [
        "application/x-mobipocket-ebook",
        "application/vnd.amazon.ebook",
        "application/vnd.amazon.mobi8-ebook",
    ];
    KNOWN.contains(&media_type)
}

/// Of a FictionBook: its description stands before the book.
const HEAD: u64 = 256 * 1024;

/// Chapters that are looked at for text.
const CHAPTERS: usize = 50;

pub(super) fn epub(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let mut package = Package::open(file)?;
    let Some(opf) = root_file(&mut package).and_then(|name| package.part(&name)) else {
        return Ok(());
    };
    let [title, creator, date] = xml::texts(opf, ["title", "creator", "date"]);
    into.put_text(Key::Title, title.as_deref(), Source::Document);
    into.put_text(Key::Author, creator.as_deref(), Source::Document);
    put_moment(Key::Written, date.as_deref(), into);
    Ok(())
}

/// The package document (EPUB 3.3, section 4.2.6.3.1.1).
fn root_file(package: &mut Package<'_>) -> Option<String> {
    let container = package.part("META-INF/container.xml")?;
    let mut found = None;
    xml::walk(container, |item| match item {
        Item::Open("rootfile", attributes) => {
            found = attributes.get("full-path");
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found
}

const PAGE: Prose = Prose {
    within: &[],
    without: &["head", "script", "style"],
    lines: &["p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "blockquote", "dt", "dd"],
    spaces: &["br", "td"],
};

pub(super) fn epub_text(file: Limited<'_>) -> Result<String, Why> {
    let mut package = Package::open(file)?;
    let mut text = String::new();
    let Some(root) = root_file(&mut package) else { return Ok(text) };
    let Some(opf) = package.part(&root) else { return Ok(text) };
    let base = root.rfind('/').map_or("", |at| &root[..=at]);
    for chapter in spine(opf) {
        if let Some(page) = package.part(&format!("{base}{}", decoded(&chapter))) {
            PAGE.read(page, &mut text, TEXT_BYTES);
        }
        if text.len() >= TEXT_BYTES {
            break;
        }
    }
    Ok(text)
}

/// The chapters in the order in which they are read.
fn spine(opf: impl Read) -> Vec<String> {
    let mut items: Vec<(String, String)> = Vec::new();
    let mut order: Vec<String> = Vec::new();
    xml::walk(opf, |item| {
        match item {
            Item::Open("item", a) => items.extend(a.get("id").zip(a.get("href"))),
            Item::Open("itemref", a) => order.extend(a.get("idref")),
            _ => {}
        }
        match order.len() < CHAPTERS {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    let href = |id: &String| items.iter().find(|(i, _)| i == id).map(|(_, href)| href.clone());
    order.iter().filter_map(href).collect()
}

/// `%20` is a space in the reference to a part, and none in its name.
fn decoded(href: &str) -> String {
    let mut bytes = Vec::with_capacity(href.len());
    let mut rest = href.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = hex.and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn fb2(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let (mut path, mut name): (Vec<String>, Vec<String>) = Default::default();
    let (mut title, mut has_author) = (String::new(), false);
    xml::walk(file.take(HEAD), |item| {
        match item {
            // Deeper than any description is; the body is not looked at.
            Item::Open("body", _) => return ControlFlow::Break(()),
            Item::Open(..) if path.len() > 16 => return ControlFlow::Break(()),
            Item::Open(element, _) => path.push(element.to_owned()),
            Item::Close("title-info") => return ControlFlow::Break(()),
            Item::Close(element) => {
                path.pop();
                // The first one is who a file is named after.
                has_author |= element == "author" && !name.is_empty();
            }
            Item::Text(text) => {
                let at: Vec<&str> = path.iter().rev().take(3).map(String::as_str).collect();
                match at.as_slice() {
                    ["book-title", "title-info", ..] => xml::push(&mut title, text, 4096),
                    [
                        "first-name" | "middle-name" | "last-name" | "nickname",
                        "author",
                        "title-info",
                    ] if !has_author => name.push(text.trim().to_owned()),
                    _ => {}
                }
            }
        }
        ControlFlow::Continue(())
    });
    name.retain(|part| !part.is_empty());
    into.put_text(Key::Title, Some(&title), Source::Document);
    into.put_text(Key::Author, Some(&name.join(" ")), Source::Document);
    Ok(())
}

const FB2_TEXT: Prose = Prose {
    within: &["body"],
    without: &["binary"],
    lines: &["p", "v", "subtitle", "text-author"],
    spaces: &["empty-line"],
};

pub(super) fn fb2_text(file: Limited<'_>) -> Result<String, Why> {
    let mut text = String::new();
    FB2_TEXT.read(file, &mut text, TEXT_BYTES);
    Ok(text)
}

/// Of the first record; the header and its EXTH table are a few hundred bytes.
const RECORD: usize = 64 * 1024;

/// Offsets as the MobileRead wiki and KindleUnpack have them.
pub(super) fn mobi(mut file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let mut head = [0; 86];
    if file.read_exact(&mut head).is_err() {
        return Ok(());
    }
    let start = u64::from(be32(&head, 78).unwrap_or(0));
    let mut record = Vec::new();
    file.seek(SeekFrom::Start(start)).map_err(|e| e.to_string())?;
    file.take(RECORD as u64).read_to_end(&mut record).map_err(|e| e.to_string())?;
    if record.get(16..20) != Some(b"MOBI") {
        // A Palm document without more has a name of 31 bytes, cut off and with underscores.
        return Ok(());
    }
    let utf8 = be32(&record, 28) == Some(65001);
    let text = |bytes: &[u8]| match utf8 {
        true => String::from_utf8_lossy(bytes).into_owned(),
        false => bytes.iter().map(|b| super::pdf::windows_1252(*b)).collect(),
    };
    let has_exth = be32(&record, 128).is_some_and(|flags| flags & 0x40 != 0);
    let table = be32(&record, 20).map(|len| 16 + len as usize).filter(|_| has_exth);
    for (kind, value) in table.and_then(|at| record.get(at..)).map_or_else(Vec::new, exth) {
        match kind {
            100 => into.put_text(Key::Author, Some(&text(value)), Source::Document),
            106 => put_moment(Key::Written, Some(&text(value)), into),
            503 => into.put_text(Key::Title, Some(&text(value)), Source::Document),
            _ => {}
        }
    }
    let name = be32(&record, 84)
        .zip(be32(&record, 88))
        .and_then(|(at, len)| record.get(at as usize..)?.get(..len as usize));
    into.put_text(Key::Title, name.map(text).as_deref(), Source::Document);
    Ok(())
}

/// The entries of an EXTH table: type and value.
fn exth(table: &[u8]) -> Vec<(u32, &[u8])> {
    const ENTRIES: usize = 256;
    let mut found = Vec::new();
    let mut rest = match table.strip_prefix(b"EXTH") {
        Some(rest) => rest.get(8..).unwrap_or_default(),
        None => return found,
    };
    while found.len() < ENTRIES {
        let Some((kind, len)) = be32(rest, 0).zip(be32(rest, 4)) else { break };
        let Some(value) = rest.get(8..len as usize) else { break };
        found.push((kind, value));
        rest = &rest[len as usize..];
    }
    found
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    crate::inspect::bytes::be32(bytes, at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::inspect::metadata::testing::{of, text, text_of, zipped};

    const OPF: &str = "<package><metadata><dc:title>Emma</dc:title><dc:creator>Jane Austen</dc:creator>\
        <dc:date>1815-12-23</dc:date></metadata><manifest><item id='b' href='two%20b.xhtml'/>\
        <item id='a' href='a.xhtml'/></manifest><spine><itemref idref='a'/><itemref idref='b'/></spine></package>";

    #[test]
    fn an_epub_says_who_wrote_it_and_its_chapters_come_in_order() {
        let container =
            "<container><rootfiles><rootfile full-path=\"O/c.opf\"/></rootfiles></container>";
        let epub = zipped(&[
            ("META-INF/container.xml", container),
            ("O/c.opf", OPF),
            ("O/a.xhtml", "<html><head><title>x</title></head><body><p>First</p></body></html>"),
            ("O/two b.xhtml", "<html><body><h1>Second</h1></body></html>"),
        ]);
        let kind = "application/epub+zip";
        let m = of(kind, &epub);
        assert_eq!(
            (text(&m, Key::Title), text(&m, Key::Author)),
            ("Emma".into(), "Jane Austen".into())
        );
        assert_eq!(text_of(kind, &epub), "First\nSecond\n");
    }

    #[test]
    fn a_fiction_book_has_one_author_and_a_title() {
        let book = "<?xml version=\"1.0\" encoding=\"windows-1251\"?><FictionBook><description><title-info>\
            <author><first-name>\u{1}</first-name><last-name>\u{2}</last-name></author>\
            <book-title>T</book-title><annotation><p>a</p></annotation></title-info><document-info><author>\
            <nickname>scanner</nickname></author></document-info></description><body><p>\u{1}</p></body></FictionBook>";
        // Cyrillic letters in that encoding.
        let bytes: Vec<u8> = book
            .bytes()
            .map(|b| {
                if b == 1 {
                    0xcb
                } else if b == 2 {
                    0xd2
                } else {
                    b
                }
            })
            .collect();
        let kind = "application/x-fictionbook+xml";
        let m = of(kind, &bytes);
        assert_eq!((text(&m, Key::Author), text(&m, Key::Title)), ("Л Т".into(), "T".into()));
        assert_eq!(text_of(kind, &bytes), "Л\n");
    }

    /// A Kindle book by Jane Austen.
    pub(in crate::inspect) fn kindle() -> Vec<u8> {
        let entry = |kind: u32, value: &str| {
            let len = u32::try_from(value.len() + 8).unwrap();
            [&kind.to_be_bytes()[..], &len.to_be_bytes(), value.as_bytes()].concat()
        };
        let entries = [entry(100, "Jane Austen"), entry(503, "Emma")].concat();
        let mut record = vec![0; 16 + 232];
        record[16..20].copy_from_slice(b"MOBI");
        record[20..24].copy_from_slice(&232u32.to_be_bytes());
        record[28..32].copy_from_slice(&65001u32.to_be_bytes());
        record[128..132].copy_from_slice(&0x40u32.to_be_bytes());
        record.extend(b"EXTH\0\0\0\0\0\0\0\x02");
        record.extend(entries);
        let mut book = vec![0; 86];
        book[60..68].copy_from_slice(b"BOOKMOBI");
        book[76..78].copy_from_slice(&1u16.to_be_bytes());
        book[78..82].copy_from_slice(&86u32.to_be_bytes());
        book.extend(record);
        book
    }

    #[test]
    fn a_kindle_book_says_so_in_its_first_record() {
        let m = of("application/x-mobipocket-ebook", &kindle());
        assert_eq!(
            (text(&m, Key::Title), text(&m, Key::Author)),
            ("Emma".into(), "Jane Austen".into())
        );
    }
}
