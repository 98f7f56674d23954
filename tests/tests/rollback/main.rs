//! Rollback and redo: every selector, every outcome, what comes after, and very many files at once.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

mod chains;
mod many;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidy_tests::files::Sample;
use tidy_tests::{Run, Snapshot, World, assert_same, path, works};

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"))
}

fn configure(world: &World, rest: &str) {
    world.configure(&format!("watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n{rest}"));
}

fn pdf(world: &World, name: &str, seed: u32) -> PathBuf {
    world.write(format!("Downloads/{name}"), Sample::Pdf.content(seed))
}

fn documents(world: &World, name: &str) -> PathBuf {
    world.downloads().join("Documents").join(name)
}

/// The home without the trash, which may stay when it is empty.
fn tree(world: &World) -> Snapshot {
    let mut tree = world.snapshot();
    tree.entries.retain(|p, _| !p.starts_with(".local/share/Trash"));
    tree
}

/// The file of that name in a report.
fn file<'a>(report: &'a Value, name: &str) -> &'a Value {
    let files = report["files"].as_array().expect("a list");
    let found = files.iter().find(|f| path(&f["path"]).ends_with(name));
    found.unwrap_or_else(|| panic!("{name} is not in {report:#}"))
}

/// Asks for a dry run and the real thing, which must say the same; returns the exit code and the report.
#[track_caller]
fn rolled_back(world: &World, words: &[&str]) -> (i32, Value) {
    let before = world.snapshot();
    let ask = |more: &[&str]| world.ctl([words, more, &["--json"]].concat());
    let dry = ask(&["--dry-run"]);
    assert_same(&before, &world.snapshot());
    let done = ask(&["--yes"]);
    let (told, report) = (json(&dry), json(&done));
    for field in ["files", "restored", "not_restored", "folders", "not_reached", "stopped"] {
        assert_eq!(told[field], report[field], "{field} of {words:?}");
    }
    assert_eq!(dry.code, done.code);
    (done.code, report)
}

/// When an operation was begun, as a person can write it.
fn instant(op: &Value) -> String {
    let ns = op["time_ns"].as_i64().expect("a number");
    let run = Run::of(std::process::Command::new("date").args([
        "--utc",
        "--date",
        &format!("@{}", ns / 1_000_000_000),
        "+%Y-%m-%dT%H:%M:%S",
    ]));
    format!("{}.{:09}Z", run.ok().trim(), ns % 1_000_000_000)
}

#[test]
fn slips_are_told_from_what_is_done_already() {
    let world = World::new();
    pdf(&world, "a.pdf", 1);
    let daemon = world.start();
    world.wait();
    let op = world.log(&["--kind", "move"])[0].clone();
    let (op, batch) = (op["id"].to_string(), format!("batch:{}", op["batch"]));

    let refused = |words: &[&str], code: i32, says: &str| {
        let before = world.snapshot();
        let run = world.ctl(words);
        assert_eq!(run.code, code, "{words:?}: {run:?}");
        assert!(run.stderr.contains(says), "{words:?}: {run:?}");
        assert_eq!(run.stdout, "", "{words:?}");
        assert_same(&before, &world.snapshot());
    };
    refused(&["rollback"], 2, "required");
    refused(&["rollback", "--last", "--rule", "x"], 2, "cannot be used with");
    refused(&["rollback", &op, "--since", "1h"], 2, "cannot be used with");
    refused(&["redo", &op, "--last"], 2, "cannot be used with");
    refused(&["rollback", "--last", "0"], 2, "0");
    refused(&["rollback", "first"], 2, "write an operation such as `12`");
    refused(&["rollback", "--to", "soon"], 2, "write how long ago");
    refused(&["rollback", "--to", "2199-01-01"], 2, "still to come");
    refused(&["rollback", "999"], 1, "there is no such operation");
    refused(&["rollback", "batch:999"], 1, "there is no such operation or batch");
    refused(&["rollback", "--rule", "phtos"], 1, "there is no rule `phtos`");
    refused(&["redo", "999", "--json"], 1, "there is no such operation");

    // Rules that have done nothing, paths nobody touched, what was put back already: nothing to do.
    let nothing = |words: &[&str]| {
        let before = world.snapshot();
        let report = json(&Run { stdout: world.ctl([words, &["--json"]].concat()).ok(), ..zero() });
        assert_eq!((&report["restored"], &report["batch"]), (&0.into(), &Value::Null), "{words:?}");
        let text = world.ctl(words).ok();
        assert!(text.starts_with("there is no"), "{words:?}: {text}");
        assert_same(&before, &world.snapshot());
    };
    nothing(&["redo"]);
    nothing(&["redo", &op]);
    nothing(&["rollback", "--rule", "default image"]);
    nothing(&["rollback", "--path", "elsewhere"]);
    assert_eq!(rolled_back(&world, &["rollback", &op]).0, 0);
    for words in [
        &["rollback", &op][..],
        &["rollback", &batch],
        &["rollback", "--last"],
        &["rollback", "--since", "1h"],
        &["rollback", "--to", "1h"],
        &["rollback", "--rule", "default document"],
    ] {
        nothing(words);
    }
    // The way back has a verb of its own.
    let undo = world.log(&["--kind", "move"])[0].clone();
    let (undo, undo_batch) = (undo["id"].to_string(), format!("batch:{}", undo["batch"]));
    refused(&["rollback", &undo], 2, &format!("tidyctl redo {undo}"));
    refused(&["rollback", &undo_batch], 2, &format!("tidyctl redo {undo_batch}"));
    assert_eq!(daemon.stop(), 0);
}

