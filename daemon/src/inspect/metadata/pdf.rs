//! PDF: the information dictionary, XMP where that is silent, and the text of the first pages.

use std::io::Cursor;

use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::hayro_syntax::metadata::Metadata as Info;
use hayro_interpret::hayro_syntax::object::{DateTime as PdfDate, Dict, Stream};
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};
use jiff::civil::DateTime;
use tidy_core::facts::Source;
use tidy_core::metadata::{Key, Metadata, Moment, Value};

use super::pictures::plausible;
use super::{Limited, TEXT_BYTES, Why, put_moment, xml};

/// Pages whose text is read: what a document is about stands on the first ones.
const PAGES: usize = 10;

pub(super) fn knows(media_type: &str) -> bool {
    media_type == "application/pdf"
}

pub(super) fn about(file: Limited<'_>, into: &mut Metadata) -> Result<(), Why> {
    let pdf = open(&file)?;
    into.put_number(Key::Pages, u64::try_from(pdf.pages().len()).ok(), Source::Document);
    let Info { title, author, creation_date, creator, .. } = pdf.metadata().clone();
    let text = |bytes: Option<Box<[u8]>>| bytes.map(|b| decoded(&b));
    into.put_text(Key::Title, text(title).as_deref(), Source::Document);
    into.put_text(Key::Author, text(author).as_deref(), Source::Document);
    into.put_text(Key::Software, text(creator).as_deref(), Source::Document);
    if let Some(at) = creation_date.and_then(|d| on_the_clock(&d)) {
        into.put(Key::Written, Value::Moment(Moment::Local(at)), Source::Document);
    }
    let silent = |key| into.get(key).is_none();
    if silent(Key::Title) || silent(Key::Author) || silent(Key::Written) {
        xmp(&pdf, into);
    }
    Ok(())
}

/// Metadata as XML (ISO 16684-1), which PDF 2.0 has instead of the dictionary.
fn xmp(pdf: &Pdf, into: &mut Metadata) {
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let Some(stream) = catalog.and_then(|c| c.get::<Stream<'_>>("Metadata")) else { return };
    let Ok(bytes) = stream.decoded_data() else { return };
    let [title, author, created] =
        xml::texts(Cursor::new(&bytes[..]), ["title", "creator", "CreateDate"]);
    into.put_text(Key::Title, title.as_deref(), Source::Document);
    into.put_text(Key::Author, author.as_deref(), Source::Document);
    put_moment(Key::Written, created.as_deref(), into);
}

fn open(file: &Limited<'_>) -> Result<Pdf, Why> {
    Pdf::new(file.whole()?).map_err(|e| match e {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            "it asks for a password".into()
        }
        LoadPdfError::Decryption(_) => "it is encrypted in a way that is not known".into(),
        LoadPdfError::Invalid => "it is damaged".into(),
    })
}

/// The time its author's clock showed.
fn on_the_clock(d: &PdfDate) -> Option<DateTime> {
    let small = |n: u8| i8::try_from(n).ok();
    let year = i16::try_from(d.year).ok()?;
    let (month, day) = (small(d.month)?.max(1), small(d.day)?.max(1));
    let at = DateTime::new(year, month, day, small(d.hour)?, small(d.minute)?, small(d.second)?, 0);
    at.ok().filter(plausible)
}

