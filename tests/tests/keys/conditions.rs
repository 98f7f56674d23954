//! Conditions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tidy_tests::World;

use crate::ground::{self, GHOST};

/// One condition, and for which files it holds, does not, or cannot be told.
pub(crate) struct Row {
    pub(crate) key: &'static str,
    when: &'static str,
    holds: &'static [&'static str],
    not: &'static [&'static str],
    unknown: &'static [&'static str],
}

const fn row(
    key: &'static str,
    when: &'static str,
    holds: &'static [&'static str],
    not: &'static [&'static str],
    unknown: &'static [&'static str],
) -> Row {
    Row { key, when, holds, not, unknown }
}

pub(crate) const ROWS: &[Row] = &[
    row("name", "name = \"PHOTO*\"", &["photo.jpg"], &["song.mp3", GHOST], &[]),
    row("regex", "regex = '^s.n'", &["song.mp3"], &["photo.jpg", GHOST], &[]),
    row("path", "path = \"sub/**\"", &["sub/deep/inner.txt"], &["note.txt", GHOST], &[]),
    row("ext", "ext = [\"jpg\", \"pdf\"]", &["photo.jpg", GHOST], &["song.mp3"], &[]),
    row("kind", "kind = \"image\"", &["photo.jpg", "wrong.txt"], &["note.txt", GHOST], &[]),
    row("mime", "mime = \"audio/*\"", &["song.mp3"], &["photo.jpg", GHOST], &[]),
    row("size", "size = \"= 28 B\"", &["note.txt", "twin.txt"], &["photo.jpg"], &[GHOST]),
    row("age", "age = \"> 30d\"", &["note.txt"], &["twin.txt"], &[GHOST]),
    row("modified", "modified = \"30d..50d\"", &["note.txt"], &["twin.txt"], &[GHOST]),
    row("created", "created = \"< 1d\"", &["twin.txt"], &[], &[GHOST]),
    row("accessed", "accessed = \"> 30d\"", &[], &["twin.txt"], &[GHOST]),
    row("changed", "changed = \"< 1d\"", &["note.txt"], &[], &[GHOST]),
    row("depth", "depth = 2", &["sub/deep/inner.txt"], &["note.txt", GHOST], &[]),
    row("mismatch", "mismatch = true", &["wrong.txt"], &["note.txt"], &[]),
    row("origin", "origin = \"*.example.org\"", &["marked.txt"], &["note.txt"], &[GHOST]),
    row("duplicate", "duplicate = true", &["twin.txt"], &["photo.jpg"], &[GHOST]),
    row(
        "unit",
        "unit = [\"project\", \"disc\"]",
        &["project", "film"],
        &["Some.app", "note.txt"],
        &[],
    ),
    row(
        "has",
        "has = [\"artist\", \"title\"]",
        &["song.mp3"],
        &["photo.jpg", "note.txt"],
        &[GHOST],
    ),
    row("text", "text = '(?i)invoice no\\. \\d'", &["report.docx"], &["note.txt"], &[GHOST]),
    row("tag", "tag = \"bills\"", &["marked.txt"], &["note.txt"], &[GHOST]),
    row(
        "xattr",
        "xattr = { name = \"user.comment\", value = [\"*draft*\"] }",
        &["marked.txt"],
        &["note.txt"],
        &[GHOST],
    ),
    row("album", "album = \"live\"", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row("album_artist", "album_artist = \"Var*\"", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row(
        "artist",
        "artist = [\"nina*\", \"ada\"]",
        &["song.mp3", "photo.jpg"],
        &["note.txt"],
        &[GHOST],
    ),
    row("author", "author = \"Grace\"", &["report.docx"], &["note.txt"], &[GHOST]),
    row("camera", "camera = \"X100\"", &["photo.jpg"], &["song.mp3"], &[GHOST]),
    row("comment", "comment = \"*sea\"", &["photo.jpg"], &["song.mp3"], &[GHOST]),
    row("disc", "disc = 2", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row("duration", "duration = \"< 5s\"", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row("genre", "genre = \"jazz\"", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row("height", "height = \"<= 8\"", &["photo.jpg"], &["song.mp3"], &[GHOST]),
    row("lens", "lens = \"35*\"", &["photo.jpg"], &["song.mp3"], &[GHOST]),
    row("pages", "pages = \"2..4\"", &["report.docx"], &["song.mp3"], &[GHOST]),
    row("software", "software = \"darkroom*\"", &["photo.jpg"], &["song.mp3"], &[GHOST]),
    row("taken", "taken = \"> 1 year\"", &["photo.jpg"], &["song.mp3"], &[GHOST]),
    row("title", "title = \"Sinner*\"", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row("track", "track = \">= 4\"", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row("width", "width = \"> 8\"", &[], &["photo.jpg", "song.mp3"], &[GHOST]),
    row("written", "written = \"> 1 year\"", &["report.docx"], &["song.mp3"], &[GHOST]),
    row("year", "year = 1965", &["song.mp3"], &["photo.jpg"], &[GHOST]),
    row(
        "any",
        "any = [{ size = \"> 1 GB\" }, { ext = \"pdf\" }, { name = \"so*\" }]",
        &["song.mp3", GHOST],
        &["note.txt"],
        &[],
    ),
    row(
        "all",
        "all = [{ ext = \"txt\" }, { age = \"> 30d\" }]",
        &["note.txt"],
        &["twin.txt", GHOST],
        &[],
    ),
    row(
        "none",
        "none = [{ size = \"= 28 B\" }, { ext = \"mp3\" }]",
        &["photo.jpg"],
        &["note.txt", "song.mp3"],
        &[GHOST],
    ),
    row("not", "not = { artist = \"*\" }", &["note.txt"], &["song.mp3", "photo.jpg"], &[GHOST]),
];

/// A condition alone, negated, and deep in others. A file that is looked at is renamed to what it is called, so that
/// every rule has its say and nothing happens.
fn config() -> String {
    let mut text =
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\ncompanions = false\ndefault = {}\n\
                    duplicates = { others = \"report\" }\n"
            .to_owned();
    for (n, row) in ROWS.iter().enumerate() {
        let when = row.when;
        for (form, when) in [
            ("alone", format!("{{ {when} }}")),
            ("negated", format!("{{ none = [{{ {when} }}] }}")),
            (
                "nested",
                format!("{{ any = [{{ depth = 99 }}, {{ all = [{{ any = [{{ {when} }}] }}] }}] }}"),
            ),
            ("twice negated", format!("{{ not = {{ none = [{{ {when} }}] }} }}")),
        ] {
            let _ = write!(
                text,
                "[[rule]]\nname = \"{n} {form}\"\nwhen = {when}\nrename = \"{{name}}\"\nthen = \"continue\"\n"
            );
        }
    }
    text
}

/// What every rule says of a file.
fn asked(world: &World, file: &str) -> BTreeMap<String, String> {
    let path = world.downloads().join(file);
    let answer = match file {
        GHOST => {
            let nothing = world.downloads().join("nothing");
            world.ctl_json_at(&["explain", "--as", path.to_str().unwrap()], &nothing)
        }
        _ => world.ctl_json_at(&["explain"], &path),
    };
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let rules = answer["rules"].as_array().unwrap_or_else(|| panic!("{file}: {answer:#}"));
    rules.iter().map(|r| (text(&r["rule"]), text(&r["matched"]))).collect()
}

#[test]
fn every_condition_holds_where_it_should_and_is_unknown_where_it_cannot_be_told() {
    let Some(world) = ground::world() else { return };
    world.configure(&config());
    let daemon = world.start();
    world.wait();
    let mut answers: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (n, row) in ROWS.iter().enumerate() {
        let expected = [
            (row.holds, "true", "false"),
            (row.not, "false", "true"),
            (row.unknown, "unknown", "unknown"),
        ];
        for (files, alone, negated) in expected {
            for file in files {
                let said = answers.entry(file).or_insert_with(|| asked(&world, file));
                for (form, expected) in [
                    ("alone", alone),
                    ("negated", negated),
                    ("nested", alone),
                    ("twice negated", alone),
                ] {
                    let found = said.get(&format!("{n} {form}")).map(String::as_str);
                    // Rules that do not ask for folders have nothing to say of one.
                    let silent = row.key == "unit" && form.ends_with("negated") && found.is_none();
                    if found != Some(expected) && !silent {
                        wrong.push(format!(
                            "{} {form}, {file}: {found:?}, not {expected}",
                            row.when
                        ));
                    }
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "{}", wrong.join("\n"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_bare_size_is_refused() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"a\"\nwhen = { size = \"28 B\" }\ntrash = true\n",
    );
    assert_eq!(world.tidyd(&["--check"]).code, 78);
}
