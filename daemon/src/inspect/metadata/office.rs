//! Office documents: what OOXML (ECMA-376) and OpenDocument packages say of themselves, and their text.

use std::io::Read;
use std::ops::ControlFlow;

use tidy_core::facts::Source;
use tidy_core::metadata::{Key, Metadata};

use super::package::Package;
use super::xml::{self, Item, Prose};
use super::{Limited, TEXT_BYTES, Why, put_moment};

const OOXML: &str = "application/vnd.openxmlformats-officedocument.";
const ODF: &str = "application/vnd.oasis.opendocument.";

/// Of a flat file: its properties stand before the document itself.
const HEAD: u64 = 256 * 1024;

/// Word, Excel and PowerPoint since 2007.
pub(super) fn is_ooxml(media_type: &str) -> bool {
    media_type.starts_with(OOXML)
        || (media_type.starts_with("application/vnd.ms-")
            && media_type.ends_with(".macroenabled.12"))
}

/// OpenDocument in a package.
pub(super) fn is_odf(media_type: &str) -> bool {
    media_type.starts_with(ODF) && !is_flat(media_type)
}

/// OpenDocument in one XML file.
pub(super) fn is_flat(media_type: &str) -> bool {
    media_type.starts_with(ODF) && media_type.ends_with("flat")
}

pub(super) fn ooxml(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let mut package = Package::open(file)?;
    if let Some(core) = package.part("docProps/core.xml") {
        let [title, creator, created] = xml::texts(core, ["title", "creator", "created"]);
        into.put_text(Key::Title, title.as_deref(), Source::Document);
        into.put_text(Key::Author, creator.as_deref(), Source::Document);
        put_moment(Key::Written, created.as_deref(), into);
    }
    if let Some(app) = package.part("docProps/app.xml") {
        let [pages, slides, program] = xml::texts(app, ["Pages", "Slides", "Application"]);
        let number = pages.or(slides).and_then(|n| n.trim().parse().ok());
        into.put_number(Key::Pages, number, Source::Document);
        into.put_text(Key::Software, program.as_deref(), Source::Document);
    }
    Ok(())
}

pub(super) fn odf(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    if let Some(meta) = Package::open(file)?.part("meta.xml") {
        odf_properties(meta, into);
    }
    Ok(())
}

pub(super) fn flat(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    odf_properties(file.take(HEAD), into);
    Ok(())
}

fn odf_properties(meta: impl Read, into: &mut Metadata) {
    let mut at: Option<&'static str> = None;
    let wanted = ["title", "initial-creator", "creator", "creation-date", "generator"];
    let mut found = wanted.map(|w| (w, String::new()));
    xml::walk(meta, |item| {
        match item {
            Item::Open("document-statistic", attributes) => {
                let pages = attributes.get("page-count").and_then(|n| n.trim().parse().ok());
                into.put_number(Key::Pages, pages, Source::Document);
            }
            Item::Open(name, _) => at = wanted.into_iter().find(|w| *w == name),
            Item::Text(text) => {
                if let Some((_, so_far)) = found.iter_mut().find(|(w, _)| Some(*w) == at) {
                    xml::push(so_far, text, 4096);
                }
            }
            // What follows in a flat file is the document itself.
            Item::Close("meta") => return ControlFlow::Break(()),
            Item::Close(_) => at = None,
        }
        ControlFlow::Continue(())
    });
    let [title, first, creator, created, generator] = found.map(|(_, text)| text);
    into.put_text(Key::Title, Some(&title), Source::Document);
    // `creator` is whoever saved it last.
    into.put_text(Key::Author, Some(&first), Source::Document);
    into.put_text(Key::Author, Some(&creator), Source::Document);
    into.put_text(Key::Software, Some(&generator), Source::Document);
    put_moment(Key::Written, Some(created.as_str()).filter(|c| !c.is_empty()), into);
}

/// Texts of Word, PowerPoint and Excel stand in `t` elements.
const OOXML_TEXT: Prose =
    Prose { within: &["t"], without: &["rPh"], lines: &["p", "si"], spaces: &["tab", "br"] };

const ODF_TEXT: Prose = Prose {
    within: &["body"],
    without: &["annotation", "tracked-changes"],
    lines: &["p", "h"],
    spaces: &["s", "tab", "line-break", "table-cell"],
};

pub(super) fn ooxml_text(file: Limited<'_>) -> Result<String, Why> {
    let mut package = Package::open(file)?;
    let mut parts = vec!["word/document.xml".to_owned(), "xl/sharedStrings.xml".to_owned()];
    parts.extend(package.numbered("ppt/slides/slide", ".xml"));
    let mut text = String::new();
    for name in parts {
        if let Some(part) = package.part(&name) {
            OOXML_TEXT.read(part, &mut text, TEXT_BYTES);
        }
        if text.len() >= TEXT_BYTES {
            break;
        }
    }
    Ok(text)
}

