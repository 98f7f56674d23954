//! Media types, their extensions and categories: what is known before any file is opened.

mod rows;

use std::collections::HashMap;
use std::sync::LazyLock;

use rows::TYPES;

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

/// Extensions of several types, each with the one meant when the content does not say.
const PREFERRED: &[(&str, &str)] = &[
    ("asc", "application/pgp-keys"),
    ("cer", "application/x-x509-ca-cert"),
    ("crt", "application/x-x509-ca-cert"),
    ("dot", "application/msword"),
    ("fit", "image/fits"),
    ("fnt", "application/x-font-fon"),
    ("key", "application/vnd.apple.keynote"),
    ("m", "text/x-objective-c"),
    ("mm", "text/x-objective-c"),
    ("mo", "application/x-gettext-translation"),
    ("mts", "video/mp2t"),
    ("obj", "model/obj"),
    ("pdb", "application/vnd.palm"),
    ("pl", "application/x-perl"),
    ("pot", "application/vnd.ms-powerpoint"),
    ("pub", "application/vnd.ms-publisher"),
    ("run", "application/x-executable"),
    ("smi", "application/x-sami"),
    ("ts", "application/typescript"),
    ("vhd", "application/x-vhd"),
    ("vst", "application/vnd.visio"),
];

/// Whole names that say what a file is though they have no extension, lower case.
const NAMES: &[(&str, &str)] = &[
    (".bash_profile", "text/x-shellscript"),
    (".bashrc", "text/x-shellscript"),
    (".editorconfig", "text/x-ini"),
    (".gitattributes", "text/x-ini"),
    (".gitconfig", "text/x-ini"),
    (".gitignore", "text/x-ini"),
    (".profile", "text/x-shellscript"),
    (".vimrc", "text/x-vim"),
    (".zshrc", "text/x-shellscript"),
    ("authors", PLAIN),
    ("changelog", PLAIN),
    ("cmakelists.txt", "text/x-cmake"),
    ("containerfile", "text/x-dockerfile"),
    ("copying", PLAIN),
    ("dockerfile", "text/x-dockerfile"),
    ("gemfile", "application/x-ruby"),
    ("gnumakefile", "text/x-makefile"),
    ("jenkinsfile", "text/x-groovy"),
    ("justfile", "text/x-makefile"),
    ("license", PLAIN),
    ("makefile", "text/x-makefile"),
    ("meson.build", "text/x-meson"),
    ("rakefile", "application/x-ruby"),
    ("readme", PLAIN),
    ("vagrantfile", "application/x-ruby"),
];

