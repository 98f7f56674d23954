//! Media types, their extensions and categories: what is known before any file is opened.
//!
//! One file a category (documents with their parts), one line a type: data, not logic, so long
//! lines and long files are no harm. `docs/kinds.md` says where the data comes from (mime-db,
//! linguist-languages, file-format) and how it is measured.
//!
//! Names are IANA's where IANA has one, else the `x-` or `vnd.` name most tools write; older and
//! other names are in [`ALIASES`]. Extensions are lower case, the usual one first.
//!
//! A type belongs to the category
//! 1. of its top-level name: `image/*`, `audio/*`, `video/*`, `font/*`, `model/*` (cad),
//!    `message/*` (mail);
//! 2. but what a person does with a file outweighs that name: a scanned book in DjVu is a document,
//!    a drawing in DXF is cad, artwork in PostScript is an image;
//! 3. of the office program that writes it, by name: document, presentation, spreadsheet;
//! 4. installer, where opening it runs or installs a program; disk-image, where it is a copy of a
//!    whole medium; archive, where it is unpacked before its content is used;
//! 5. code, where it is part of a program's source, its markup, schema or build; document, where it
//!    is prose with marks in it (Markdown, TeX); data, where a program wrote it for programs, or
//!    where it holds settings, records or logs.

mod archive;
mod audio;
mod cad;
mod choices;
mod code;
mod data;
mod disk_image;
mod document;
mod font;
mod image;
mod installer;
mod key;
mod mail;
mod names;
mod subtitle;
mod torrent;
mod video;

use std::collections::HashMap;
use std::sync::LazyLock;

use choices::{ALIASES, PREFERRED};
use names::NAMES;

const GROUPS: &[&[Type]] = &[
    archive::TYPES,
    audio::TYPES,
    cad::TYPES,
    code::TYPES,
    data::TYPES,
    disk_image::TYPES,
    document::TYPES,
    font::TYPES,
    image::TYPES,
    installer::TYPES,
    key::TYPES,
    mail::TYPES,
    subtitle::TYPES,
    torrent::TYPES,
    video::TYPES,
];

const NONE: &str = "";
pub(super) const ASF: &str = "application/vnd.ms-asf";
pub(super) const GZIP: &str = "application/gzip";
pub(super) const JSON: &str = "application/json";
pub(super) const MKV: &str = "video/matroska";
pub(super) const MP4: &str = "video/mp4";
pub(super) const OGG: &str = "application/ogg";
pub(super) const OLE: &str = "application/x-ole-storage";
pub(super) const PS: &str = "application/postscript";
pub(super) const RAR: &str = "application/vnd.rar";
pub(super) const RAW_DISK: &str = "application/x-raw-disk-image";
pub(super) const SQLITE: &str = "application/vnd.sqlite3";
pub(super) const SQUASHFS: &str = "application/x-squashfs";
pub(super) const TAR: &str = "application/x-tar";
pub(super) const TIFF: &str = "image/tiff";
pub(super) const XAR: &str = "application/x-xar";
pub(super) const XML: &str = "application/xml";
pub(super) const ZIP: &str = "application/zip";

/// What nobody could name (RFC 2046, section 4.5.1).
pub(super) const OCTETS: &str = "application/octet-stream";
/// Text of no known language.
pub(super) const PLAIN: &str = "text/plain";

/// What the bytes of a type look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Binary,
    Text,
    /// Both are common (an STL model, a DER or PEM certificate, a PDF).
    Either,
}

/// One media type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) media: &'static str,
    /// Name of a built-in category.
    pub(super) category: &'static str,
    pub(super) form: Form,
    /// The container or syntax it is built on, which is all that a shallow look sees; else empty.
    base: &'static str,
    /// Extensions, separated by spaces, the usual one first.
    exts: &'static str,
}

