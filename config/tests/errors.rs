//! What a person reads when something in the file is wrong.

use proptest::prelude::*;
use tidy_config::Config;

fn errors(text: &str) -> Vec<tidy_config::ConfigError> {
    Config::parse(text, "config.toml").expect_err("it must be refused").errors
}

/// A rule with this line in it.
fn rule(line: &str) -> String {
    format!("[[rule]]\nname = \"r\"\n{line}\n")
}

/// A rule that moves files and needs this.
fn need(what: &str) -> String {
    rule(&format!("when = {{}}\nmove = \"/mnt/archive/\"\nneed = {what}"))
}

/// A rule whose `when` is this.
fn when(conditions: &str) -> String {
    rule(&format!("when = {{ {conditions} }}\nleave = true"))
}

#[test]
fn an_error_shows_the_line_and_marks_the_place() {
    let text = "watch = [\"~/Downloads\"]\n\n[[rule]]\nnmae = \"photos\"\nname = \"p\"\nwhen = {}\nleave = true\n";
    let error = Config::parse(text, "config.toml").unwrap_err();
    insta::assert_snapshot!(error, @r#"
    config.toml:4:1: unknown key `nmae`; did you mean `name`?
    4 | nmae = "photos"
      | ^^^^
      = key: rule[1].nmae
      = hint: known here: name, when, move, copy, reflink, hardlink, symlink, rename, trash, leave, conflict, companions, need, tag, run, run-limit, notify, then, test
    "#);
}

#[test]
fn a_placeholder_is_marked_inside_the_destination() {
    let text = rule("when = {}\nmove = \"~/Pictures/{creatd:%Y}/\"");
    let error = Config::parse(&text, "config.toml").unwrap_err();
    insta::assert_snapshot!(error, @r#"
    config.toml:4:21: unknown placeholder `creatd`; did you mean `created`?
    4 | move = "~/Pictures/{creatd:%Y}/"
      |                     ^^^^^^
      = key: rule[1].move
    "#);
}

#[test]
fn syntax_errors_have_a_place_too() {
    let found = errors("watch = [\"~/a\"\nsettle = 2s\n");
    assert!(found.iter().all(|e| e.line >= 1), "{found:?}");
}

#[test]
fn every_error_is_reported_in_the_order_of_the_file() {
    let text = "settle = 2\nconflict = \"renam\"\n[default]\nimages = \"P/\"\nvideo = 1\n";
    let found = errors(text);
    let places: Vec<_> = found.iter().map(|e| (e.line, e.column)).collect();
    assert_eq!(places, [(1, 10), (2, 12), (4, 1), (5, 9)], "{found:?}");
}

#[test]
fn every_mistake_has_its_message() {
    let two_rules = |second: &str| format!("{}{}", rule("when = {}\nleave = true"), second);
    let table: &[(String, &str)] = &[
        ("wach = []".into(), "did you mean `watch`?"),
        ("watch = 5".into(), "`watch` must be a string or a list of strings, not a number"),
        ("watch = []".into(), "the list is empty"),
        ("watch = [\"Downloads\"]".into(), "must be absolute or start with `~/`"),
        ("watch = [\"~other/x\"]".into(), "only `~/` is expanded"),
        ("settle = \"2\"".into(), "needs a unit"),
        ("settle = \"3d\"".into(), "one day at most"),
        ("conflict = \"replace\"".into(), "\"replace\" is not possible here"),
        ("ignore = [\"[\"]".into(), "bad pattern"),
        ("ignore = [\"~/Downloads/Keep\"]".into(), "below the watched folder"),
        ("[rule]\nname = \"r\"".into(), "write [[rule]]"),
        ("ignore = \"x\"".into(), "must be a list of strings, not a string"),
        ("duplicates = { other = \"trash\" }".into(), "did you mean `others`?"),
        ("duplicates = { others = \"hardlink\" }".into(), "comes with a later version"),
        ("duplicates = { others = \"tarsh\" }".into(), "did you mean `trash`?"),
        ("duplicates = { others = { folder = \"{stem}/\" } }".into(), "cannot have placeholders"),
        ("duplicates = { others = { folder = \"../x\" } }".into(), "`.` and `..`"),
        ("duplicates = { others = {} }".into(), "`folder` is missing"),
        ("journal = { kep = \"9d\" }".into(), "did you mean `keep`?"),
        ("journal = { keep = \"9\" }".into(), "needs a unit"),
        ("journal = { keep = \"23h\" }".into(), "one day at least"),
        ("journal = { at_most = \"1 kB\" }".into(), "64 kB at least"),
        ("journal = { at_most = 5 }".into(), "a string such as \"1 GB\", not a number"),
        ("journal = \"365d\"".into(), "`journal` must be a table"),
        ("limits = 5".into(), "`limits` must be a table, not a number"),
        ("limits = { reed = \"5 MB/s\" }".into(), "did you mean `read`?"),
        ("limits = { read = 50 }".into(), "a string such as \"50 MB/s\", not a number"),
        ("limits = { read = \"50 MB\" }".into(), "`50 MB` is not a rate"),
        ("limits = { read = \"50/s\" }".into(), "needs a unit"),
        ("limits = { read = \"5 kB/s\" }".into(), "100 kB/s at least"),
        ("duplicates = { keep = \"newst\" }".into(), "did you mean `newest`?"),
        ("breaker = 5".into(), "`breaker` must be a table, or false, not a number"),
        ("breaker = { share = 50 }".into(), "`share` must be a share such as"),
        ("breaker = { share = \"101%\" }".into(), "`101%` is not a share"),
        ("breaker = { share = \"50\" }".into(), "`50` is not a share"),
        ("breaker = { share = \"+5%\" }".into(), "`+5%` is not a share"),
        ("breaker = { operations = 0 }".into(), "this must be 1 or more"),
        ("breaker = { at-least = -1 }".into(), "this must be 1 or more"),
        ("breaker = { first = \"5\" }".into(), "`first` must be a number of files, not a string"),
        ("breaker = { at_least = 5 }".into(), "did you mean `at-least`?"),
        ("[[watch-override]]\npath = \"~/a\"\nbreaker = {x = 1}".into(), "unknown key `x`"),
        ("[[watch-override]]\nrecursive = false".into(), "`path` is missing"),
        ("[[watch-override]]\npath = \"~/a\"\nonly = [\"x\"]".into(), "there is no rule `x`"),
        ("[category.Papers]\next = [\"x\"]".into(), "lower-case letters"),
        ("[category.p]\nmime = [\"djvu\"]".into(), "`djvu` is not a media type"),
        ("[category.p]\next = [\"tar.gz\"]".into(), "`tar.gz` is not an extension"),
        (
            "[category.a]\next = [\"x\"]\n[category.b]\next = [\"x\"]".into(),
            "`x` is in category `a` already",
        ),
        (
            "[default]\nimages = \"Pictures/\"".into(),
            "unknown kind `images`; did you mean `image`?",
        ),
        ("[default]\nimage = \"Pictures\"".into(), "end it in `/`"),
        ("[default]\nimage = \"~/\"".into(), "cannot be a destination"),
        (rule("leave = true"), "this rule has no `when`"),
        ("[[rule]]\nwhen = {}\nleave = true".into(), "this rule has no `name`"),
        (rule("when = {}"), "this rule does nothing"),
        (rule("when = {}\nmove = \"a/\"\ntrash = true"), "two actions, `move` and `trash`"),
        (rule("when = {}\ntrash = false"), "can only be true"),
        (rule("when = {}\nmove = \"Archive\""), "many files the name `Archive`"),
        (rule("when = {}\nmove = \"a/../b/\""), "`.` and `..`"),
        (rule("when = {}\nmove = \"{text.no}/\""), "nothing in this rule captures `text.no`"),
        (rule("when = {}\nmove = \"{modified:%!}/\""), "bad format"),
        (rule("when = {}\nmove = \"a{/\""), "is not closed"),
        (rule("when = {}\nrename = \"a/{stem}\""), "cannot contain `/`"),
        (rule("when = {}\ntrash = true\nthen = \"continue\""), "nothing can follow"),
        (rule("when = {}\nleave = true\nextract = true"), "comes with a later version"),
        (rule("when = {}\ntrash = true\nneed = { free = \"1%\" }"), "this rule has none"),
        (rule("when = {}\nrename = \"a {stem}\"\nneed = { free = \"1%\" }"), "this rule has none"),
        (need("{}"), "asks for nothing"),
        (need("true"), "a table"),
        (need("{ fre = \"1%\" }"), "did you mean `free`?"),
        (need("{ free = 10 }"), "such as \"10%\" or \"20 GB\", not a number"),
        (need("{ free = \"100%\" }"), "`100%` is not a share of a disk"),
        (need("{ free = \"0%\" }"), "`0%` is not a share of a disk"),
        (need("{ free = \"ten %\" }"), "`ten %` is not a share of a disk"),
        (need("{ free = \"10\" }"), "needs a unit"),
        (need("{ mounted = false }"), "leave it out otherwise"),
        (need("{ mounted = 1 }"), "true, or a folder such as \"/mnt/archive\""),
        (need("{ mounted = \"archive\" }"), "must be absolute"),
        (need("{ mounted = \"/\" }"), "something is always mounted at `/`"),
        (rule("when = {}\nleave = true\ncompanions = 3"), "true, false or a list of extensions"),
        (rule("when = {}\nleave = true\ncompanions = [\"*.xmp\"]"), "is not an extension"),
        ("companions = \"xmp\"".into(), "true, false or a list of extensions"),
        (rule("when = {}\nsymlink = \"d/\"\nthen = \"continue\""), "nothing can follow `symlink`"),
        (two_rules(&rule("when = {}\nleave = true")), "there is a rule `r` already"),
        (
            "[[rule]]\nname = \"default image\"\nwhen = {}\nleave = true".into(),
            "taken by tidyd itself",
        ),
        (when("kind = \"imgae\""), "unknown kind `imgae`; did you mean `image`?"),
        (when("size = \"big\""), "does not start with a number"),
        (when("size = \"10 MB\""), "say how to compare"),
        (when("size = \"> 10\""), "needs a unit"),
        (when("size = 10"), "must be a string such as \">= 10 MB\", not a number"),
        (when("size = \"2GB..1GB\""), "nothing can match"),
        (when("age = \"> 30\""), "needs a unit"),
        (when("name = \"a[\""), "bad pattern"),
        (when("name = \"a/b\""), "a file name has no `/`"),
        (when("name = []"), "the list is empty"),
        (when("regex = \"(\""), "bad regular expression: unclosed group"),
        (when("path = \"/abs/**\""), "below the watched folder"),
        (when("ext = \"*.jpg\""), "is not an extension"),
        (when("mime = \"pdf\""), "is not a media type"),
        (when("has = \"takn\""), "did you mean `taken`?"),
        (when("taken = \"2024\""), "needs a unit"),
        (when("width = \"many\""), "number"),
        (when("text = '('"), "bad regular expression"),
        (when("mismatch = \"yes\""), "must be true or false, not a string"),
        (when("any = []"), "the list of conditions is empty"),
        (when("any = [{}]"), "this condition is empty"),
        (when("any = { name = \"x\" }"), "must be a list of tables"),
        (when("not = {}"), "never holds"),
        (when("not = { nam = \"x\" }"), "did you mean `name`?"),
        (
            format!("{}[[rule.test]]\nexpect = \"leave\"", rule("when = {}\nleave = true")),
            "`given` is missing",
        ),
        (
            format!(
                "{}[[rule.test]]\ngiven = {{ name = \"a/b\" }}\nexpect = \"leave\"",
                rule("when = {}\nleave = true")
            ),
            "below the watched folder",
        ),
    ];
    for (text, message) in table {
        let found = errors(text);
        assert!(found.iter().any(|e| e.message.contains(message)), "{text}\n{found:#?}");
        assert!(found.iter().all(|e| e.line > 0 && e.column > 0), "{text}\n{found:#?}");
    }
}

#[test]
fn a_file_that_is_not_there_says_how_to_make_one() {
    let dir = tempfile::tempdir().unwrap();
    let error = Config::load(&dir.path().join("none.toml")).unwrap_err().to_string();
    assert!(error.contains("none.toml") && error.contains("tidyctl init"), "{error}");
}

#[test]
fn a_file_that_is_not_utf8_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::io::Write::write_all(
        &mut std::fs::File::create(&file).unwrap(),
        b"settle = \"2s\"\nx = \"\xFF\"\n",
    )
    .unwrap();
    let error = Config::load(&file).unwrap_err();
    assert_eq!((error.errors[0].line, error.errors[0].column), (2, 6), "{error}");
}

proptest! {
    /// Whatever is in the file, it is read or refused, and the errors can be printed.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(e) = Config::parse(&String::from_utf8_lossy(&bytes), "x") {
            prop_assert!(!e.to_string().is_empty());
        }
    }

    /// The same near real configurations: one piece of a good file replaced by another text.
    #[test]
    fn a_damaged_file_is_read_or_refused(
        at in 0usize..6000, len in 0usize..40, text in "[\\[\\]{}\"'=.,# a-z0-9\n~/%|:<>é]{0,12}",
    ) {
        for good in GOOD {
            let boundary = |at: usize| (0..=at.min(good.len())).rev().find(|a| good.is_char_boundary(*a)).unwrap();
            let (from, to) = (boundary(at), boundary(at + len));
            let bad = format!("{}{text}{}", &good[..from], &good[to..]);
            match Config::parse(&bad, "x") {
                Ok(config) => drop(config.run_tests()),
                Err(e) => prop_assert!(!e.to_string().is_empty()),
            }
        }
    }
}

const GOOD: [&str; 3] = [
    include_str!("../default.toml"),
    include_str!("../examples/photos.toml"),
    include_str!("../examples/tidy-downloads.toml"),
];

#[test]
fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
    let depth = 50_000;
    let inline = format!("x = {}{}", "[".repeat(depth), "]".repeat(depth));
    let tables = when(&format!("{}{}", "not = { ".repeat(depth), "}".repeat(depth)));
    let dotted = rule(&format!("leave = true\nwhen.{}name = \"x\"", "not.".repeat(depth)));
    let header = format!("[{}name]\nx = 1", "a.".repeat(depth));
    for text in [inline, tables, dotted, header] {
        assert!(!errors(&text).is_empty());
    }
}
