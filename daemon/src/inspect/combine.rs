//! The witnesses, name and content, and whom to believe.
//!
//! The order of trust:
//! 1. A sure signature wins, unless the extension refines it (ZIP → `.docx`, TIFF → `.nef`) or is a
//!    close relative of it (`.m4b` beside `.m4a`).
//! 2. Text is taken at its word: an extension of any text format wins over what the text looks
//!    like, unless the content refines it (`.xml` → SVG).
//! 3. A weak signature wins only where there is no extension, or where the extension's format always
//!    has a signature of its own and this file has not.
//! 4. Content that says nothing leaves it to the extension, except that bytes are no text, and no format that
//!    always has a signature.

use tidy_core::facts::Source;

use super::table::{self, Form, PLAIN, Type};

const AI: &str = "application/illustrator";
const PDF: &str = "application/pdf";

/// Formats that begin with their signature or are not theirs: a file without it is something else.
const SIGNED: &[&str] = &[
    "application/gzip",
    "application/pdf",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-xz",
    "application/zip",
    "audio/flac",
    "audio/midi",
    "audio/vnd.wave",
    "font/woff",
    "font/woff2",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/vnd.adobe.photoshop",
    "image/webp",
    "video/matroska",
    "video/webm",
    "video/x-msvideo",
];

/// What the content looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) ty: &'static Type,
    pub(super) source: Source,
    /// The category, where the type alone does not tell it.
    pub(super) category: Option<&'static str>,
    sure: bool,
    text: bool,
}

impl Guess {
    pub(super) fn sure(ty: &'static Type, source: Source) -> Self {
        Self { ty, source, category: None, sure: true, text: false }
    }

    /// Told to be of a category, though not what in it; of `unknown`, where the evidence is thin.
    pub(super) fn of_category(self, category: &'static str) -> Self {
        Self { category: Some(category), ..self }
    }

    /// Short or common bytes, or a weighing: not to be held against an extension.
    pub(super) fn weaker(self) -> Self {
        Self { sure: false, ..self }
    }

    /// Whether it may be held against an extension.
    pub(super) fn is_sure(self) -> bool {
        self.sure
    }

    fn answer(self, mismatch: bool) -> Answer {
        let Self { ty, source, category, .. } = self;
        Answer { ty, source, category, mismatch }
    }

    /// Told from text.
    pub(super) fn of_text(self) -> Self {
        Self { text: true, ..self }
    }
}

/// What the content said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// There is none, or it could not be read.
    None,
    /// Bytes, but nothing known.
    Opaque,
    Guessed(Guess),
}

/// The answer before categories are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) ty: &'static Type,
    pub(super) source: Source,
    /// The category, where it is not the type's own.
    pub(super) category: Option<&'static str>,
    pub(super) mismatch: bool,
}

