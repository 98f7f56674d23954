//! Directories that are one thing: projects, packages, discs. Nothing in them is filed on its own.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Extensions of directories that a person sees as one document or program, in lower case.
const BUNDLES: &[&str] = &[
    "app",
    "aplibrary",
    "band",
    "bundle",
    "component",
    "docset",
    "dsym",
    "fcpbundle",
    "framework",
    "imovielibrary",
    "kext",
    "key",
    "logicx",
    "lproj",
    "lrdata",
    "lrlibrary",
    "mpkg",
    "musiclibrary",
    "numbers",
    "pages",
    "photoslibrary",
    "pkg",
    "playground",
    "plugin",
    "prefpane",
    "pvm",
    "rtfd",
    "scriv",
    "sparsebundle",
    "tvlibrary",
    "utm",
    "vmwarevm",
    "vst3",
    "wdgt",
    "workflow",
    "xcodeproj",
    "xcworkspace",
];

/// Names of directories that are part of a project wherever they are.
const PARTS: &[&str] =
    &[".git", ".hg", ".svn", ".bzr", ".jj", "CVS", "node_modules", "__pycache__"];

/// Names whose presence makes a directory one unit. Strong ones only: a stray `Makefile`,
/// `README` or `index.html` proves nothing.
const MARKERS: &[&str] = &[
    // version control; `.git` is a file in worktrees and submodules
    ".git",
    ".hg",
    ".svn",
    ".bzr",
    ".jj",
    "_darcs",
    // languages and their build tools
    "Cargo.toml",
    "package.json",
    "deno.json",
    "pyproject.toml",
    "setup.py",
    "pyvenv.cfg",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "build.sbt",
    "CMakeLists.txt",
    "meson.build",
    "MODULE.bazel",
    "composer.json",
    "Gemfile",
    "mix.exs",
    "pubspec.yaml",
    "Package.swift",
    "stack.yaml",
    "dune-project",
    "flake.nix",
    // a directory that can be made again: <https://bford.info/cachedir/>
    "CACHEDIR.TAG",
    // discs
    "VIDEO_TS",
    "BDMV",
    // an installed program or an unpacked extension
    "AppRun",
    "META-INF",
];

/// Extensions whose presence makes a directory one unit, in lower case.
const MARKER_EXTENSIONS: &[&str] =
    &["xcodeproj", "xcworkspace", "sln", "csproj", "vcxproj", "cabal"];

/// What kind of thing a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitKind {
    /// Source code, with what version control and build tools keep there.
    Project,
    /// An application, a library of pictures, an unpacked package.
    Bundle,
    /// What a DVD or Blu-ray disc holds.
    Disc,
    /// What an archive was unpacked into. Nothing in it tells that.
    Unpacked,
}

impl UnitKind {
    /// Every kind with its name in the configuration.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("project", Self::Project),
        ("bundle", Self::Bundle),
        ("disc", Self::Disc),
        ("unpacked", Self::Unpacked),
    ];

    /// The word used in the configuration and in JSON.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, k)| *k == self).map_or("?", |(word, _)| word)
    }
}

/// What the directory of this name with these entries is, as a whole, as far as these tell; `None` for an ordinary one and for
/// what is only part of a thing (`.git`).
pub fn unit_kind<'a>(
    name: &OsStr,
    entries: impl IntoIterator<Item = &'a OsStr>,
) -> Option<UnitKind> {
    if PARTS.iter().any(|p| name == *p) {
        return None;
    }
    if extension_in(name, BUNDLES).is_some() {
        return Some(UnitKind::Bundle);
    }
    Some(match unit_marker(entries)? {
        "VIDEO_TS" | "BDMV" => UnitKind::Disc,
        "AppRun" | "META-INF" => UnitKind::Bundle,
        _ => UnitKind::Project,
    })
}

/// Whether the directory's own name says that it is one thing.
pub(crate) fn is_unit_name(name: &OsStr) -> bool {
    PARTS.iter().any(|p| name == *p) || extension_in(name, BUNDLES).is_some()
}

/// The name in a directory's listing that makes the directory, with all below it, one unit.
///
/// Never to be asked of a root: a person who names a directory wants its files filed.
pub fn unit_marker<'a>(names: impl IntoIterator<Item = &'a OsStr>) -> Option<&'static str> {
    names.into_iter().find_map(|name| {
        // Most names fail here: no marker is longer.
        if name.len() > 64 {
            return None;
        }
        MARKERS
            .iter()
            .find(|m| name == **m)
            .or_else(|| extension_in(name, MARKER_EXTENSIONS))
            .copied()
    })
}

fn extension_in(name: &OsStr, list: &'static [&'static str]) -> Option<&'static &'static str> {
    let bytes = name.as_bytes();
    let dot = bytes.iter().rposition(|b| *b == b'.').filter(|dot| *dot > 0)?;
    list.iter().find(|e| bytes[dot + 1..].eq_ignore_ascii_case(e.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(names: &[&str]) -> Option<&'static str> {
        unit_marker(names.iter().map(OsStr::new))
    }

    #[test]
    fn strong_markers_make_a_unit_and_weak_ones_do_not() {
        assert_eq!(marker(&["README.md", "Cargo.toml", "src"]), Some("Cargo.toml"));
        assert_eq!(marker(&[".git", "a.txt"]), Some(".git"));
        assert_eq!(marker(&["VIDEO_TS", "AUDIO_TS"]), Some("VIDEO_TS"));
        assert_eq!(marker(&["Thing.xcodeproj"]), Some("xcodeproj"));
        assert_eq!(marker(&["Thing.SLN"]), Some("sln"));
        for weak in
            ["Makefile", "README", "index.html", "src", "cargo.toml.txt", ".gitignore", ".sln"]
        {
            assert_eq!(marker(&[weak, "a.jpg"]), None, "{weak}");
        }
        assert_eq!(marker(&[]), None);
        assert_eq!(marker(&[&"x".repeat(255)]), None);
    }
}