const fn row(
    form: Form,
    media: &'static str,
    category: &'static str,
    base: &'static str,
    exts: &'static str,
) -> Type {
    Type { media, category, form, base, exts }
}

const fn binary(
    media: &'static str,
    category: &'static str,
    base: &'static str,
    exts: &'static str,
) -> Type {
    row(Form::Binary, media, category, base, exts)
}

const fn text(
    media: &'static str,
    category: &'static str,
    base: &'static str,
    exts: &'static str,
) -> Type {
    row(Form::Text, media, category, base, exts)
}

const fn either(
    media: &'static str,
    category: &'static str,
    base: &'static str,
    exts: &'static str,
) -> Type {
    row(Form::Either, media, category, base, exts)
}

fn types() -> impl Iterator<Item = &'static Type> {
    GROUPS.iter().copied().flatten()
}

static BY_MEDIA: LazyLock<HashMap<&'static str, &'static Type>> =
    LazyLock::new(|| types().map(|ty| (ty.media, ty)).collect());

static BY_EXT: LazyLock<HashMap<&'static str, Vec<&'static Type>>> = LazyLock::new(|| {
    let mut map: HashMap<_, Vec<&'static Type>> = HashMap::new();
    for ty in types() {
        for ext in ty.exts.split(' ').filter(|e| !e.is_empty()) {
            map.entry(ext).or_default().push(ty);
        }
    }
    for (ext, media) in PREFERRED {
        if let Some(types) = map.get_mut(ext) {
            types.sort_by_key(|t| t.media != *media);
        }
    }
    map
});

impl Type {
    /// The usual extension, where there is one.
    pub(super) fn usual_ext(&self) -> Option<&'static str> {
        self.exts.split(' ').next().filter(|e| !e.is_empty())
    }

    /// Whether `self` is built on `other`: a `.docx` on ZIP, a `.nef` on TIFF.
    pub(super) fn refines(&self, other: &Self) -> bool {
        self.base == other.media
    }

    /// Whether the two are built on the same container.
    pub(super) fn sibling(&self, other: &Self) -> bool {
        !self.base.is_empty() && self.base == other.base
    }
}

/// The name the table uses for a media type.
pub(super) fn canonical(media: &str) -> &str {
    ALIASES.binary_search_by(|(alias, _)| (*alias).cmp(media)).map_or(media, |at| ALIASES[at].1)
}

/// The type of that name, or of an alias of it.
pub(super) fn by_media(media: &str) -> Option<&'static Type> {
    BY_MEDIA.get(canonical(media)).copied()
}

/// A type that stands in the table: every caller passes a literal, and every literal is walked by
/// a test of its room.
pub(super) fn known(media: &'static str) -> &'static Type {
    static UNKNOWN: Type = binary(OCTETS, "unknown", NONE, "");
    debug_assert!(by_media(media).is_some(), "{media} is not in the table");
    by_media(media).unwrap_or(&UNKNOWN)
}

/// The types an extension (lower case, without a dot) stands for, the likeliest first.
pub(super) fn by_ext(ext: &str) -> &'static [&'static Type] {
    BY_EXT.get(ext).map_or(&[], Vec::as_slice)
}