/// Hears both. `None` when neither knows anything.
pub(super) fn combine(named: &[&'static Type], content: Content) -> Option<Answer> {
    // `.bin` and `.dat` say nothing.
    let named: Vec<&'static Type> =
        named.iter().copied().filter(|t| t.media != table::OCTETS).collect();
    match content {
        Content::None => named.first().map(|ty| by_extension(ty)),
        Content::Opaque => opaque(&named),
        Content::Guessed(guess) => Some(guessed(&named, guess)),
    }
}

fn by_extension(ty: &'static Type) -> Answer {
    Answer { ty, source: Source::Extension, category: None, mismatch: false }
}

fn opaque(named: &[&'static Type]) -> Option<Answer> {
    let possible = |t: &&&'static Type| t.form != Form::Text && !SIGNED.contains(&t.media);
    if let Some(ty) = named.iter().find(possible) {
        return Some(by_extension(ty));
    }
    let lies = !named.is_empty();
    let ty = table::known(table::OCTETS);
    lies.then_some(Answer { ty, source: Source::Content, category: None, mismatch: true })
}

fn guessed(named: &[&'static Type], guess: Guess) -> Answer {
    let seen = |mismatch| guess.answer(mismatch);
    let refined = |ty| Answer { ty, source: guess.source, category: None, mismatch: false };
    if named.is_empty() || named.contains(&guess.ty) {
        return seen(false);
    }
    if let Some(ty) = named.iter().find(|t| refines(t, guess.ty)) {
        return refined(ty);
    }
    if guess.text {
        return text(named, guess);
    }
    if let Some(relative) = named.iter().find(|t| t.sibling(guess.ty)) {
        // Of two on the same container the name tells shades; what the content is, the content tells.
        let shade = relative.category == guess.ty.category || !guess.sure;
        return if shade { refined(relative) } else { seen(true) };
    }
    // What Illustrator can still edit is a PDF for everybody else, and named so on purpose.
    if guess.ty.media == AI
        && let Some(ty) = named.iter().find(|t| t.media == PDF)
    {
        return refined(ty);
    }
    if named.iter().any(|t| guess.ty.refines(t)) {
        return seen(false);
    }
    let possible = |t: &&&'static Type| t.form != Form::Text && !SIGNED.contains(&t.media);
    if !guess.sure
        && let Some(ty) = named.iter().find(possible)
    {
        return by_extension(ty);
    }
    seen(true)
}

fn text(named: &[&'static Type], guess: Guess) -> Answer {
    // A generic syntax is refined by what is written in it; plain text is taken at its word.
    if let Some(ty) = named.iter().find(|t| guess.ty.refines(t) && t.media != PLAIN) {
        debug_assert!(guess.ty.refines(ty));
        return guess.answer(false);
    }
    match named.iter().find(|t| t.form != Form::Binary) {
        Some(ty) => by_extension(ty),
        // `go.mod` is no music, but nothing is wrong with its name either.
        None => {
            let mismatch = guess.sure || named.iter().any(|t| SIGNED.contains(&t.media));
            guess.answer(mismatch)
        }
    }
}

/// Whether the extension's type is a closer word for what was seen.
fn refines(named: &Type, seen: &Type) -> bool {
    // Illustrator saves PDF and PostScript; the table has room for one base.
    named.refines(seen) || (seen.media == PDF && named.media == AI)
}

#[cfg(test)]
mod tests {
    use super::super::table::{by_ext, by_media};
    use super::*;

    fn sure(media: &str) -> Guess {
        Guess::sure(by_media(media).unwrap(), Source::Signature)
    }

    #[test]
    fn the_order_of_trust() {
        let text = |media: &str| sure(media).of_text();
        for (ext, content, media, mismatch) in [
            (
                "docx",
                sure("application/zip"),
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                false,
            ),
            ("nef", sure("image/tiff"), "image/x-nikon-nef", false),
            ("m4b", sure("audio/mp4"), "audio/x-m4b", false),
            ("zip", sure("application/java-archive"), "application/java-archive", false),
            ("jpg", sure("application/pdf"), "application/pdf", true),
            ("jpg", sure("image/png"), "image/png", true),
            ("pdf", sure("application/illustrator"), "application/pdf", false),
            ("ai", sure("application/pdf"), "application/illustrator", false),
            ("dmg", sure("application/x-raw-disk-image"), "application/x-apple-diskimage", false),
            ("doc", sure("video/dv").weaker(), "application/msword", false),
            ("jpg", sure("audio/ac3").weaker(), "audio/ac3", true),
            ("txt", text("text/html"), "text/plain", false),
            ("txt", sure("image/png"), "image/png", true),
            ("xml", text("image/svg+xml"), "image/svg+xml", false),
            ("py", text("text/x-c").weaker(), "text/x-python", false),
            ("mp3", text("text/html"), "text/html", true),
            ("mod", text("text/plain").weaker(), "text/plain", false),
            ("jpg", text("text/plain").weaker(), "text/plain", true),
            ("bin", sure("image/png"), "image/png", false),
            ("ts", sure("video/mp2t"), "video/mp2t", false),
        ] {
            let answer = combine(by_ext(ext), Content::Guessed(content)).unwrap();
            assert_eq!((answer.ty.media, answer.mismatch), (media, mismatch), "{ext} {content:?}");
        }
    }

    #[test]
    fn without_content_the_name_decides_and_bytes_are_no_text() {
        let of = |ext, content| combine(by_ext(ext), content).map(|a| (a.ty.media, a.mismatch));
        assert_eq!(of("jpg", Content::None), Some(("image/jpeg", false)));
        assert_eq!(of("dwg", Content::Opaque), Some(("image/vnd.dwg", false)));
        assert_eq!(of("jpg", Content::Opaque), Some(("application/octet-stream", true)));
        assert_eq!(of("txt", Content::Opaque), Some(("application/octet-stream", true)));
        assert_eq!(of("nonesuch", Content::Opaque), None);
        assert_eq!(of("nonesuch", Content::None), None);
    }
}
