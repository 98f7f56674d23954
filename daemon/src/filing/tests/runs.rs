//! Filing what was found.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tidy_core::operation::{OpState, Operation, Trigger};
use tidy_core::plan::StepKind;
use tidy_core::rules::LeaveReason;

use super::{Ground, MODE, PLAIN};
use crate::catalog::{Outcome, OutcomeKind};
use crate::filing::tests::ground::Ran;
use crate::filing::{Candidate, Mode, Progress, Report, Watcher};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

fn left(report: &Report) -> Vec<(String, LeaveReason)> {
    let name = |p: &Path| p.file_name().unwrap().to_string_lossy().into_owned();
    report.left.iter().map(|l| (name(&l.path), l.reason)).collect()
}

fn why(ground: &Ground, rel: &str) -> Option<LeaveReason> {
    match ground.entry(rel)?.outcome {
        Outcome::Left { reason, .. } => Some(reason),
        _ => None,
    }
}

/// A bit of everything.
fn fill(ground: &Ground) {
    ground.put("in/a.png", PNG);
    ground.put("in/sub/a.png", [PNG, b"other"].concat());
    ground.put("in/b.mp3", "ID3\x03\0\0\0\0\0\0b");
    ground.put("in/c.pdf", "%PDF-1.4 c");
    ground.put("in/sub/c.pdf", "%PDF-1.4 c");
    ground.put("in/d.zip", "PK\x03\x04 d");
    ground.put("in/e.xyzzy", "\0\x01e");
    ground.put("in/empty.txt", "");
}

const FILED: [&str; 8] = [
    "in/Archives/d.zip",
    "in/Documents/c.pdf",
    "in/Documents/empty.txt",
    "in/Duplicates/c.pdf",
    "in/Music/b.mp3",
    "in/Pictures/a (2).png",
    "in/Pictures/a.png",
    "in/e.xyzzy",
];

#[test]
fn files_go_where_their_category_says() {
    let ground = Ground::new(PLAIN);
    fill(&ground);
    let report = ground.tidy();
    assert_eq!(ground.names("in"), FILED);
    assert_eq!(left(&report), [("e.xyzzy".into(), LeaveReason::NoRule)]);
    assert!(report.again.is_empty() && !report.stopped);
    assert!(report.operations.iter().all(|o| o.state == OpState::Done));
    assert!(report.operations.iter().all(|o| Some(o.batch) == report.batch));
    assert_eq!(ground.outcome("in/Pictures/a.png"), Some(OutcomeKind::Filed));
    ground.check();
    // And that is that.
    let again = ground.tidy();
    assert!(again.operations.is_empty() && again.left.is_empty());
    ground.check();
}

/// Whoever watches has looked there before the run ends, and will not look again.
#[test]
fn what_goes_during_a_run_is_not_entered() {
    let ground = Ground::new(PLAIN);
    ground.put("in/no-rule.xyzzy", "\0\x01x");
    let linked = ground.put("in/sub/linked.txt", "x");
    fs::hard_link(&linked, ground.path("other")).unwrap();
    ground.put("in/sub/b.txt", "b");
    let candidates = ground.candidates();
    ground.remove("in/no-rule.xyzzy");
    fs::create_dir(ground.path("in/no-rule.xyzzy")).unwrap();
    fs::remove_dir_all(ground.path("in/sub")).unwrap();
    ground.walk();
    let report = ground.run(candidates);
    let moved = |o: &Operation| !o.step.kind.is_directory() && o.state == OpState::Done;
    assert!(!report.operations.iter().any(moved), "{report:#?}");
    ground.check();
}

#[test]
fn the_order_of_the_candidates_does_not_matter() {
    let mut results = Vec::new();
    for turn in 0..4 {
        let ground = Ground::new(PLAIN);
        fill(&ground);
        // The keeper is the oldest; that must not hang on how fast this was written.
        for (i, name) in ground.names("in").into_iter().enumerate() {
            let time = std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000 + i as u64);
            fs::File::options()
                .write(true)
                .open(ground.path(name))
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        let mut candidates = ground.candidates();
        match turn {
            0 => {}
            1 => candidates.reverse(),
            n => candidates.rotate_left(n),
        }
        ground.run(candidates);
        ground.check();
        results.push(ground.files("in"));
    }
    assert!(results.windows(2).all(|w| w[0] == w[1]), "{results:#?}");
}