fn zero() -> Run {
    Run { code: 0, stdout: String::new(), stderr: String::new() }
}

#[test]
fn it_can_be_made_as_it_was_at_any_time() {
    let world = World::new();
    let daemon = world.start();
    let (mut states, mut times) = (vec![], vec![]);
    for (seed, name) in (0..).zip(["a.pdf", "b.pdf", "c.pdf"]) {
        pdf(&world, name, seed);
        world.wait();
        times.push(instant(world.log(&["--kind", "move"]).first().expect("filed")));
        states.push(tree(&world));
    }
    // A time is before the operation that was begun then; so the state is the one before it, with
    // the files that have arrived since where they arrived.
    let filed = |world: &World| -> Vec<bool> {
        ["a.pdf", "b.pdf", "c.pdf"].map(|n| documents(world, n).exists()).into()
    };
    let to = |time: &str, state: [bool; 3]| {
        assert_eq!(rolled_back(&world, &["rollback", "--to", time]).0, 0);
        world.wait();
        assert_eq!(filed(&world), state, "{time}");
    };
    to(&times[2], [true, true, false]);
    to(&times[0], [false, false, false]);
    // Forward again, which takes back the rollbacks made since.
    to(&times[2], [true, true, false]);
    to(&times[1], [true, false, false]);
    // A rollback that did both is taken back as one, and so is that.
    world.ctl(["rollback", "--to", &times[2]]).ok();
    world.wait();
    assert_eq!(filed(&world), [true, true, false]);
    world.ctl(["redo"]).ok();
    assert_eq!(filed(&world), [true, false, false]);
    world.ctl(["rollback", "--last"]).ok();
    assert_eq!(filed(&world), [true, true, false]);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn folders_made_for_the_files_go_with_the_last_of_them() {
    let world = World::new();
    configure(
        &world,
        "[[rule]]\nname = \"papers\"\nwhen = { ext = \"pdf\" }\nmove = \"Papers/new/{stem}/\"\n",
    );
    for (seed, name) in (0..).zip(["a.pdf", "b.pdf", "c.pdf"]) {
        pdf(&world, name, seed);
    }
    let before = tree(&world);
    let daemon = world.start();
    world.wait();
    let after = tree(&world);
    let papers = world.downloads().join("Papers");
    let of = |name: &str| {
        let moves = world.log(&["--kind", "move", "--rule", "papers"]);
        let op = moves.iter().find(|o| path(&o["src"]).ends_with(name)).expect("filed");
        op["id"].to_string()
    };
    // One by one, each taking along what was its own.
    let ops = ["a.pdf", "b.pdf", "c.pdf"].map(of);
    for (op, name) in ops.iter().zip(["a", "b", "c"]) {
        assert!(papers.join("new").join(name).exists());
        let (_, report) = rolled_back(&world, &["rollback", op]);
        assert!(!papers.join("new").join(name).exists());
        assert_eq!(report["folders"], if name == "c" { 3 } else { 1 }, "{report:#}");
    }
    assert_same(&before, &tree(&world));
    world.ctl(["redo", "--last", "3"]).ok();
    assert_same(&after, &tree(&world));
    rolled_back(&world, &["rollback", "--rule", "papers"]);
    assert_same(&before, &tree(&world));
    world.ctl(["redo", "--rule", "papers"]).ok();
    assert_same(&after, &tree(&world));
    rolled_back(&world, &["rollback", "--path", papers.join("new/a").to_str().unwrap()]);
    assert!(!papers.join("new/a").exists() && papers.join("new/b").exists());
    world.ctl(["redo"]).ok();

    // What a person put there keeps it, and nothing is tried that must fail.
    world.write("Downloads/Papers/new/b/mine.txt", "mine");
    let (code, _) = rolled_back(&world, &["rollback", "--last"]);
    assert_eq!(code, 0);
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert!(papers.join("new/b/mine.txt").exists() && !papers.join("new/c").exists());
    assert_eq!(world.log(&["--state", "aborted"]).len(), 0);
    // When it is gone, a rollback of the folder's own operation takes the rest.
    fs::remove_file(papers.join("new/b/mine.txt")).unwrap();
    let (code, report) = rolled_back(&world, &["rollback", "--since", "1h"]);
    assert_eq!((code, &report["folders"]), (0, &3.into()), "{report:#}");
    assert_same(&before, &tree(&world));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn redo_passes_over_what_was_filed_anew() {
    let world = World::new();
    let (a, b) = (pdf(&world, "a.pdf", 1), pdf(&world, "b.pdf", 2));
    let daemon = world.start();
    world.wait();
    let ops = world.log(&["--kind", "move"]);
    let of = |name: &str| {
        let op = ops.iter().find(|o| path(&o["src"]).ends_with(name)).expect("filed");
        op["id"].to_string()
    };
    world.ctl(["rollback", &of("b.pdf")]).ok();
    world.ctl(["rollback", &of("a.pdf")]).ok();
    world.ctl_at(&["organize"], &a).ok();
    assert!(documents(&world, "a.pdf").exists() && b.exists());
    // The newest rollback is of `a`, which has been filed anew since: the one before it is redone.
    let (code, report) = rolled_back(&world, &["redo"]);
    assert_eq!((code, &report["restored"]), (0, &1.into()), "{report:#}");
    assert!(documents(&world, "a.pdf").exists() && documents(&world, "b.pdf").exists());
    assert!(world.ctl(["redo"]).ok().starts_with("there is no rollback"));

    // By name: the batch that filed them, or the one that put them back.
    let batch = format!("batch:{}", ops[0]["batch"]);
    world.ctl(["rollback", "--since", "1h"]).ok();
    let undone = format!("batch:{}", world.log(&["--kind", "move"])[0]["batch"]);
    assert!(a.exists() && b.exists());
    rolled_back(&world, &["redo", &undone]);
    assert!(!a.exists() && !b.exists());
    rolled_back(&world, &["rollback", "--since", "1h"]);
    let (_, report) = rolled_back(&world, &["redo", &batch]);
    assert_eq!(report["restored"], 2, "{report:#}");
    assert!(!a.exists() && !b.exists());
    assert!(world.ctl(["redo"]).ok().starts_with("there is no rollback"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_became_of_each_file_is_told() {
    let world = World::new();
    let names = [
        "plain",
        "edited",
        "replaced",
        "folder",
        "gone",
        "moved",
        "taken",
        "open",
        "parents/gone",
        "walled/in",
        "full",
    ];
    for (seed, name) in (0..).zip(names) {
        pdf(&world, &format!("{name}.pdf"), seed);
    }
    let daemon = world.start();
    world.wait();
    let filed = |name: &str| documents(&world, &format!("{name}.pdf"));
    assert!(names.iter().all(|n| filed(n.rsplit('/').next().unwrap()).exists()));
    // Nothing more is to be filed.
    world.ctl(["pause"]).ok();
    File::options().append(true).open(filed("edited")).unwrap().write_all(b"%edited").unwrap();
    let anew = world.write("Downloads/Documents/.replaced.pdf.tmp", "saved anew");
    fs::rename(anew, filed("replaced")).unwrap();
    fs::remove_file(filed("folder")).unwrap();
    fs::create_dir(filed("folder")).unwrap();
    fs::remove_file(filed("gone")).unwrap();
    fs::rename(filed("moved"), world.home().join("moved.pdf")).unwrap();
    pdf(&world, "taken.pdf", 99);
    let mut open = File::options().append(true).open(filed("open")).unwrap();
    fs::remove_dir(world.downloads().join("parents")).unwrap();
    fs::remove_dir(world.downloads().join("walled")).unwrap();
    world.write("Downloads/walled", "a file now");
    world.write("Downloads/full.pdf", "");
    for n in 2..=10_000 {
        File::create(world.downloads().join(format!("full ({n}).pdf"))).unwrap();
    }

    let (code, report) = rolled_back(&world, &["rollback", "--last"]);
    assert_eq!(code, 3);
    let outcomes: BTreeMap<&str, &str> = names
        .iter()
        .map(|n| (*n, file(&report, &format!("{n}.pdf"))["outcome"].as_str().unwrap()))
        .collect();
    let expected = [
        ("edited", "kept-edited"),
        ("folder", "missing"),
        ("full", "occupied"),
        ("gone", "missing"),
        ("moved", "missing"),
        ("open", "restored"),
        ("parents/gone", "restored"),
        ("plain", "restored"),
        ("replaced", "missing"),
        ("taken", "restored-as"),
        ("walled/in", "error"),
    ];
    assert_eq!(outcomes, expected.into(), "{report:#}");
    assert_eq!((&report["restored"], &report["not_restored"]), (&5.into(), &6.into()));
    let why = |name: &str| file(&report, &format!("{name}.pdf"))["detail"].as_str().unwrap_or("");
    assert!(why("replaced").contains("another file stands there now"), "{report:#}");
    assert!(why("folder").contains("a folder stands there now"), "{report:#}");
    assert!(why("gone").contains("is not there any more"), "{report:#}");
    assert!(why("walled/in").contains("is not a directory"), "{report:#}");
    assert!(why("full").contains("10000"), "{report:#}");
    // Those that are not back come first.
    let listed = report["files"].as_array().unwrap();
    assert!(listed[..6].iter().all(|f| f["detail"].is_string()), "{report:#}");

    assert_eq!(fs::read(filed("replaced")).unwrap(), b"saved anew", "it is left where it is");
    assert!(fs::read(world.downloads().join("edited.pdf")).unwrap().ends_with(b"%edited"));
    assert_eq!(fs::read(world.downloads().join("taken.pdf")).unwrap(), Sample::Pdf.content(99));
    assert_eq!(
        path(&file(&report, "taken.pdf")["restored_as"]),
        world.downloads().join("taken (2).pdf")
    );
    open.write_all(b"%later").unwrap();
    assert!(fs::read(world.downloads().join("open.pdf")).unwrap().ends_with(b"%later"));
    assert!(world.downloads().join("parents/gone.pdf").exists());
    let text = world.ctl(["rollback", "--last", "--dry-run"]);
    assert!(text.stdout.contains("another file stands there now"), "{text:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_file_moved_by_hand_is_pointed_out_and_left() {
    let world = World::new();
    pdf(&world, "a.pdf", 1);
    world.write("Downloads/b.png", Sample::Png.content(1));
    let daemon = world.start();
    world.wait();
    let by_hand = world.downloads().join("Pictures/a.pdf");
    fs::rename(documents(&world, "a.pdf"), &by_hand).unwrap();
    world.wait();
    let run = world.ctl(["rollback", "--last", "--json"]);
    assert_eq!(run.code, 3);
    let report = json(&run);
    let detail = file(&report, "a.pdf")["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with(&format!("it is now {}", by_hand.display())), "{detail}");
    assert!(by_hand.exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn copies_go_to_the_trash_and_an_edited_one_keeps_its_edits() {
    let world = World::new();
    configure(&world, "[[rule]]\nname = \"twice\"\nwhen = { ext = \"pdf\" }\ncopy = \"Copies/\"\n");
    pdf(&world, "a.pdf", 1);
    pdf(&world, "b.pdf", 2);
    let before = tree(&world);
    let daemon = world.start();
    world.wait();
    let copy = |name: &str| world.downloads().join("Copies").join(name);
    File::options().append(true).open(copy("b.pdf")).unwrap().write_all(b"%edited").unwrap();
    let (code, report) = rolled_back(&world, &["rollback", "--rule", "twice"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(path(&file(&report, "a.pdf")["path"]), copy("a.pdf"));
    assert_eq!(file(&report, "b.pdf")["outcome"], "kept-edited");
    assert_same(&before, &tree(&world));
    let trash = world.home().join(".local/share/Trash/files");
    assert!(fs::read(trash.join("b.pdf")).unwrap().ends_with(b"%edited"));
    world.ctl(["redo"]).ok();
    assert!(copy("a.pdf").exists() && copy("b.pdf").exists());
    // The trash is emptied by somebody.
    world.ctl(["rollback", "--last"]).ok();
    fs::remove_file(trash.join("a.pdf")).unwrap();
    let (code, report) = rolled_back(&world, &["redo"]);
    assert_eq!((code, &file(&report, "a.pdf")["outcome"]), (3, &"irrecoverable".into()));
    assert!(!copy("a.pdf").exists() && copy("b.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn files_come_back_from_another_file_system() {
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped, because there is no /dev/shm");
        return;
    };
    let world = World::new();
    let device = |p: &Path| std::os::unix::fs::MetadataExt::dev(&fs::metadata(p).unwrap());
    if device(elsewhere.path()) == device(&world.downloads()) {
        eprintln!("skipped, because /dev/shm and the home are one file system");
        return;
    }
    configure(
        &world,
        &format!(
            "[[rule]]\nname = \"away\"\nwhen = {{ ext = \"pdf\" }}\nmove = \"{}/\"\n",
            elsewhere.path().display()
        ),
    );
    pdf(&world, "a.pdf", 1);
    pdf(&world, "b.pdf", 2);
    let before = tree(&world);
    let daemon = world.start();
    world.wait();
    assert!(elsewhere.path().join("a.pdf").exists());
    let (code, report) = rolled_back(&world, &["rollback", "--last"]);
    assert_eq!((code, &report["restored"]), (0, &2.into()), "{report:#}");
    assert_same(&before, &tree(&world));
    world.wait();
    assert_same(&before, &tree(&world));
    world.ctl(["redo"]).ok();
    assert!(elsewhere.path().join("b.pdf").exists());
    let edited = elsewhere.path().join("b.pdf");
    File::options().append(true).open(&edited).unwrap().write_all(b"%edited").unwrap();
    let (_, report) = rolled_back(&world, &["rollback", "--last"]);
    assert_eq!(file(&report, "b.pdf")["outcome"], "kept-edited", "{report:#}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_keeps_nothing_from_going_back_later() {
    if !works(&["unshare", "-m", "nsenter", "--version"]) {
        return;
    }
    let world = World::new();
    pdf(&world, "locked/a.pdf", 1);
    pdf(&world, "b.pdf", 2);
    let locked = world.downloads().join("locked");
    let script = format!("mount --bind '{0}' '{0}' && \"$@\"; exit $?", locked.display());
    let daemon = world.start_under(&["unshare", "-m", "sh", "-c", &script, "sh"]);
    world.wait();
    let inside = |options: &str| {
        let pid = daemon.pid().as_raw_nonzero().to_string();
        let mount = ["-t", &pid, "-m", "mount", "-o", options];
        Run::of(std::process::Command::new("nsenter").args(mount).arg(&locked)).ok();
    };
    inside("remount,ro,bind");
    let run = world.ctl(["rollback", "--last", "--json"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report = json(&run);
    assert_eq!(file(&report, "a.pdf")["outcome"], "error", "{report:#}");
    let why = file(&report, "a.pdf")["detail"].as_str().unwrap();
    assert!(why.to_lowercase().contains("read-only"), "{why}");
    assert!(documents(&world, "a.pdf").exists() && world.downloads().join("b.pdf").exists());
    inside("remount,rw,bind");
    let (code, report) = rolled_back(&world, &["rollback", "--last"]);
    assert_eq!((code, &report["restored"]), (0, &1.into()), "{report:#}");
    assert!(locked.join("a.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_was_put_back_stays_until_it_changes() {
    let world = World::new();
    let mut daemon = world.start();
    let (a, b) = (pdf(&world, "a.pdf", 1), pdf(&world, "b.pdf", 2));
    world.wait();
    world.ctl(["rollback", "--last"]).ok();
    let back = tree(&world);
    let stays = |world: &World, what: &str| {
        world.ctl(["rescan"]).ok();
        world.wait();
        eprintln!("{what}");
        assert_same(&back, &tree(world));
        let why = world.ctl_json_at(&["explain"], &a);
        assert_eq!(why["stored"]["reason"], "rolled-back", "{what}: {why:#}");
    };
    stays(&world, "at once");
    world.ctl(["reload"]).ok();
    stays(&world, "after a reload");
    configure(&world, "[default]\ndocument = \"Papers/\"\n");
    world.ctl(["reload"]).ok();
    stays(&world, "with other rules");
    assert_eq!(daemon.stop(), 0);
    daemon = world.start();
    stays(&world, "after a restart");
    assert_eq!(daemon.stop(), 0);
    fs::remove_dir_all(world.state().join("store")).unwrap();
    daemon = world.start();
    stays(&world, "without catalog and index");

    File::options().append(true).open(&a).unwrap().write_all(b"%edited").unwrap();
    world.wait();
    assert!(world.downloads().join("Papers/a.pdf").exists() && b.exists());
    world.ctl_at(&["organize"], &b).ok();
    assert!(world.downloads().join("Papers/b.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}
