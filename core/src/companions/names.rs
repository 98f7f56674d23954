//! The conventions: which extension goes with which kind of file.

use super::Of;

/// What kind of file an extension stands for, as far as companions care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Raw,
    Image,
    Video,
    Audio,
    Document,
    Other,
}

impl Class {
    /// Which of two files of one stem a companion belongs to: programs write `STEM.xmp` for the raw
    /// file, and into the picture itself for the others.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Raw => 5,
            Self::Image => 4,
            Self::Video => 3,
            Self::Audio => 2,
            Self::Document => 1,
            Self::Other => 0,
        }
    }
}

const RAW: &[&str] = &[
    "3fr", "arw", "cr2", "cr3", "crw", "dng", "erf", "fff", "iiq", "kdc", "mef", "mos", "mrw",
    "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f",
];
const IMAGE: &[&str] = &[
    "avif", "bmp", "gif", "heic", "heif", "jpe", "jpeg", "jpg", "jxl", "png", "psd", "tif", "tiff",
    "webp",
];
const VIDEO: &[&str] = &[
    "3gp", "avi", "divx", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv",
    "ts", "vob", "webm", "wmv",
];
const AUDIO: &[&str] = &["aac", "flac", "m4a", "mp3", "ogg", "opus", "wav", "wma"];
const DOCUMENT: &[&str] = &["ai", "eps", "indd", "pdf"];

/// The class of an extension in lower case.
pub(super) fn class(ext: &str) -> Class {
    let lists = [
        (RAW, Class::Raw),
        (IMAGE, Class::Image),
        (VIDEO, Class::Video),
        (AUDIO, Class::Audio),
        (DOCUMENT, Class::Document),
    ];
    lists.iter().find(|(list, _)| list.contains(&ext)).map_or(Class::Other, |(_, class)| *class)
}

/// A kind of companion.
pub(super) struct Sidecar {
    ext: &'static str,
    with: &'static [Class],
    /// Only these extensions of main files, when there are any.
    only: &'static [&'static str],
    /// Only after the whole name, not after the stem: too common otherwise.
    whole_name: bool,
    /// A language may stand before the extension.
    pub(super) has_language: bool,
}

const PICTURES: &[Class] = &[Class::Raw, Class::Image];
const SHOTS: &[Class] = &[Class::Raw, Class::Image, Class::Video];
const MEDIA: &[Class] = &[Class::Raw, Class::Image, Class::Video, Class::Audio, Class::Document];

const fn plain(ext: &'static str, with: &'static [Class]) -> Sidecar {
    Sidecar { ext, with, only: &[], whole_name: false, has_language: false }
}

const fn subtitle(ext: &'static str) -> Sidecar {
    Sidecar { ext, with: &[Class::Video], only: &[], whole_name: false, has_language: true }
}

const SIDECARS: &[Sidecar] = &[
    plain("xmp", MEDIA),
    plain("aae", SHOTS),
    plain("thm", SHOTS),
    plain("pp3", PICTURES),
    plain("dop", PICTURES),
    plain("lrc", &[Class::Audio]),
    subtitle("srt"),
    subtitle("sub"),
    subtitle("idx"),
    subtitle("vtt"),
    subtitle("ass"),
    subtitle("ssa"),
    subtitle("sup"),
    Sidecar { whole_name: true, ..plain("json", SHOTS) },
    Sidecar { only: &["heic", "heif"], ..plain("mov", &[Class::Image]) },
];

/// The kind of companion an extension in lower case stands for.
pub(super) fn sidecar(ext: &str) -> Option<&'static Sidecar> {
    SIDECARS.iter().find(|s| s.ext == ext)
}

impl Sidecar {
    pub(super) fn goes_with(&self, main_ext: &str, class: Class, of: Of) -> bool {
        self.ext != main_ext
            && self.with.contains(&class)
            && (self.only.is_empty() || self.only.contains(&main_ext))
            && (of == Of::Name || !self.whole_name)
    }
}

pub(super) fn is_subtitle(ext: &str) -> bool {
    sidecar(ext).is_some_and(|s| s.has_language)
}

/// Words that stand beside a language, or instead of one.
const FLAGS: &[&str] = &["forced", "sdh", "cc", "hi", "default", "full", "foreign", "commentary"];

/// Languages as people write them out.
const LANGUAGES: &[&str] = &[
    "arabic",
    "chinese",
    "czech",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hebrew",
    "hindi",
    "hungarian",
    "italian",
    "japanese",
    "korean",
    "norwegian",
    "polish",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "turkish",
    "ukrainian",
];

/// Where the stem may end before up to two languages or flags: `film` of `film.en.forced`.
pub(super) fn before_languages(stem: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut rest = stem;
    for _ in 0..2 {
        let Some(dot) = rest.iter().rposition(|b| *b == b'.').filter(|at| *at > 0) else { break };
        if !is_language(&rest[dot + 1..]) {
            break;
        }
        ends.push(dot);
        rest = &rest[..dot];
    }
    ends
}

/// `en`, `pt-BR`, `zh_Hans`, `forced`, `english` (BCP 47 and ISO 639, not checked against a list).
fn is_language(word: &[u8]) -> bool {
    let Ok(word) = std::str::from_utf8(word) else { return false };
    let word = word.to_ascii_lowercase();
    if FLAGS.contains(&word.as_str()) || LANGUAGES.contains(&word.as_str()) {
        return true;
    }
    let mut parts = word.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let letters = |s: &str, n: std::ops::RangeInclusive<usize>| {
        n.contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    letters(language, 2..=3)
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| letters(part, 2..=4))
}

/// What Google Takeout writes after the name; it cuts the end off when the whole gets too long.
const TAKEOUT: &[u8] = b".supplemental-metadata";

/// The main file's name and what follows it, of the stem of a `.json`: `IMG.jpg.suppl` and
/// `IMG.jpg(1)`, which belongs to `IMG(1).jpg`.
pub(super) fn takeout(stem: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (stem, number) = match numbered(stem) {
        Some(at) => stem.split_at(at),
        None => (stem, &b""[..]),
    };
    let dot = stem.iter().rposition(|b| *b == b'.').filter(|at| *at > 0)?;
    let (name, tail) = if TAKEOUT.starts_with(&stem[dot..]) && stem.len() - dot > 1 {
        stem.split_at(dot)
    } else {
        (stem, &b""[..])
    };
    if number.is_empty() {
        return (!tail.is_empty()).then(|| (name.to_vec(), tail.to_vec()));
    }
    let dot = name.iter().rposition(|b| *b == b'.').filter(|at| *at > 0)?;
    Some(([&name[..dot], number, &name[dot..]].concat(), tail.to_vec()))
}

/// Where `(12)` at the end begins.
fn numbered(stem: &[u8]) -> Option<usize> {
    let inner = stem.strip_suffix(b")")?;
    let open = inner.iter().rposition(|b| *b == b'(').filter(|at| *at > 0)?;
    let digits = &inner[open + 1..];
    ((1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)).then_some(open)
}
