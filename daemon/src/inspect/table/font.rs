//! Fonts.

use super::{NONE, Type, binary, either, text};

#[rustfmt::skip]
pub(super) static TYPES: &[Type] = &[
    binary("application/vnd.ms-fontobject", "font", NONE, "eot"),
    either("application/x-angelcode-bmfont", "font", NONE, "fnt"),
    text("application/x-figlet", "font", NONE, "flf"),
    text("application/x-font-afm", "font", NONE, "afm"),
    text("application/x-font-bdf", "font", NONE, "bdf"),
    binary("application/x-font-fon", "font", NONE, "fon fnt"),
    binary("application/x-font-linux-psf", "font", NONE, "psf psfu"),
    binary("application/x-font-pcf", "font", NONE, "pcf"),
    binary("application/x-font-snf", "font", NONE, "snf"),
    either("application/x-font-type1", "font", NONE, "pfb pfa pfm"),
    binary("application/x-tex-tfm", "font", NONE, "tfm"),
    binary("font/collection", "font", NONE, "ttc otc"),
    binary("font/otf", "font", NONE, "otf"),
    binary("font/ttf", "font", NONE, "ttf"),
    binary("font/woff", "font", NONE, "woff"),
    binary("font/woff2", "font", NONE, "woff2"),
    text("font/x-fontforge", "font", NONE, "sfd"),
    text("font/x-glyphs", "font", NONE, "glyphs"),
];
