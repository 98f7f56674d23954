//! Descriptions of downloads.

use super::{NONE, Type, XML, either, text};

#[rustfmt::skip]
pub(super) static TYPES: &[Type] = &[
    text("application/metalink+xml", "torrent", XML, "metalink"),
    text("application/metalink4+xml", "torrent", XML, "meta4"),
    either("application/x-bittorrent", "torrent", NONE, "torrent"),
    text("application/x-nzb", "torrent", XML, "nzb"),
];
