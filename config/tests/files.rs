//! The files that come with tidyd are good, and mean what they say.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tidy_config::{Config, DEFAULT_TOML, Environment};

fn examples() -> Vec<(PathBuf, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut out: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    out.sort();
    assert!(out.len() >= 3);
    out
}

#[test]
fn every_example_is_read_and_passes_its_tests() {
    for (path, text) in examples() {
        let config = Config::load(&path).unwrap_or_else(|e| panic!("{e}"));
        let failures = config.run_tests();
        assert!(failures.is_empty(), "{}: {failures:#?}", path.display());
        assert_eq!(config.test_count(), text.matches("[[rule.test]]").count());
    }
}

#[test]
fn the_default_file_says_what_applies_without_it() {
    let written = Config::parse(DEFAULT_TOML, "default.toml").unwrap_or_else(|e| panic!("{e}"));
    let bare = Config::parse("watch = [\"~/Downloads\"]", "bare").unwrap();
    assert_eq!(written.show(), bare.show().replace(" # built in", ""));
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    let texts = examples().into_iter().map(|(_, text)| text);
    for text in texts.chain([DEFAULT_TOML.to_owned()]) {
        let first = Config::parse(&text, "x").unwrap().show();
        let again = Config::parse(&first, "shown").unwrap_or_else(|e| panic!("{first}\n{e}"));
        assert_eq!(again.show().replace(" # built in", ""), first.replace(" # built in", ""));
    }
}

#[test]
fn a_comment_or_another_layout_does_not_change_the_fingerprint_and_a_rule_does() {
    let home = tempfile::tempdir().unwrap();
    mkdir(&home.path().join("Downloads"));
    let env = Environment::of_home(home.path());
    let print = |rules: &str| {
        let text = format!("watch = [\"~/Downloads\"]\n{rules}");
        let config = Config::parse_in(&text, "x", TimeZone::UTC).unwrap();
        config.resolve(&env).unwrap().roots[0].rules.fingerprint
    };
    let one = "[[rule]]\nname = 'r'\nwhen = { kind = \"image\" }\nmove = \"P/\"\n";
    let same = "# x\n[[rule]]\nname = \"r\"\nwhen.kind = 'image'\nmove = \"P/\"\n";
    let other = "[[rule]]\nname = 'r'\nwhen = { kind = \"image\" }\nmove = \"Q/\"\n";
    assert_eq!(print(one), print(same));
    assert_ne!(print(one), print(other));
    assert_ne!(print(one), print(""));
}

#[test]
fn patterns_match_either_spelling_and_case_and_paths_below_the_root() {
    // The file system has NFD ("e" and a combining accent), the pattern NFC; both in the test's file.
    let text = "[[rule]]\nname = \"r\"\nwhen = { path = \"Caf\u{e9}/*\", name = \"*.PDF\" }\nmove = \"x/\"\n\
        [[rule.test]]\ngiven = { path = \"Cafe\u{301}/a.pdf\" }\nexpect = \"x/a.pdf\"\n\
        [[rule.test]]\ngiven = { path = \"Cafe\u{301}/b/a.pdf\" }\nexpect = \"leave\"\n[default]\n";
    let config = Config::parse(text, "x").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((config.test_count(), config.run_tests()), (2, vec![]));
}

#[test]
fn a_failing_test_says_what_would_happen_and_why() {
    let text = r#"
[[rule]]
name = "all"
when = { kind = "image" }
move = "A/"

[[rule]]
name = "shadowed"
when = { name = "*.png" }
move = "B/"
  [[rule.test]]
  given = { name = "x.png", kind = "image" }
  expect = "B/x.png"
  [[rule.test]]
  given = { name = "x.png" }
  expect = "B/x.png"
"#;
    let config = Config::parse(text, "x").unwrap();
    let failures: Vec<String> = config.run_tests().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(failures.join("\n"), @"
    line 13: test of rule `shadowed`: expected B/x.png, got A/x.png (rule `all`: kind = image (image (unknown/unknown), by given))
    line 16: test of rule `shadowed`: expected B/x.png, got nothing (the rules ask what it is; give it a `kind`)
    ");
}

fn mkdir(path: &Path) {
    std::fs::DirBuilder::new().recursive(true).create(path).unwrap();
}
