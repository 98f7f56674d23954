//! Real directories, a real catalog, and no watcher.
#![expect(clippy::disallowed_methods, reason = "tests make, change and remove their own files")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use tidy_core::breaker::Standing;
use tidy_core::rules::LeaveReason;

use super::*;
use crate::catalog::{Outcome, OutcomeKind};
use crate::filing::tests::{Ground, PLAIN, walk_through};

mod watching;

/// The files a scan wants to be looked at, relative to the home, each with what holds it.
fn sighted(ground: &Ground, scanned: &Scanned) -> Vec<String> {
    let mut names: Vec<String> = scanned
        .sightings
        .iter()
        .map(|s| {
            let path = s.candidate.path();
            let rel = path.strip_prefix(&ground.base).unwrap().to_string_lossy().into_owned();
            match &s.held_by {
                None => rel,
                Some(sibling) => format!("{rel} held by {}", sibling.to_string_lossy()),
            }
        })
        .collect();
    names.sort();
    names
}

fn vanished(ground: &Ground, scanned: &Scanned) -> Vec<PathBuf> {
    let mut gone = scanned.vanished.clone();
    gone.iter_mut().for_each(|p| *p = p.strip_prefix(&ground.base).unwrap().to_owned());
    gone.sort();
    gone
}

fn why(ground: &Ground, rel: &str) -> Option<LeaveReason> {
    match ground.entry(rel)?.outcome {
        Outcome::Left { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn new_changed_and_vanished_files() {
    let ground = Ground::new(PLAIN);
    ground.put("in/a.txt", "a");
    ground.put("in/sub/b.txt", "b");
    let first = ground.walk();
    assert_eq!(sighted(&ground, &first), ["in/a.txt", "in/sub/b.txt"]);
    assert_eq!(first.read, [ground.path("in"), ground.path("in/sub")]);
    assert_eq!(ground.outcome("in/sub/b.txt"), Some(OutcomeKind::Known));
    ground.check();
    // Nobody has decided about them, so they are found again.
    assert_eq!(sighted(&ground, &ground.walk()), ["in/a.txt", "in/sub/b.txt"]);

    ground.put("in/a.txt", "more");
    ground.remove("in/sub/b.txt");
    let second = ground.walk();
    assert_eq!(sighted(&ground, &second), ["in/a.txt"]);
    assert_eq!(vanished(&ground, &second), [Path::new("in/sub/b.txt")]);
    ground.check();
}

/// `organize` looks beside the watcher: a file that goes in between is not entered after the watcher has
/// looked where it was.
#[test]
fn a_look_beside_the_watcher_enters_nothing_that_has_gone() {
    let ground = Ground::new(PLAIN);
    let seen = [ground.put("in/a.txt", "a"), ground.put("in/sub/b.txt", "b")];
    ground.walk();
    let entries = seen.map(|path| ground.catalog().entry(&path).unwrap().unwrap());
    ground.remove("in/a.txt");
    fs::remove_dir_all(ground.path("in/sub")).unwrap();
    ground.put("in/sub", "a file now");
    ground.walk();
    for (dir, entry) in ["in", "in/sub"].into_iter().zip(entries) {
        let (known, mut out) = (HashMap::new(), Scanned::default());
        ground.survey().write(&ground.path(dir), &known, vec![Change::Put(entry)], &mut out);
        assert!(out.problems.is_empty(), "{:?}", out.problems);
    }
    ground.check();
}

#[test]
fn what_was_left_comes_again_when_rules_or_file_or_time_change() {
    let mut ground = Ground::new(
        r#"watch = ["@/in"]
           [[rule]]
           name = "old"
           when = { name = "*.old", age = "> 30d" }
           trash = true
           [default]"#,
    );
    let made = ground.put("in/a.old", "x");
    ground.put("in/b.txt", "x y");
    let stat = crate::beneath::lstat_path(&made).unwrap();
    ground.now = stat.id.mtime.plus(Duration::from_secs(60));
    ground.tidy();
    assert_eq!(why(&ground, "in/a.old"), Some(LeaveReason::NoRule));
    let flips = ground.entry("in/a.old").unwrap().revisit.unwrap();
    let again = ground.walk();
    assert_eq!(sighted(&ground, &again), Vec::<String>::new());
    assert_eq!(again.revisit_at, Some(flips));

    ground.put("in/b.txt", "changed");
    assert_eq!(sighted(&ground, &ground.walk()), ["in/b.txt"]);
    ground.tidy();

    ground.now = flips;
    assert_eq!(sighted(&ground, &ground.walk()), ["in/a.old"]);
    ground.now = flips.minus(Duration::from_secs(9));
    ground.configure("watch = [\"@/in\"]\n[default]");
    assert_eq!(sighted(&ground, &ground.walk()), ["in/a.old", "in/b.txt"]);
}

#[test]
fn what_a_file_was_before_is_told() {
    let standings = |ground: &Ground| -> Vec<(String, Standing)> {
        let scanned = ground.walk();
        let told = scanned.sightings.iter().map(|s| {
            let name = s.candidate.rel.to_string_lossy().into_owned();
            (name, s.candidate.standing)
        });
        let mut told: Vec<_> = told.collect();
        told.sort_by(|a, b| a.0.cmp(&b.0));
        told
    };
    let named = |list: &[(&str, Standing)]| -> Vec<(String, Standing)> {
        list.iter().map(|(name, standing)| ((*name).to_owned(), *standing)).collect()
    };
    let mut ground = Ground::new("watch = [\"@/in\"]\n[default]");
    ground.put("in/a.txt", "a");
    let made = ground.put("in/sub/b.txt", "b");
    let before = crate::beneath::lstat_path(&made).unwrap().ctime.minus(Duration::from_secs(60));
    let after = before.plus(Duration::from_secs(600));
    // They have arrived since we looked first, or they lay there.
    let both = |standing| named(&[("a.txt", standing), ("sub/b.txt", standing)]);
    ground.now = before;
    assert_eq!(standings(&ground), both(Standing::New));
    ground.now = after;
    assert_eq!(standings(&ground), both(Standing::Unseen), "known, and never decided");
    assert_eq!(ground.walk().lying, 2);
    ground.tidy();
    assert_eq!(standings(&ground), []);
    assert_eq!(ground.walk().lying, 2, "what was left may still be filed");

    // While we were away: into a folder that we know, and with one that we do not.
    ground.put("in/c.txt", "c");
    ground.put("in/more/d.txt", "d");
    let news = [("c.txt", Standing::New), ("more/d.txt", Standing::Unseen)];
    assert_eq!(standings(&ground), named(&news));
    ground.tidy();

    ground.put("in/c.txt", "edited");
    ground.configure("watch = [\"@/in\"]\n[default]\ncode = \"Code/\"");
    let all = [
        ("a.txt", Standing::Left),
        ("c.txt", Standing::New),
        ("more/d.txt", Standing::Left),
        ("sub/b.txt", Standing::Left),
    ];
    assert_eq!(standings(&ground), named(&all));
    ground.now = before;
    assert_eq!(standings(&ground), named(&all), "other rules, however lately it came");
}

#[test]
fn what_was_filed_never_comes_again_unless_it_changes() {
    let mut ground = Ground::new(
        r#"watch = ["@/in"]
           [[rule]]
           name = "by name"
           when = { name = "*.txt" }
           move = "{stem}/""#,
    );
    ground.put("in/a.txt", "a");
    ground.tidy();
    assert_eq!(ground.outcome("in/a/a.txt"), Some(OutcomeKind::Filed));
    assert_eq!(sighted(&ground, &ground.walk()), Vec::<String>::new());
    ground.configure("watch = [\"@/in\"]\n[default]\ncode = \"Code/\"");
    assert_eq!(sighted(&ground, &ground.walk()), Vec::<String>::new(), "other rules");
    ground.put("in/a/a.txt", "changed");
    assert_eq!(sighted(&ground, &ground.walk()), ["in/a/a.txt"]);
    ground.check();
}

#[test]
fn hidden_and_ignored_files_are_recorded_and_unfinished_ones_are_not() {
    let ground = Ground::new("watch = [\"@/in\"]\nignore = [\"*.iso\", \"Keep/**\"]");
    for name in [".hidden", "x.iso", "x.crdownload", "Keep/x", ".dir/x", "x.app/x", "Pictures/x"] {
        ground.put(Path::new("in").join(name), "x");
    }
    std::os::unix::fs::symlink("x.iso", ground.path("in/link")).unwrap();
    fs::hard_link(ground.put("in/one", "1"), ground.path("in/two")).unwrap();
    assert_eq!(sighted(&ground, &ground.walk()), Vec::<String>::new());
    let expected = [
        (".hidden", Some(LeaveReason::Hidden)),
        ("x.iso", Some(LeaveReason::Ignored)),
        ("one", Some(LeaveReason::HardLinked)),
        ("two", Some(LeaveReason::HardLinked)),
        ("Pictures/x", Some(LeaveReason::InDestination)),
        ("x.crdownload", None),
        ("link", None),
        ("Keep/x", None),
        (".dir/x", None),
        ("x.app/x", None),
    ];
    for (name, reason) in expected {
        assert_eq!(why(&ground, &format!("in/{name}")), reason, "{name}");
    }
    assert_eq!(ground.known().len(), 5);
    ground.check_entries();
}

#[test]
fn names_are_bytes() {
    let ground = Ground::new(PLAIN);
    let names: [&[u8]; 3] = [b"\xff\xfe.jpg", b"a\nb\x1b[31m", &[b'x'; 255]];
    for name in names {
        ground.put(Path::new("in").join(std::ffi::OsStr::from_bytes(name)), "x");
    }
    assert_eq!(ground.walk().sightings.len(), 3);
    ground.check();
}

#[test]
fn a_file_beside_its_unfinished_download_is_held() {
    let ground = Ground::new(PLAIN);
    ground.put("in/a.zip", "");
    ground.put("in/a.zip.part", "half");
    ground.put("in/b.zip", "b");
    let expected = ["in/a.zip held by a.zip.part", "in/b.zip"];
    assert_eq!(sighted(&ground, &ground.walk()), expected);
    assert_eq!(sighted(&ground, &ground.look("in", &["a.zip"])), expected[..1]);
    ground.remove("in/a.zip.part");
    assert_eq!(sighted(&ground, &ground.look("in", &["a.zip"])), ["in/a.zip"]);
}

#[test]
fn a_person_who_asks_gets_everything() {
    let ground = Ground::new(PLAIN);
    ground.put("in/a.xyzzy", "\0\x01a");
    ground.tidy();
    assert_eq!(ground.outcome("in/a.xyzzy"), Some(OutcomeKind::Left));
    let mut all = Scanned::default();
    walk_through(&mut ground.survey_of(Wanted::All), ground.path("in"), ground.now, &mut all);
    assert_eq!(sighted(&ground, &all), ["in/a.xyzzy"]);
    assert_eq!(ground.outcome("in/a.xyzzy"), Some(OutcomeKind::Left), "asking decides nothing");
}

#[test]
fn a_directory_that_goes_is_forgotten() {
    for by_name in [false, true] {
        let ground = Ground::new(PLAIN);
        ground.put("in/sub/deep/a", "a");
        ground.put("in/b", "b");
        ground.walk();
        fs::remove_dir_all(ground.path("in/sub")).unwrap();
        if by_name {
            ground.look("in", &["sub"])
        } else {
            ground.walk()
        };
        assert_eq!(ground.known().into_keys().collect::<Vec<_>>(), [ground.path("in/b")]);
        assert!(ground.catalog().subdirs(&ground.path("in")).unwrap().is_empty());
    }
}

#[test]
fn a_walk_is_bounded_by_the_step_and_complete() {
    let ground = Ground::new(PLAIN);
    for i in 0..STEP_DIRS + 10 {
        fs::create_dir(ground.path(format!("in/{i}"))).unwrap();
    }
    ground.put("in/0/a", "a");
    ground.put("in/99/z", "z");
    let mut all = Scanned::default();
    let steps = walk_through(&mut ground.survey(), ground.path("in"), ground.now, &mut all);
    assert_eq!((steps, all.read.len()), (2, STEP_DIRS + 11));
    assert_eq!(all.read.iter().collect::<BTreeSet<_>>().len(), STEP_DIRS + 11, "each once");
    assert_eq!(sighted(&ground, &all), ["in/0/a", "in/99/z"]);

    for i in 0..STEP_FILES {
        ground.put(format!("in/0/{i}"), "");
    }
    let mut all = Scanned::default();
    let steps = walk_through(&mut ground.survey(), ground.path("in"), ground.now, &mut all);
    assert_eq!((steps, all.sightings.len()), (3, STEP_FILES + 2));
}

#[test]
fn a_reload_ends_the_walk() {
    let ground = Ground::new(PLAIN);
    for i in 0..STEP_DIRS + 10 {
        fs::create_dir(ground.path(format!("in/{i}"))).unwrap();
    }
    let mut survey = ground.survey();
    assert!(!survey.walk(WalkStep::Start(ground.path("in")), ground.now).1);
    survey.reload(ground.setup.clone());
    let (found, finished) = survey.walk(WalkStep::Continue, ground.now);
    assert!(finished && found.read.is_empty());
}

#[test]
fn a_root_that_is_missing_or_unreadable_keeps_its_catalog() {
    let ground = Ground::new(PLAIN);
    ground.put("in/a", "a");
    ground.walk();
    fs::rename(ground.path("in"), ground.path("away")).unwrap();
    let missing = ground.walk();
    assert_eq!(missing.root_problem, Some(RootState::Missing));
    assert_eq!((missing.vanished.len(), missing.problems.len()), (0, 1));
    // A file in its place is no directory either.
    ground.put("in", "not a directory");
    assert_eq!(ground.walk().root_problem, Some(RootState::Missing));
    fs::remove_file(ground.path("in")).unwrap();
    fs::rename(ground.path("away"), ground.path("in")).unwrap();
    ground.check();

    if rustix::process::geteuid().is_root() {
        eprintln!("skipped, because root can read every directory");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(ground.path("in"), fs::Permissions::from_mode(0o300)).unwrap();
    let unreadable = ground.walk();
    fs::set_permissions(ground.path("in"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(unreadable.root_problem, Some(RootState::Unreadable));
    assert!(unreadable.vanished.is_empty());
    ground.check();
}

const NAMES: [&str; 5] = ["a", "b", "a.part", ".hidden", "c"];

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..NAMES.len()).prop_map(Op::Write),
        2 => (0..NAMES.len()).prop_map(Op::Dir),
        1 => (0..NAMES.len()).prop_map(Op::Link),
        3 => (0..NAMES.len()).prop_map(Op::Remove),
    ]
}

fn clear(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(m) if m.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn apply(ground: &Ground, op: &Op, n: usize) -> &'static str {
    let (Op::Write(i) | Op::Dir(i) | Op::Link(i) | Op::Remove(i)) = *op;
    let path = ground.path(Path::new("in").join(NAMES[i]));
    let is_file = fs::symlink_metadata(&path).is_ok_and(|m| m.is_file());
    match op {
        Op::Write(_) => {
            if !is_file {
                clear(&path);
            }
            fs::write(&path, "x".repeat(n + 1)).unwrap();
        }
        Op::Dir(_) => {
            clear(&path);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("inner"), "i").unwrap();
        }
        Op::Link(_) => {
            clear(&path);
            std::os::unix::fs::symlink("nowhere", &path).unwrap();
        }
        Op::Remove(_) => clear(&path),
    }
    NAMES[i]
}

#[test]
fn a_root_inside_one_that_is_not_recursive_is_its_own() {
    let config = r#"watch = ["@/in", "@/in/inner"]
        [[watch-override]]
        path = "@/in"
        recursive = false
        "#;
    let ground = Ground::with_dirs(config, &["in/inner"]);
    ground.put("in/inner/a", "a");
    ground.put("in/other/b", "b");
    let scanned = ground.walk();
    assert_eq!(sighted(&ground, &scanned), ["in/inner/a"]);
    assert_eq!(scanned.sightings[0].candidate.root.path.as_ref(), ground.path("in/inner"));
    let path = ground.path("in/inner/a");
    assert_eq!(ground.setup.root_of(&path).unwrap().path.as_ref(), ground.path("in/inner"));
    assert_eq!(sighted(&ground, &ground.look("in/inner", &["a"])), ["in/inner/a"]);
}

/// What can happen to one of a few names in a directory.
#[derive(Debug, Clone)]
enum Op {
    Write(usize),
    Dir(usize),
    Link(usize),
    Remove(usize),
}

#[test]
fn the_scope_is_known_but_yields_nothing_and_its_roots_are_left_to_themselves() {
    let config = "watch = [\"@/scope/in\"]\nduplicates = { scope = [\"@/scope\"] }";
    let ground = Ground::with_dirs(config, &["scope/in"]);
    ground.put("scope/a", "a");
    ground.put("scope/.git/config", "a unit in a root, not here");
    ground.put("scope/in/b", "b");
    let scanned = ground.walk();
    assert_eq!(sighted(&ground, &scanned), ["scope/in/b"]);
    let twice: Vec<_> = scanned.read.iter().filter(|d| d.ends_with("in")).collect();
    assert_eq!(twice.len(), 1, "the root is read as a root only");
    ground.check();
    assert_eq!(sighted(&ground, &ground.look("scope", &["a"])), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Looking at the names that something happened to says the same as looking at everything.
    #[test]
    fn named_scans_equal_whole_scans(
        before in prop::collection::vec(op(), 0..8),
        rounds in prop::collection::vec(prop::collection::vec(op(), 1..4), 1..4),
    ) {
        let named = Ground::new(PLAIN);
        let whole = Ground::new(PLAIN);
        for ground in [&named, &whole] {
            for (n, op) in before.iter().enumerate() {
                apply(ground, op, n);
            }
            ground.walk();
        }
        for (round, ops) in rounds.iter().enumerate() {
            let mut touched = BTreeSet::new();
            for (n, op) in ops.iter().enumerate() {
                let n = 10 * (round + 1) + n;
                touched.insert(apply(&named, op, n));
                apply(&whole, op, n);
            }
            let touched: Vec<_> = touched.into_iter().collect();
            let of_names = named.look("in", &touched);
            let of_all = whole.survey().scan(vec![(whole.path("in"), Names::All)], whole.now);
            // A name that came and went between two looks is gone too, for whoever was told of it.
            let gone = vanished(&named, &of_names);
            prop_assert!(vanished(&whole, &of_all).iter().all(|p| gone.contains(p)));
            // The whole scan yields the undecided files that nothing happened to as well.
            let all = sighted(&whole, &of_all);
            let touched_only: Vec<_> = all
                .into_iter()
                .filter(|s| touched.iter().any(|t| s.split(' ').next() == Some(&*format!("in/{t}"))))
                .collect();
            prop_assert_eq!(sighted(&named, &of_names), touched_only);
            // Directories that are new are walked by whoever is told of them.
            for ground in [&named, &whole] {
                for dir in touched.iter().map(|t| ground.path(Path::new("in").join(t))) {
                    walk_through(&mut ground.survey(), dir, ground.now, &mut Scanned::default());
                }
                ground.check_entries();
            }
            let pages = [&named, &whole].map(|g| {
                g.known().into_iter()
                    .filter(|(p, _)| p.parent() == Some(&g.path("in")))
                    .map(|(p, e)| (p.file_name().unwrap().to_owned(), e.outcome.kind(), e.id.size))
                    .collect::<Vec<_>>()
            });
            prop_assert_eq!(&pages[0], &pages[1]);
        }
    }
}

#[test]
fn units_are_not_entered_however_they_are_come_upon() {
    let ground = Ground::new(PLAIN);
    ground.put("in/project/readme.txt", "r");
    ground.put("in/project/src/deep/notes.txt", "n");
    ground.put("in/plain/x.txt", "x");
    let all = ["in/plain/x.txt", "in/project/readme.txt", "in/project/src/deep/notes.txt"];
    assert_eq!(sighted(&ground, &ground.walk()), all);

    ground.put("in/project/Cargo.toml", "");
    let nothing = Vec::<String>::new();
    assert_eq!(sighted(&ground, &ground.walk()), ["in/plain/x.txt"]);
    assert_eq!(sighted(&ground, &ground.look("in/project", &["Cargo.toml"])), nothing);
    // Hints that were under way when the project became one.
    assert_eq!(sighted(&ground, &ground.look("in/project", &["readme.txt"])), nothing);
    assert_eq!(sighted(&ground, &ground.look("in/project/src", &["x"])), nothing);
    assert_eq!(sighted(&ground, &ground.look("in/project/src/deep", &["notes.txt"])), nothing);
    let mut survey = ground.survey();
    let mut inside = Scanned::default();
    walk_through(&mut survey, ground.path("in/project/src"), ground.now, &mut inside);
    assert_eq!(sighted(&ground, &inside), nothing);
    // Nothing is remembered of what is nobody's business.
    assert_eq!(ground.known().into_keys().collect::<Vec<_>>(), [ground.path("in/plain/x.txt")]);
}
