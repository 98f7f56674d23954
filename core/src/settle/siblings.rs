//! Unfinished siblings: while `name.part` lies beside it, `name` is only a placeholder.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// What download programs append to the final name while they write beside it.
const SUFFIXES: &[&str] = &[
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".opdownload",
    ".fdmdownload",
    ".aria2",
    ".filepart",
    ".ytdl",
    ".td",
    ".xltd",
    ".!qb",
    ".!ut",
    ".!bt",
    ".bc!",
];

/// yt-dlp's fragments: `name.part-Frag12`.
const FRAGMENT: &[u8] = b".part-Frag";

/// Length of the random part that Firefox puts into `base.<random>.ext.part`: 6 bytes in base 64
/// (`nsExternalHelperAppService.cpp`).
const FIREFOX_RANDOM: usize = 8;

/// The unfinished names of one directory, by the final name that each of them holds up.
///
/// Built once per listing, so that asking for every file of a directory stays linear.
#[derive(Debug, Default)]
pub struct Siblings {
    by_final: HashMap<OsString, OsString>,
}

impl Siblings {
    /// From all names of a directory, those of sub-directories included (Safari's `name.download`
    /// is one).
    pub fn new<'a>(names: impl IntoIterator<Item = &'a OsStr>) -> Self {
        let mut by_final = HashMap::new();
        for name in names {
            for held_up in finals(name.as_bytes()) {
                by_final.entry(held_up).or_insert_with(|| name.to_owned());
            }
        }
        Self { by_final }
    }

    /// The sibling that says `name` is not finished.
    pub fn blocker(&self, name: &OsStr) -> Option<&OsStr> {
        self.by_final.get(name).map(OsString::as_os_str)
    }
}

/// The final names that a file of this name may be the unfinished form of.
fn finals(name: &[u8]) -> Vec<OsString> {
    let mut out = Vec::new();
    let stem = SUFFIXES.iter().find_map(|suffix| strip_suffix(name, suffix.as_bytes()));
    if let Some(stem) = stem {
        out.push(OsStr::from_bytes(stem).to_owned());
        if name.ends_with(b".part") {
            out.extend(without_random(stem));
        }
    } else if let Some(at) = find(name, FRAGMENT).filter(|at| *at > 0) {
        out.push(OsStr::from_bytes(&name[..at]).to_owned());
    }
    out
}

/// `base.<random>.ext` without the random part, once for every part that may be it.
fn without_random(stem: &[u8]) -> Vec<OsString> {
    let parts: Vec<&[u8]> = stem.split(|b| *b == b'.').collect();
    (1..parts.len())
        .filter(|i| looks_random(parts[*i]))
        .map(|i| {
            let kept: Vec<&[u8]> =
                parts.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| *p).collect();
            OsStr::from_bytes(&kept.join(&b'.')).to_owned()
        })
        .collect()
}

fn looks_random(part: &[u8]) -> bool {
    part.len() == FIREFOX_RANDOM
        && part.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+'))
}

fn strip_suffix<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let at = name.len().checked_sub(suffix.len()).filter(|at| *at > 0)?;
    name[at..].eq_ignore_ascii_case(suffix).then_some(&name[..at])
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocker(name: &str, others: &[&str]) -> Option<String> {
        let all = others.iter().chain([&name]).map(OsStr::new);
        Siblings::new(all).blocker(OsStr::new(name)).map(|b| b.to_string_lossy().into_owned())
    }

    #[test]
    fn an_unfinished_sibling_blocks_the_final_name() {
        let cases = [
            ("a.zip", "a.zip.part"),
            ("a.zip", "a.zip.crdownload"),
            ("a.zip", "a.zip.aria2"),
            ("a.zip", "a.zip.!qB"),
            ("a.zip", "a.zip.PART"),
            ("a.zip", "a.zip.download"),
            ("clip.mp4", "clip.mp4.part-Frag17"),
            ("a.zip", "a.Xy3_-9aZ.zip.part"),
            ("a.tar.gz", "a.Xy3b29aZ.tar.gz.part"),
            ("a.tar.gz", "a.tar.Xy3b29aZ.gz.part"),
            ("README", "README.Xy3b29aZ.part"),
        ];
        for (name, sibling) in cases {
            assert_eq!(blocker(name, &[sibling]).as_deref(), Some(sibling), "{name} {sibling}");
        }
    }

    #[test]
    fn other_siblings_do_not_block() {
        let cases = [
            ("a.zip", "b.zip.part"),
            ("a.zip", "a.zip.txt"),
            ("a.zip", "aa.zip.part"),
            ("a.zip", "a.short.zip.part"),
            ("a.zip", "Xy3b29aZ.a.zip.part"),
            (".part", "part"),
            ("", ".part"),
        ];
        for (name, sibling) in cases {
            assert_eq!(blocker(name, &[sibling]), None, "{name} {sibling}");
        }
    }

    #[test]
    fn a_hundred_thousand_files_are_asked_about_in_linear_time() {
        let names: Vec<OsString> = (0..100_000).map(|i| format!("f{i}.bin.part").into()).collect();
        let siblings = Siblings::new(names.iter().map(OsString::as_os_str));
        let blocked = (0..100_000)
            .filter(|i| siblings.blocker(OsStr::new(&format!("f{i}.bin"))).is_some())
            .count();
        assert_eq!(blocked, 100_000);
    }
}
