//! What is never filed, by name alone: unfinished downloads, programs' own files, hidden files, what
//! the configuration ignores, and directories that are one thing.
//!
//! In: paths below a root, as bytes. Out: a [`LeaveReason`], or nothing. May not know: the disk; a
//! listing comes in as names.
//!
//! Order of reasons for one name: unfinished, ignored, hidden. For a directory: never to be entered
//! (systems' and tools' own), ignored, a unit by its name, hidden.

mod names;
mod unit;
mod unpacked;

pub use names::{is_backup, is_hidden, is_unfinished};
pub(crate) use unit::is_unit_name;
pub use unit::{UnitKind, unit_kind, unit_marker};
pub use unpacked::{is_archive, is_unpacked_from, top_folder};

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::rules::LeaveReason;

/// The names one root leaves alone.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    /// Files, and directories with all that is below them.
    names: GlobSet,
    /// Directories only: `Keep` for the glob `Keep/**`, so that it need not even be read.
    dirs: GlobSet,
    /// The globs of each set as the configuration has them.
    texts: [Vec<String>; 2],
}

impl Ignore {
    /// From the globs of the configuration.
    ///
    /// A glob without a slash is matched against the name at any depth (`*.iso`), one with a slash
    /// against the path below the root (`Keep/**`, `/Keep`); `*` does not cross a slash. A directory
    /// that matches is left with everything below it; a slash at the end says that only a directory
    /// is meant.
    ///
    /// # Errors
    /// The first glob that is not well formed, with its text ([`globset::Error::glob`]).
    pub fn new(globs: &[String]) -> Result<Self, globset::Error> {
        let mut names = GlobSetBuilder::new();
        let mut dirs = GlobSetBuilder::new();
        let mut texts = [Vec::new(), Vec::new()];
        for glob in globs {
            let only_dirs = glob.strip_suffix("/**").or_else(|| glob.strip_suffix('/'));
            let set = if only_dirs.is_some() { &mut dirs } else { &mut names };
            let text = only_dirs.unwrap_or(glob);
            let is_names = only_dirs.is_none() || text.is_empty();
            texts[usize::from(!is_names)].push(glob.clone());
            if text.is_empty() {
                // `/`, `/**`: the root itself; everything.
                names.add(build("**", glob)?);
            } else {
                // `Keep/` and `Keep/**` speak of a path when the whole glob has a slash further left.
                set.add(build(&anchored(text, glob.ends_with("/**")), glob)?);
            }
        }
        Ok(Self { names: names.build()?, dirs: dirs.build()?, texts })
    }

    /// The glob for which the file at `rel` is left as [`LeaveReason::Ignored`].
    pub fn pattern(&self, rel: &Path) -> Option<String> {
        let [names, dirs] = &self.texts;
        let first = |set: &GlobSet, texts: &[String], path: &Path| {
            set.matches(path).first().and_then(|i| texts.get(*i)).cloned()
        };
        let mut above: Vec<&Path> = rel.ancestors().skip(1).collect();
        above.reverse();
        let above = above.into_iter().filter(|dir| !dir.as_os_str().is_empty());
        let mut above = above
            .map(|dir| first(&self.names, names, dir).or_else(|| first(&self.dirs, dirs, dir)));
        above.find_map(|found| found).or_else(|| first(&self.names, names, rel))
    }

    /// Why the file at `rel` (below the root, its directories already entered) is left, if it is.
    pub fn file(&self, rel: &Path) -> Option<LeaveReason> {
        let name = rel.file_name()?;
        if is_unfinished(name) {
            Some(LeaveReason::Unfinished)
        } else if self.names.is_match(rel) {
            Some(LeaveReason::Ignored)
        } else if is_hidden(name) {
            Some(LeaveReason::Hidden)
        } else {
            None
        }
    }

    /// Why the directory at `rel` is not entered, if it is not. The root itself (an empty `rel`)
    /// always is.
    pub fn dir(&self, rel: &Path) -> Option<LeaveReason> {
        let name = rel.file_name()?;
        if names::is_never_entered(name) {
            Some(LeaveReason::Unfinished)
        } else if self.names.is_match(rel) || self.dirs.is_match(rel) {
            Some(LeaveReason::Ignored)
        } else if is_unit_name(name) {
            Some(LeaveReason::InUnit)
        } else if is_hidden(name) {
            Some(LeaveReason::Hidden)
        } else {
            None
        }
    }

    /// Whether the directory at `rel` is entered, its parents having been.
    pub fn enter(&self, rel: &Path) -> bool {
        self.dir(rel).is_none()
    }

    /// Whether a person sees the file at `rel`: it is neither hidden nor ignored nor unfinished, and does not lie in
    /// what is, such as a trash.
    pub fn is_in_sight(&self, rel: &Path) -> bool {
        let out = |r: LeaveReason| {
            matches!(r, LeaveReason::Hidden | LeaveReason::Ignored | LeaveReason::Unfinished)
        };
        let mut above = rel.ancestors().skip(1);
        !rel.iter().any(is_hidden)
            && !above.any(|dir| self.dir(dir).is_some_and(out))
            && !self.file(rel).is_some_and(out)
    }

    /// Why the file at `rel` is left, when nothing is known of the directories above it: the first
    /// of them that is not entered decides.
    pub fn reason(&self, rel: &Path) -> Option<LeaveReason> {
        let mut above: Vec<&Path> = rel.ancestors().skip(1).collect();
        above.reverse();
        above.into_iter().find_map(|dir| self.dir(dir)).or_else(|| self.file(rel))
    }
}