/// A text string (ISO 32000-2, section 7.9.2.2), and what careless programs write for one.
fn decoded(bytes: &[u8]) -> String {
    let units = |pair: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(move |c| pair([c[0], c[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|b| windows_1252(*b)).collect(),
        },
    }
}

/// Close enough to PDFDocEncoding, and what many programs write instead.
pub(super) fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', ' ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', ' ', 'Ž', ' ', ' ', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', ' ', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

/// The text of the first pages, as it is drawn.
pub(super) fn text(file: Limited<'_>) -> Result<String, Why> {
    let pdf = open(&file)?;
    let cache = InterpreterCache::new();
    let mut lines = Lines::default();
    for page in pdf.pages().iter().take(PAGES) {
        let settings = InterpreterSettings::default();
        let everywhere = Rect::new(-1e6, -1e6, 1e6, 1e6);
        let mut context = Context::new(Affine::IDENTITY, everywhere, &cache, pdf.xref(), settings);
        interpret_page(page, &mut context, &mut lines);
        lines.end_page();
        if lines.text.len() >= TEXT_BYTES {
            break;
        }
    }
    Ok(lines.text)
}

/// Puts glyphs together to words and lines by where they stand.
#[derive(Default)]
struct Lines {
    text: String,
    /// Where the last glyph ended.
    end: Option<Point>,
}

/// A gap of this part of the letters' height is a space: narrower ones are kerning.
const GAP: f64 = 0.2;

impl Lines {
    fn end_page(&mut self) {
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.end = None;
    }

    fn glyph(&mut self, glyph: &Glyph<'_>, to_page: Affine) {
        let start = to_page * Point::ZERO;
        let [_, _, c, d, ..] = to_page.as_coeffs();
        // Glyphs are drawn 1000 units high.
        let height = c.hypot(d) * 1000.0;
        if let Some(end) = self.end {
            let (along, across) = (start.x - end.x, (start.y - end.y).abs());
            if across > height / 2.0 {
                self.separate('\n');
            } else if along > GAP * height || along < -height {
                self.separate(' ');
            }
        }
        let width = match glyph {
            Glyph::Outline(g) => g.advance_width(),
            Glyph::Type3(g) => g.advance_width(),
        };
        self.end = Some(to_page * Point::new(f64::from(width.unwrap_or(0.0)), 0.0));
        match glyph.as_unicode() {
            Some(BfString::Char(c)) => {
                xml::push(&mut self.text, c.encode_utf8(&mut [0; 4]), TEXT_BYTES)
            }
            Some(BfString::String(s)) => xml::push(&mut self.text, &s, TEXT_BYTES),
            None => {}
        }
    }

    fn separate(&mut self, by: char) {
        if self.text.len() < TEXT_BYTES && !self.text.ends_with([' ', '\n']) {
            self.text.push(by);
        }
    }
}

impl Device<'_> for Lines {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        for glyph in run.glyphs() {
            self.glyph(glyph, props.transform * glyph.transform());
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {}
    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn pop_clip(&mut self) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {}
    fn pop_transparency_group(&mut self) {}
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::inspect::metadata::testing::{of, read, text as value, text_of};
    use tidy_core::facts::Fact;

    const PDF: &str = "application/pdf";

    /// A document without a table of its objects, which readers rebuild.
    pub(in crate::inspect) fn pdf(info: &str, pages: &[&str]) -> Vec<u8> {
        let kids: Vec<String> = (0..pages.len()).map(|n| format!("{} 0 R", 10 + 2 * n)).collect();
        let mut out = format!(
            "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n\
             2 0 obj <</Type/Pages/Kids[{}]/Count {}>> endobj\n3 0 obj <<{info}>> endobj\n\
             4 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>> endobj\n",
            kids.join(" "),
            pages.len()
        );
        for (n, content) in pages.iter().enumerate() {
            let (page, stream) = (10 + 2 * n, 11 + 2 * n);
            out += &format!(
                "{page} 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {stream} 0 R\
                 /Resources<</Font<</F 4 0 R>>>>>> endobj\n\
                 {stream} 0 obj <</Length {}>> stream\n{content}\nendstream endobj\n",
                content.len()
            );
        }
        out += "trailer <</Root 1 0 R/Info 3 0 R>>\n";
        out.into_bytes()
    }

    #[test]
    fn a_document_says_who_wrote_it_when_and_how_long_it_is() {
        let info = "/Title(Offer \\374ber Nacht)/Author<FEFF00C500730061>/CreationDate(D:20240506100000+02'00')";
        let m = of(PDF, &pdf(info, &["", "", ""]));
        assert_eq!(value(&m, Key::Title), "Offer über Nacht");
        assert_eq!(value(&m, Key::Author), "Åsa");
        assert_eq!(value(&m, Key::Written), "2024-05-06T10:00:00");
        assert_eq!(value(&m, Key::Pages), "3");
        assert_eq!(m.get(Key::Pages).unwrap().1, Source::Document);
    }

    #[test]
    fn words_and_lines_are_told_by_where_the_letters_stand() {
        let page = "BT /F 12 Tf 50 700 Td (Invoice) Tj 60 0 Td (no.) Tj 0 -20 Td [(47) -10 (11) -2000 (due)] TJ ET";
        let found = text_of(PDF, &pdf("", &[page, "BT /F 12 Tf 50 700 Td (second) Tj ET"]));
        assert_eq!(found, "Invoice no.\n4711 due\nsecond\n");
    }

    #[test]
    fn what_cannot_be_opened_is_unreadable() {
        assert!(matches!(read(PDF, b"%PDF-1.4\n"), Fact::Unreadable(_)));
    }
}
