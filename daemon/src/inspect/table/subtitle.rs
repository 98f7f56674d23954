//! Subtitles and lyrics.

use super::{MKV, NONE, Type, XML, binary, text};

#[rustfmt::skip]
pub(super) static TYPES: &[Type] = &[
    text("application/ttml+xml", "subtitle", XML, "ttml dfxp"),
    binary("application/x-matroska-subtitles", "subtitle", MKV, "mks"),
    text("application/x-sami", "subtitle", NONE, "smi sami"),
    text("application/x-subrip", "subtitle", NONE, "srt"),
    text("application/x-usf", "subtitle", XML, "usf"),
    text("text/vtt", "subtitle", NONE, "vtt"),
    text("text/x-lrc", "subtitle", NONE, "lrc"),
    text("text/x-microdvd", "subtitle", NONE, "sub"),
    text("text/x-scc", "subtitle", NONE, "scc"),
    text("text/x-ssa", "subtitle", NONE, "ass ssa"),
];