/// Other names of types in the table, sorted: what `file-format` or older tools call them.
const ALIASES: &[(&str, &str)] = &[
    ("application/dash", "application/dash+xml"),
    ("application/fits", "image/fits"),
    ("application/javascript", "text/javascript"),
    ("application/mp4", MP4),
    ("application/pgp", "application/pgp-keys"),
    ("application/vnd.adobe.illustrator", "application/illustrator"),
    ("application/vnd.apache.avro", "application/avro"),
    ("application/vnd.android.dey", "application/vnd.android.dex"),
    ("application/vnd.ms-package.3dmanufacturing-3dmodel+xml", "application/vnd.ms-3mfdocument"),
    ("application/vnd.oasis.opendocument.database", "application/vnd.oasis.opendocument.base"),
    ("application/x-3mf", "application/vnd.ms-3mfdocument"),
    ("application/x-cdf", "application/x-cdf-audio-track"),
    ("application/x-cfb", OLE),
    ("application/x-dosexec", "application/vnd.microsoft.portable-executable"),
    ("application/x-dwg", "image/vnd.dwg"),
    ("application/x-dxf", "image/vnd.dxf"),
    ("application/x-ebml", MKV),
    ("application/x-esri-shape", "application/vnd.shp"),
    ("application/x-fb2+xml", "application/x-fictionbook+xml"),
    ("application/x-gzip", GZIP),
    ("application/x-id3v2", "audio/mpeg"),
    ("application/x-indesign", "application/x-adobe-indesign"),
    ("application/x-lrf", "application/x-sony-bbeb"),
    ("application/x-lzh-compressed", "application/x-lha"),
    ("application/x-matroska", "application/x-matroska-subtitles"),
    ("application/x-ms-ne-executable", "application/vnd.microsoft.portable-executable"),
    ("application/x-msaccess", "application/vnd.ms-access"),
    ("application/x-rar-compressed", RAR),
    ("application/x-shockwave-flash", "application/vnd.adobe.flash.movie"),
    ("application/x-sqlite3", SQLITE),
    ("application/x-xbox-executable", "application/x-executable"),
    ("application/x-xbox360-executable", "application/x-executable"),
    ("application/x-yaml", "application/yaml"),
    ("application/x-zip-compressed", ZIP),
    ("audio/mp3", "audio/mpeg"),
    ("audio/wav", "audio/vnd.wave"),
    ("audio/x-aiff", "audio/aiff"),
    ("audio/x-ape", "audio/ape"),
    ("audio/x-flac", "audio/flac"),
    ("audio/x-m4a", "audio/mp4"),
    ("audio/x-wav", "audio/vnd.wave"),
    ("image/avif-sequence", "image/avif"),
    ("image/heic-sequence", "image/heic"),
    ("image/heif-sequence", "image/heif"),
    ("image/jpg", "image/jpeg"),
    ("image/x-icon", "image/vnd.microsoft.icon"),
    ("image/x-ms-bmp", "image/bmp"),
    ("image/x-portable-arbitrarymap", "image/x-portable-anymap"),
    ("model/x-3d-model", "model/x-vox"),
    ("model/x-ply-ascii", "model/ply"),
    ("model/x-ply-binary", "model/ply"),
    ("model/x-stl-ascii", "model/stl"),
    ("model/x-wire", "application/x-maya-binary"),
    ("text/json", JSON),
    ("text/rtf", "application/rtf"),
    ("text/wasm", "text/x-wat"),
    ("text/x-markdown", "text/markdown"),
    ("text/x-msdos-batch", "application/x-bat"),
    ("text/x-perl", "application/x-perl"),
    ("text/x-ruby", "application/x-ruby"),
    ("text/x-rust", "text/rust"),
    ("text/x-yaml", "application/yaml"),
    ("text/xml", XML),
    ("text/yaml", "application/yaml"),
    ("video/x-matroska", MKV),
    ("video/x-ms-asf", ASF),
];

static BY_EXT: LazyLock<HashMap<&'static str, Vec<&'static Type>>> = LazyLock::new(|| {
    let mut map: HashMap<_, Vec<&'static Type>> = HashMap::new();
    for ty in TYPES {
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
    ALIASES.iter().find(|(alias, _)| *alias == media).map_or(media, |(_, name)| *name)
}

/// The type of that name, or of an alias of it.
pub(super) fn by_media(media: &str) -> Option<&'static Type> {
    let media = canonical(media);
    TYPES.binary_search_by(|t| t.media.cmp(media)).ok().map(|i| &TYPES[i])
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
    use tidy_core::category::BUILT_IN;

    #[test]
    fn the_tables_are_sorted_and_refer_to_what_exists() {
        assert!(TYPES.is_sorted_by(|a, b| a.media < b.media));
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        for ty in TYPES {
            assert!(BUILT_IN.iter().any(|(n, _)| *n == ty.category), "{ty:?}");
            assert!(ty.base.is_empty() || by_media(ty.base).is_some(), "{ty:?}");
            assert_eq!(ty.media, ty.media.to_lowercase());
            assert_eq!(ty.exts, ty.exts.to_lowercase());
        }
        for (name, media) in NAMES.iter().chain(ALIASES).chain(PREFERRED) {
            assert!(by_media(media).is_some(), "{name} stands for {media}");
        }
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