/// The type a whole name (lower case) stands for.
pub(super) fn by_name(name: &str) -> Option<&'static Type> {
    let at = NAMES.binary_search_by(|(n, _)| (*n).cmp(name)).ok()?;
    by_media(NAMES[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tidy_core::category::BUILT_IN;

    #[test]
    fn the_tables_are_sorted_and_refer_to_what_exists() {
        for group in GROUPS {
            assert!(group.is_sorted_by(|a, b| a.media < b.media));
        }
        assert_eq!(BY_MEDIA.len(), types().count(), "a type stands in the table twice");
        for sorted in [NAMES, ALIASES, PREFERRED] {
            assert!(sorted.is_sorted_by(|a, b| a.0 < b.0));
        }
        for ty in types() {
            assert!(BUILT_IN.iter().any(|(n, _)| *n == ty.category), "{ty:?}");
            assert!(ty.base.is_empty() || by_media(ty.base).is_some(), "{ty:?}");
            assert_eq!(ty.media, ty.media.to_lowercase());
            assert_eq!(ty.exts, ty.exts.to_lowercase());
        }
        for (name, media) in NAMES.iter().chain(ALIASES).chain(PREFERRED) {
            assert!(by_media(media).is_some(), "{name} stands for {media}");
        }
    }

    /// `docs/media-types.tsv` is for people and other programs; this is what keeps it true.
    /// `TIDYD_WRITE_TABLES=1` writes it anew.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "writes a document of the project when asked to")]
    fn the_documented_table_is_this_one() {
        let mut all: Vec<&Type> = types().collect();
        all.sort_by_key(|ty| ty.media);
        let others = |ty: &Type| {
            let of = ALIASES.iter().filter(|(_, media)| *media == ty.media);
            of.map(|(alias, _)| *alias).collect::<Vec<_>>().join(" ")
        };
        let line =
            |ty: &&Type| format!("{}\t{}\t{}\t{}\n", ty.media, ty.category, ty.exts, others(ty));
        let expected: String = all.iter().map(line).collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/media-types.tsv");
        if std::env::var_os("TIDYD_WRITE_TABLES").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(written == expected, "set TIDYD_WRITE_TABLES=1 and run this test again");
    }

    #[test]
    fn an_alias_is_no_type_itself() {
        for (alias, _) in ALIASES {
            assert!(!BY_MEDIA.contains_key(alias), "{alias}");
        }
    }

    #[test]
    fn a_type_lists_an_extension_once() {
        for ty in types() {
            let exts: Vec<&str> = ty.exts.split(' ').collect();
            let unlike: HashSet<&str> = exts.iter().copied().collect();
            assert_eq!(unlike.len(), exts.len(), "{ty:?}");
        }
    }

    #[test]
    fn every_type_the_room_names_is_in_the_table() {
        // The sources themselves are walked, so that a name added to any witness is checked.
        const SOURCES: &[&str] = &[
            include_str!("combine.rs"),
            include_str!("compressed.rs"),
            include_str!("disk.rs"),
            include_str!("isobmff.rs"),
            include_str!("plausible.rs"),
            include_str!("ole.rs"),
            include_str!("signature.rs"),
            include_str!("streams.rs"),
            include_str!("text.rs"),
            include_str!("text/score/clues.rs"),
            include_str!("text/score/shapes.rs"),
            include_str!("text/structure.rs"),
            include_str!("text/xml.rs"),
            include_str!("tiff.rs"),
            include_str!("zip.rs"),
        ];
        const TOP: &[&str] = &[
            "application",
            "audio",
            "chemical",
            "font",
            "image",
            "message",
            "model",
            "text",
            "video",
        ];
        let is_name = |s: &&str| {
            s.split_once('/').is_some_and(|(top, sub)| {
                TOP.contains(&top)
                    && !sub.is_empty()
                    && sub.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-_".contains(&b))
            })
        };
        let mut walked = 0;
        for name in SOURCES.iter().flat_map(|s| s.split('"')).filter(is_name) {
            assert!(by_media(name).is_some(), "{name}");
            walked += 1;
        }
        assert!(walked > 300, "{walked}");
    }

    #[test]
    fn an_extension_of_several_types_has_a_preferred_one() {
        for (ext, types) in &*BY_EXT {
            let preferred = PREFERRED.iter().find(|(e, _)| e == ext);
            match (types.as_slice(), preferred) {
                ([_], None) => {}
                ([_], Some(_)) => panic!("{ext} stands for one type only"),
                (types, Some((_, media))) => assert_eq!(types[0].media, *media),
                (_, None) => panic!("which of {types:?} is {ext}?"),
            }
        }
    }
}
