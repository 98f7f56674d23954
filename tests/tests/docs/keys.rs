//! `docs/configuration.md` has every key that the configuration knows, and no other.

use std::collections::BTreeSet;

use tidy_tests::World;

use crate::text;

/// A table of the document, by the heading it stands under, and a configuration with a key that nobody knows where it is about.
const TABLES: &[(&str, &str)] = &[
    ("# Configuration", "no-such-key = 1\n"),
    ("## duplicates", "duplicates = { no-such-key = 1 }\n"),
    ("## journal", "journal = { no-such-key = 1 }\n"),
    ("## breaker", "breaker = { no-such-key = 1 }\n"),
    ("## limits", "limits = { no-such-key = 1 }\n"),
    ("## metrics", "metrics = { no-such-key = 1 }\n"),
    ("## watch-override", "[[watch-override]]\npath = \"~/Downloads\"\nno-such-key = 1\n"),
    ("## rule", "[[rule]]\nname = \"a\"\nwhen = {}\ntrash = true\nno-such-key = 1\n"),
    (
        "### What a destination must have",
        "[[rule]]\nname = \"a\"\nwhen = {}\nmove = \"a/\"\nneed = { no-such-key = 1 }\n",
    ),
    ("### Conditions", "[[rule]]\nname = \"a\"\nwhen = { no-such-key = 1 }\ntrash = true\n"),
];

#[test]
fn every_key_is_described_and_every_description_is_of_a_key() {
    let document = text("docs/configuration.md");
    let world = World::new();
    let known = |part: &str| world.known_keys(&format!("watch = [\"~/Downloads\"]\n{part}"));
    let metadata = rows(&document, "### What files say of themselves");
    for (heading, part) in TABLES {
        let (mut described, known) = (rows(&document, heading), known(part));
        if *heading == "### Conditions" {
            // One row stands for the texts; they have a table of their own.
            described.extend(metadata.iter().cloned());
            assert_eq!(described, known, "{heading}");
        } else {
            assert_eq!(described, known, "{heading}");
        }
    }
    // Without tables: in sentences.
    for (heading, part) in [
        ("## category", "[category.x]\nno-such-key = 1\n"),
        ("## read-only", "read-only = { no-such-key = 1 }\n"),
        (
            "### Tests",
            "[[rule]]\nname = \"a\"\nwhen = {}\ntrash = true\n[[rule.test]]\nno-such-key = 1\n",
        ),
    ] {
        let section = section(&document, heading);
        for key in known(part) {
            assert!(section.contains(&key), "`{key}` is not under {heading}");
        }
    }
}

#[test]
fn keys_of_later_versions_are_refused_as_such() {
    let document = text("docs/configuration.md");
    let world = World::new();
    let section = section(&document, "### Keys of later versions");
    let row = |name: &str| -> Vec<String> {
        let row = section.lines().find(|l| l.starts_with(&format!("| {name} |"))).expect("a row");
        let keys = row.split('`').skip(1).step_by(2).map(str::to_owned);
        keys.filter(|k| !k.starts_with(['[', '"']) && !name.contains(k.as_str())).collect()
    };
    let refused = |toml: String| {
        world.configure(&toml);
        let run = world.tidyd(&["--check"]);
        assert_eq!(run.code, 78, "{toml}");
        assert!(run.stderr.contains("later version"), "{toml}: {}", run.stderr);
    };
    for key in row("top") {
        refused(format!("watch = [\"~/Downloads\"]\n{key} = 1\n"));
    }
    for key in row("`[[rule]]`") {
        let rule = "[[rule]]\nname = \"a\"\nwhen = {}\ntrash = true\n";
        refused(format!("watch = [\"~/Downloads\"]\n{rule}{key} = 1\n"));
    }
}

/// What stands between a heading and the next one.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document.find(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let rest = &document[start + heading.len()..];
    rest.find("\n#").map_or(rest, |end| &rest[..end])
}

/// The keys in the first column of the first table of a section.
fn rows(document: &str, heading: &str) -> BTreeSet<String> {
    let rows = section(document, heading).lines().skip_while(|l| !l.starts_with("| ")).skip(2);
    let cells = rows.take_while(|l| l.starts_with("| ")).filter_map(|l| l.split('|').nth(1));
    let keys = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let bare = |key: &str| key.trim_matches(['[', ']']).replace("category.NAME", "category");
    let bare = |key: &str| bare(key).trim_start_matches("rule.").to_owned();
    keys.map(bare).collect()
}