#[test]
fn a_dry_run_plans_what_a_real_run_does_and_touches_nothing() {
    for conflict in ["rename", "skip", "keep-newer", "keep-larger", "replace-to-trash"] {
        let ground = Ground::new(&format!("watch = [\"@/in\"]\nconflict = \"{conflict}\""));
        fill(&ground);
        ground.put("in/Pictures/a.png", "was here before");
        let candidates = ground.candidates();
        let (before, known) = (ground.files(""), ground.known());
        let planned = ground.run_as(candidates.clone(), Mode { dry_run: true, ..MODE });
        let unstored = |files: &std::collections::BTreeMap<String, String>| {
            let mut files = files.clone();
            files.retain(|name, _| !name.starts_with("state/"));
            files
        };
        assert_eq!(unstored(&ground.files("")), unstored(&before), "{conflict}");
        assert_eq!(ground.known().keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
        assert!(planned.operations.is_empty() && planned.batch.is_none());

        let real = ground.run(candidates);
        assert!(real.operations.iter().all(|o| o.state == OpState::Done), "{conflict}");
        let done: Vec<_> = real.operations.iter().map(|o| o.step.clone()).collect();
        assert_eq!(planned.steps, done, "{conflict}");
        assert_eq!(left(&planned), left(&real), "{conflict}");
        ground.check();
    }
}

#[test]
fn two_runs_that_want_the_same_names_both_succeed() {
    let ground = Ground::new(PLAIN);
    for i in 0..20 {
        ground.put(format!("in/one/{i}.png"), [PNG, b"one"].concat().repeat(i + 1));
        ground.put(format!("in/two/{i}.png"), [PNG, b"twoo"].concat().repeat(i + 1));
    }
    let (one, two): (Vec<_>, Vec<_>) =
        ground.candidates().into_iter().partition(|c| c.rel.starts_with("one"));
    let start = Barrier::new(2);
    let run = |candidates: Vec<Candidate>| {
        start.wait();
        ground.run(candidates)
    };
    let reports = std::thread::scope(|scope| {
        let one = scope.spawn(|| run(one));
        let two = scope.spawn(|| run(two));
        [one.join().unwrap(), two.join().unwrap()]
    });
    for report in &reports {
        assert!(report.left.is_empty() && report.again.is_empty(), "{report:#?}");
    }
    let names = ground.names("in");
    assert_eq!(names.len(), 40);
    for i in 0..20 {
        for name in [format!("in/Pictures/{i}.png"), format!("in/Pictures/{i} (2).png")] {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
    }
    ground.check();
}

/// Files everything; `between` is called once, when all has been planned and nothing been done.
fn disturbed(ground: &Ground, between: impl Fn() + Sync) -> Ran {
    // Planned last, and told about right then.
    ground.put("in/zzz.xyzzy", "\0\x01z");
    let report = ground.run_watched(ground.candidates(), MODE, &|p| {
        if matches!(p, Progress::Left(l) if l.path.ends_with("zzz.xyzzy")) {
            between();
        }
    });
    assert_eq!(left(&report), [("zzz.xyzzy".into(), LeaveReason::NoRule)]);
    report
}

#[test]
fn a_name_that_is_taken_between_plan_and_act_is_planned_again() {
    let ground = Ground::new(PLAIN);
    ground.put("in/Pictures/x", "");
    ground.put("in/a.png", PNG);
    ground.put("in/b.png", [PNG, b"b"].concat());
    let report = disturbed(&ground, || drop(ground.put("in/Pictures/a.png", "somebody else's")));
    assert!(report.again.is_empty());
    assert_eq!(ground.files("in")["in/Pictures/a.png"], "somebody else's");
    assert!(ground.path("in/Pictures/a (2).png").exists());
    assert!(ground.path("in/Pictures/b.png").exists());
    ground.walk();
    ground.check();
}

#[test]
fn a_file_that_goes_or_changes_between_plan_and_act_disturbs_nobody() {
    let ground = Ground::new(PLAIN);
    for name in ["a", "b", "c"] {
        ground.put(format!("in/{name}.png"), [PNG, name.as_bytes()].concat());
    }
    let report = disturbed(&ground, || {
        ground.remove("in/a.png");
        ground.put("in/b.png", [PNG, b"changed"].concat());
    });
    assert_eq!(report.again, [ground.path("in/b.png")]);
    assert_eq!((ground.entry("in/a.png"), ground.names("in/Pictures").len()), (None, 1));
    ground.walk();
    ground.check();
}

#[test]
fn a_copy_whose_keeper_has_gone_is_filed_like_any_other() {
    let ground = Ground::new(PLAIN);
    ground.put("in/Documents/a.pdf", "%PDF-1.4 same");
    ground.walk();
    ground.put("in/b.pdf", "%PDF-1.4 same");
    let candidates = ground.candidates();
    ground.remove("in/Documents/a.pdf");
    ground.run(candidates);
    assert_eq!(ground.names("in"), ["in/Documents/b.pdf"]);
    ground.walk();
    ground.check();
}

#[test]
fn a_hidden_copy_is_no_reason_to_put_the_visible_one_aside() {
    let ground = Ground::new(PLAIN);
    ground.put("in/.a.pdf", "%PDF-1.4 same");
    ground.tidy();
    ground.put("in/b.pdf", "%PDF-1.4 same");
    ground.tidy();
    assert!(ground.path("in/Documents/b.pdf").exists());
    assert!(ground.path("in/.a.pdf").exists());
    ground.check();
}

#[test]
fn copies_are_put_aside_before_their_keeper_moves() {
    let ground = Ground::new(PLAIN);
    ground.put("in/z.pdf", "%PDF-1.4 same");
    ground.put("in/b.pdf", "%PDF-1.4 same");
    ground.put("in/c.pdf", "%PDF-1.4 same");
    let old = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options()
        .write(true)
        .open(ground.path("in/z.pdf"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let report = ground.tidy();
    let moves: Vec<_> = report
        .operations
        .iter()
        .filter(|o| o.step.kind == StepKind::Move)
        .map(|o| o.step.dst.as_ref().unwrap().path())
        .collect();
    let expected = ["in/Duplicates/b.pdf", "in/Duplicates/c.pdf", "in/Documents/z.pdf"];
    assert_eq!(moves, expected.map(|p| ground.path(p)));
    ground.check();

    // A fourth copy that comes later meets the one that was filed.
    ground.put("in/0.pdf", "%PDF-1.4 same");
    ground.tidy();
    assert!(ground.path("in/Duplicates/0.pdf").exists());
    ground.check();
}

#[test]
fn files_that_vanish_or_change_disturb_nobody() {
    let ground = Ground::new(PLAIN);
    fill(&ground);
    ground.put("in/f.mp3", "ID3\x03\0\0\0\0\0\0f");
    let candidates = ground.candidates();
    ground.remove("in/b.mp3");
    ground.put("in/d.zip", "PK\x03\x04 changed");
    let report = ground.run(candidates);
    assert_eq!(report.again, [ground.path("in/d.zip")]);
    assert_eq!(ground.entry("in/b.mp3"), None);
    let mut names = FILED.map(str::to_owned).to_vec();
    names.retain(|n| n != "in/Archives/d.zip" && n != "in/Music/b.mp3");
    names.extend(["in/Music/f.mp3".to_owned(), "in/d.zip".to_owned()]);
    names.sort();
    assert_eq!(ground.names("in"), names);
    // The next look finds the changed one as it is now.
    ground.tidy();
    assert!(ground.path("in/Archives/d.zip").exists());
    ground.check();
}

#[test]
fn what_fails_is_left_and_tried_again_later() {
    // No directory can be made in /proc, by root neither.
    let mut ground = Ground::new(
        "watch = [\"@/in\"]\n[[rule]]\nname = \"nowhere\"\nwhen = { name = \"*.pdf\" }\nmove = \"/proc/tidyd/deeper/\"",
    );
    ground.put("in/c.pdf", "%PDF-1.4 c");
    ground.put("in/b.mp3", "ID3\x03\0\0\0\0\0\0b");
    let report = ground.tidy();
    assert_eq!(left(&report), [("c.pdf".into(), LeaveReason::Failed)]);
    let why_not = report.left[0].detail.as_deref().unwrap();
    assert!(!why_not.is_empty() && !why_not.contains("deeper"), "what went wrong first: {why_not}");
    assert_eq!(report.left[0].rule.as_deref(), Some("nowhere"));
    assert!(ground.path("in/Music/b.mp3").exists(), "the others are filed");
    assert_eq!(why(&ground, "in/c.pdf"), Some(LeaveReason::Failed));
    ground.check();
    const FIRST: Duration = Duration::from_secs(15 * 60);
    for times in [1, 2, 4, 8, 16, 32, 64, 64] {
        assert!(ground.candidates().is_empty(), "not before its time");
        let revisit = ground.entry("in/c.pdf").unwrap().revisit.unwrap();
        assert_eq!(revisit, ground.now.plus(FIRST * times));
        ground.later(FIRST * times);
        assert_eq!(left(&ground.tidy()), [("c.pdf".into(), LeaveReason::Failed)]);
    }
    // Written to, it is another file.
    ground.put("in/c.pdf", "%PDF-1.4 other");
    ground.tidy();
    assert_eq!(ground.entry("in/c.pdf").unwrap().revisit, Some(ground.now.plus(FIRST)));
}

#[test]
fn a_chain_of_rules_ends_in_one_place() {
    let ground = Ground::new(
        r#"watch = ["@/in"]
           [[rule]]
           name = "lower"
           when = { name = "*.TXT" }
           rename = "renamed {stem}.txt"
           then = "continue"
           [[rule]]
           name = "words"
           when = { name = "renamed *" }
           move = "Words/""#,
    );
    ground.put("in/a.TXT", "words");
    ground.tidy();
    assert_eq!(ground.names("in"), ["in/Words/renamed a.txt"]);
    ground.check();
}

#[test]
fn a_run_that_is_stopped_says_so_and_leaves_the_rest() {
    let ground = Ground::new(PLAIN);
    for i in 0..600 {
        ground.put(format!("in/{i:03}.zip"), format!("PK\x03\x04 {i}"));
    }
    let stop = AtomicBool::new(false);
    let filed = AtomicUsize::new(0);
    let progress = |p: Progress<'_>| {
        if let Progress::Operation(op) = p
            && op.step.kind == StepKind::Move
        {
            filed.fetch_add(1, Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
        }
    };
    let watcher = Watcher { progress: &progress, stop: &stop };
    let report =
        ground.filing.run(&ground.setup, ground.candidates(), MODE, ground.now, watcher).unwrap();
    assert!(report.stopped);
    assert_eq!(filed.load(Ordering::Relaxed), 512, "a chunk is carried out as a whole");
    ground.check();
    assert_eq!(ground.candidates().len(), 88);
}

#[test]
fn across_devices_the_catalog_knows_the_new_file() {
    let second = tempfile::tempdir().unwrap();
    let dev = |p: &Path| crate::beneath::stat_path(p).unwrap().dev;
    let ground = Ground::new(PLAIN);
    if dev(second.path()) == dev(&ground.base) {
        eprintln!("skipped, because there is no second device");
        return;
    }
    let there = second.path().canonicalize().unwrap();
    let mut ground = ground;
    ground.configure(&format!(
        "watch = [\"@/in\", \"{0}\"]\n[[rule]]\nname = \"away\"\nwhen = {{ name = \"*.pdf\" }}\nmove = \"{0}/{{ext}}/\"",
        there.display()
    ));
    ground.put("in/c.pdf", "%PDF-1.4 c");
    ground.tidy();
    assert_eq!(fs::read(there.join("pdf/c.pdf")).unwrap(), b"%PDF-1.4 c");
    ground.check();
    assert!(ground.tidy().operations.is_empty());
}

#[test]
fn what_a_person_asks_for_is_filed_in_the_same_way() {
    let ground = Ground::new(PLAIN);
    fill(&ground);
    let mode = Mode { trigger: Trigger::Organize, dry_run: false, asked: true };
    ground.run_as(ground.candidates(), mode);
    assert_eq!(ground.names("in"), FILED);
    ground.check();
}

#[test]
fn a_copy_is_known_as_filed_and_is_no_duplicate_of_its_original() {
    let ground = Ground::new(
        r#"watch = ["@/in"]
           duplicates = { others = "trash" }
           [[rule]]
           name = "second place"
           when = { name = "*.txt" }
           copy = "{stem}/""#,
    );
    ground.put("in/a.txt", "words");
    let report = ground.tidy();
    assert_eq!(report.operations.iter().filter(|o| o.step.kind == StepKind::Copy).count(), 1);
    assert_eq!(ground.names("in"), ["in/a.txt", "in/a/a.txt"]);
    ground.check();
    let again = ground.tidy();
    assert!(again.operations.is_empty(), "{:#?}", again.operations);
    assert_eq!(ground.names("in"), ["in/a.txt", "in/a/a.txt"]);
    ground.check();
}

#[test]
fn what_was_copied_is_not_copied_again_when_the_catalog_has_not_learnt_of_it() {
    let ground = Ground::new(
        r#"watch = ["@/in"]
           [[rule]]
           name = "second place"
           when = { name = "*.txt" }
           copy = "@/backup/""#,
    );
    ground.put("in/a.txt", "words");
    assert_eq!(ground.tidy().operations.len(), 2);
    // As after a kill between the journal's last record and the catalog's page.
    ground.catalog().forget(&ground.path("in")).unwrap();
    assert!(ground.tidy().operations.is_empty());
    assert_eq!(ground.names("backup"), ["backup/a.txt"]);
    // Another file of that name is another matter.
    ground.remove("in/a.txt");
    ground.put("in/a.txt", "other words");
    ground.tidy();
    assert_eq!(ground.names("backup"), ["backup/a (2).txt", "backup/a.txt"]);
}

#[test]
fn what_was_to_be_replaced_may_go_or_change_between_plan_and_act() {
    for vanishes in [true, false] {
        let ground = Ground::new("watch = [\"@/in\"]\nconflict = \"replace-to-trash\"");
        ground.put("in/Documents/a.txt", "old words");
        ground.put("in/a.txt", "new words");
        let report = disturbed(&ground, || match vanishes {
            true => ground.remove("in/Documents/a.txt"),
            false => drop(ground.put("in/Documents/a.txt", "somebody's words")),
        });
        assert!(report.again.is_empty(), "{report:#?}");
        assert_eq!(ground.files("in")["in/Documents/a.txt"], "new words");
        assert_eq!(ground.outcome("in/Documents/a.txt"), Some(OutcomeKind::Filed));
        let in_trash: Vec<_> = ground.files(".local/share/Trash/files").into_values().collect();
        let expected: &[&str] = if vanishes { &[] } else { &["somebody's words"] };
        assert_eq!(in_trash, expected);
        ground.check();
    }
}

#[test]
fn a_project_that_shows_itself_while_its_files_settle_stays_whole() {
    let ground = Ground::new(PLAIN);
    ground.put("in/project/readme.txt", "r");
    ground.put("in/project/src/deep/notes.txt", "n");
    ground.put("in/loose/x.txt", "x");
    let candidates = ground.candidates();
    assert_eq!(candidates.len(), 3);
    ground.put("in/project/Cargo.toml", "");
    let report = ground.run(candidates);
    let expected = [LeaveReason::InUnit; 2];
    assert_eq!(report.left.iter().map(|l| l.reason).collect::<Vec<_>>(), expected);
    assert_eq!(ground.names("in/project").len(), 3);
    assert!(ground.path("in/Documents/x.txt").exists());
    ground.walk();
    ground.check_entries();
    assert!(ground.known().keys().all(|p| !p.starts_with(ground.path("in/project"))));
}
