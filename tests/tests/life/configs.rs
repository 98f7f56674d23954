//! Configurations to change between.

use std::path::Path;

/// What stands at the top of each.
const TOP: &str = "settle = \"50ms\"\n";

/// Both folders are watched in most of them.
const BOTH: &str = "watch = [\"~/Downloads\", \"~/Inbox\"]\n";

/// One configuration.
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) roots: &'static [&'static str],
    rest: &'static str,
}

const TWO: &[&str] = &["Downloads", "Inbox"];

pub(crate) const ALL: &[Config] = &[
    Config { name: "built-in rules", roots: TWO, rest: "" },
    Config {
        name: "copies to the trash, taken names skipped",
        roots: TWO,
        rest: r#"
conflict = "skip"
duplicates = { keep = "newest", others = "trash" }
"#,
    },
    Config {
        name: "one flat folder, by size, replacing to the trash",
        roots: TWO,
        rest: r#"
conflict = "replace-to-trash"
duplicates = { others = "report" }
[[rule]]
name = "small"
when = { size = "< 2 kB" }
move = "~/Sorted/small/"
[[rule]]
name = "rest"
when = {}
move = "~/Sorted/{stem}.{ext|'none'}"
"#,
    },
    Config {
        name: "names by time",
        roots: TWO,
        rest: r#"
ignore = ["Keep/**", "*.bak"]
[[rule]]
name = "texts"
when = { ext = "txt" }
rename = "note {modified:%Y-%m-%d %H%M%S}"
[[rule]]
name = "extensions"
when = { mismatch = true, none = [{ kind = "unknown" }] }
rename = "{stem}.{true_ext|ext}"
then = "continue"
[[rule]]
name = "pictures"
when = { kind = "image" }
move = "Album/{parent}/"
"#,
    },
    Config {
        name: "copied and moved",
        roots: TWO,
        rest: r#"
duplicates = { scope = ["~/Downloads", "~/Inbox", "~/Sorted"], keep = "shortest-path", others = { folder = "Twice/" } }
[[rule]]
name = "backup"
when = { kind = "image" }
copy = "~/Copies/"
then = "continue"
[[rule]]
name = "documents"
when = { kind = "document" }
copy = "Copied/"
"#,
    },
    Config {
        name: "the newer one stays",
        roots: TWO,
        rest: r#"
conflict = "keep-newer"
duplicates = { others = "trash" }
[[rule]]
name = "all"
when = { not = { name = "*keep*" } }
move = "All/"
"#,
    },
    Config {
        name: "the larger one stays; old ones to the trash",
        roots: TWO,
        rest: r#"
conflict = "keep-larger"
[[watch-override]]
path = "~/Inbox"
recursive = false
only = ["old", "default"]
[[rule]]
name = "old"
when = { age = "> 30d" }
trash = true
[[rule]]
name = "stays"
when = { ext = "mp3" }
leave = true
[[rule]]
name = "all"
when = {}
move = "~/Downloads/All/"
"#,
    },
    Config {
        name: "to another disk",
        roots: TWO,
        rest: r#"
duplicates = { others = "report" }
[[rule]]
name = "away"
when = { not = { name = "*keep*" } }
move = "{AWAY}/"
"#,
    },
    Config { name: "one folder only", roots: &["Downloads"], rest: "" },
];

impl Config {
    /// Whether only what is directly in this root is looked at.
    pub(crate) fn is_flat(&self, root: &Path) -> bool {
        self.rest.contains("recursive = false") && root.ends_with("Inbox")
    }

    /// The text of the file; `away` is a directory on another file system.
    pub(crate) fn text(&self, away: Option<&Path>) -> String {
        let away = away.map_or("~/Away".into(), Path::to_string_lossy);
        let rest = self.rest.replace("{AWAY}", &away);
        match self.roots {
            [one] => format!("watch = [\"~/{one}\"]\n{TOP}{rest}"),
            _ => format!("{BOTH}{TOP}{rest}"),
        }
    }
}