/// A glob relative to the root: as written when it speaks of a path, at any depth otherwise.
fn anchored(text: &str, is_path: bool) -> String {
    let text = text.strip_prefix("./").unwrap_or(text);
    match text.strip_prefix('/') {
        Some(from_root) => from_root.to_owned(),
        None if is_path || text.contains('/') => text.to_owned(),
        None => format!("**/{text}"),
    }
}

fn build(text: &str, written: &str) -> Result<globset::Glob, globset::Error> {
    let parse = |text: &str| GlobBuilder::new(text).literal_separator(true).build();
    // An error shows what the person wrote where that alone is wrong already.
    parse(written).and_then(|_| parse(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    fn ignore(globs: &[&str]) -> Ignore {
        Ignore::new(&globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn globs_match_names_at_any_depth_and_paths_from_the_root() {
        let all = ignore(&["Keep/**", "*.iso", "/Top", "a/*.txt", "Games/", "b?g"]);
        let cases = [
            ("x.iso", true),
            ("sub/x.iso", true),
            ("x.ISO", false),
            ("Keep/x", true),
            ("Keep/deep/x", true),
            ("sub/Keep/x", false),
            ("Keep", false), // a file of that name: the glob speaks of what is below
            ("Top", true),
            ("Top/x", true),
            ("sub/Top", false),
            ("a/x.txt", true),
            ("a/b/x.txt", false),
            ("Games/x", true),
            ("sub/Games/x", true),
            ("Games", false),
            ("big", true),
            ("x.txt", false),
        ];
        for (rel, ignored) in cases {
            let expected = ignored.then_some(LeaveReason::Ignored);
            assert_eq!(all.reason(Path::new(rel)), expected, "{rel}");
        }
        assert!(!all.enter(Path::new("Keep")) && !all.enter(Path::new("sub/Games")));
        assert!(all.enter(Path::new("sub/Keep")) && all.enter(Path::new("a")));
        assert_eq!(ignore(&["/**"]).file(Path::new("x")), Some(LeaveReason::Ignored));
    }

    #[test]
    fn what_is_hidden_ignored_or_in_a_trash_is_not_in_sight() {
        let some = ignore(&["Work/**", "*.iso"]);
        for (rel, seen) in [
            ("a.txt", true),
            ("Thing.app/a.txt", true),
            ("Thing.app/.a", false),
            ("Work/a.txt", false),
            ("sub/x.iso", false),
            (".a.txt", false),
            ("a.txt.part", false),
            (".Trash-1000/files/a.txt", false),
            ("$RECYCLE.BIN/a.txt", false),
            ("#recycle/deep/a.txt", false),
        ] {
            assert_eq!(some.is_in_sight(Path::new(rel)), seen, "{rel}");
        }
    }

    #[test]
    fn the_glob_that_ignores_a_file_is_told() {
        let all = ignore(&["Keep/**", "*.iso", "/Top", "a/*.txt", "Games/", "*.txt"]);
        for (rel, want) in [
            ("sub/x.iso", Some("*.iso")),
            ("Keep/deep/x.iso", Some("Keep/**")),
            ("Top/x", Some("/Top")),
            ("sub/Games/x", Some("Games/")),
            ("a/x.txt", Some("a/*.txt")),
            ("plain", None),
        ] {
            assert_eq!(all.pattern(Path::new(rel)).as_deref(), want, "{rel}");
        }
        assert_eq!(ignore(&["x", "/**"]).pattern(Path::new("y")).as_deref(), Some("/**"));
    }

    #[test]
    fn a_bad_glob_is_an_error_that_shows_it() {
        let err = Ignore::new(&["ok".to_owned(), "a[".to_owned()]).unwrap_err();
        assert_eq!(err.glob(), Some("a["));
    }

    #[test]
    fn directories_are_entered_unless_they_are_somebodys_own() {
        let none = Ignore::default();
        let cases = [
            ("", None),
            ("docs", None),
            ("My.Download notes", None),
            ("@eaDir", Some(LeaveReason::Unfinished)),
            (".stfolder", Some(LeaveReason::Unfinished)),
            (".Trash-1000", Some(LeaveReason::Unfinished)),
            ("__MACOSX", Some(LeaveReason::Unfinished)),
            ("big.zip.download", Some(LeaveReason::Unfinished)),
            ("sub/.rsync-partial", Some(LeaveReason::Unfinished)),
            ("Photos.photoslibrary", Some(LeaveReason::InUnit)),
            ("Thing.APP", Some(LeaveReason::InUnit)),
            ("node_modules", Some(LeaveReason::InUnit)),
            (".git", Some(LeaveReason::InUnit)),
            (".config", Some(LeaveReason::Hidden)),
        ];
        for (rel, expected) in cases {
            assert_eq!(none.dir(Path::new(rel)), expected, "{rel}");
        }
    }

    #[test]
    fn a_directory_that_is_not_entered_decides_for_all_below() {
        let none = Ignore::default();
        assert_eq!(none.reason(Path::new(".cache/a/b.txt")), Some(LeaveReason::Hidden));
        assert_eq!(none.reason(Path::new("x/Y.app/Contents/i.plist")), Some(LeaveReason::InUnit));
        assert_eq!(none.reason(Path::new("x/y.txt")), None);
    }

    #[test]
    fn names_are_bytes() {
        let all = ignore(&["*.iso"]);
        let name = |b: &'static [u8]| Path::new(OsStr::from_bytes(b));
        assert_eq!(all.file(name(b"\xff\xfe.iso")), Some(LeaveReason::Ignored));
        assert_eq!(all.file(name(b"\xff\n.part")), Some(LeaveReason::Unfinished));
        assert_eq!(all.file(name(b"\xff\n")), None);
    }
}