pub(super) fn odf_text(file: Limited<'_>) -> Result<String, Why> {
    let mut text = String::new();
    if let Some(content) = Package::open(file)?.part("content.xml") {
        ODF_TEXT.read(content, &mut text, TEXT_BYTES);
    }
    Ok(text)
}

pub(super) fn flat_text(file: Limited<'_>) -> Result<String, Why> {
    let mut text = String::new();
    ODF_TEXT.read(file, &mut text, TEXT_BYTES);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::metadata::testing::{of, read, text, text_of, zipped};
    use tidy_core::facts::Fact;

    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    const ODT: &str = "application/vnd.oasis.opendocument.text";

    #[test]
    fn a_word_document_says_who_wrote_it_and_what_stands_in_it() {
        let core = "<cp:coreProperties><dc:title>Report</dc:title><dc:creator>Ada Lovelace</dc:creator>\
                    <dcterms:created>2024-05-06T10:00:00Z</dcterms:created></cp:coreProperties>";
        let app = "<Properties><Pages>3</Pages><Application>Word</Application></Properties>";
        let body = "<w:document><w:p><w:r><w:t>Invoice no.</w:t></w:r><w:tab/><w:r><w:t>4711</w:t></w:r></w:p>\
                    <w:p><w:t>due</w:t></w:p></w:document>";
        let docx = zipped(&[
            ("docProps/core.xml", core),
            ("docProps/app.xml", app),
            ("word/document.xml", body),
        ]);
        let m = of(DOCX, &docx);
        assert_eq!(
            (text(&m, Key::Title), text(&m, Key::Author)),
            ("Report".into(), "Ada Lovelace".into())
        );
        assert_eq!(text(&m, Key::Written), "2024-05-06T10:00:00Z");
        assert_eq!(text(&m, Key::Pages), "3");
        assert_eq!(text_of(DOCX, &docx), "Invoice no. 4711\ndue\n");
    }

    #[test]
    fn an_open_document_does_so_too_in_a_package_or_flat() {
        let meta = "<office:document-meta><office:meta><meta:initial-creator>Ada</meta:initial-creator>\
                    <dc:creator>Charles</dc:creator><dc:title>Letter</dc:title>\
                    <meta:creation-date>2024-05-06T10:00:00.123</meta:creation-date>\
                    <meta:document-statistic meta:page-count=\"2\"/></office:meta></office:document-meta>";
        let content =
            "<c><office:body><text:p>One<text:s/>two</text:p><text:h>3</text:h></office:body></c>";
        let odt = zipped(&[("meta.xml", meta), ("content.xml", content)]);
        for (m, words) in [(of(ODT, &odt), text_of(ODT, &odt)), {
            let flat = format!("<office:document>{meta}{content}</office:document>");
            let kind = "application/vnd.oasis.opendocument.text-flat";
            (of(kind, flat.as_bytes()), text_of(kind, flat.as_bytes()))
        }] {
            assert_eq!(
                (text(&m, Key::Title), text(&m, Key::Author)),
                ("Letter".into(), "Ada".into())
            );
            assert_eq!(text(&m, Key::Written), "2024-05-06T10:00:00");
            assert_eq!(text(&m, Key::Pages), "2");
            assert_eq!(words, "One two\n3\n");
        }
    }

    #[test]
    fn slides_come_in_the_order_of_their_numbers() {
        let slide =
            |n: u32| (format!("ppt/slides/slide{n}.xml"), format!("<a:p><a:t>{n}</a:t></a:p>"));
        let slides: Vec<_> = [10, 2, 1].map(slide).into();
        let parts: Vec<_> = slides.iter().map(|(n, c)| (n.as_str(), c.as_str())).collect();
        let kind = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
        assert_eq!(text_of(kind, &zipped(&parts)), "1\n2\n10\n");
    }

    #[test]
    fn what_is_no_package_is_unreadable_and_a_bomb_is_cut_off() {
        assert!(matches!(read(DOCX, b"PK\x03\x04 nothing of the kind"), Fact::Unreadable(_)));
        let bomb = format!("<t>{}</t>", "a".repeat(64 << 20));
        let docx = zipped(&[("word/document.xml", &bomb)]);
        assert!(docx.len() < 1 << 20);
        assert_eq!(text_of(DOCX, &docx).len(), TEXT_BYTES);
    }
}
