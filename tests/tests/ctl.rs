//! The command line: every verb for people and for programs, its exit codes, and what goes back.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidy_tests::files::{self, Sample, SlowWriter};
use tidy_tests::{Daemon, Run, World, assert_same, eventually, path};

/// A world in which a few files have been filed, and its daemon.
fn filed() -> (World, Daemon) {
    let world = World::new();
    files::make(&world.downloads(), 12);
    world.write("Downloads/copy of 0.png", Sample::Png.content(0));
    world.write("Downloads/unknown", b"\x00\x01nothing\xff");
    let daemon = world.start();
    world.wait();
    (world, daemon)
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:#?}"))
}

#[test]
fn every_verb_answers_people_and_programs() {
    let (world, daemon) = filed();
    let file = world.downloads().join("Documents/000002.pdf");
    let left = world.downloads().join("unknown");
    let (file, left) = (file.to_str().unwrap(), left.to_str().unwrap());
    let root = world.downloads();
    let root = root.to_str().unwrap();
    // The verb, and whether its answer is a list.
    let verbs: &[(&[&str], bool)] = &[
        (&["status"], false),
        (&["health"], false),
        (&["log"], true),
        (&["log", "--all", "--limit", "3"], true),
        (&["log", "--batches"], true),
        (
            &[
                "log",
                "--rule",
                "default image",
                "--state",
                "done",
                "--kind",
                "move",
                "--since",
                "1h",
            ],
            true,
        ),
        (&["log", "--path", root, "--until", "2000-01-01"], true),
        (&["show", "1"], false),
        (&["show", "batch:1"], false),
        (&["explain", file], false),
        (&["explain", left], false),
        (&["file", file], false),
        (&["files"], true),
        (
            &["files", "*.PDF", "--category", "document", "--min-size", "1", "--max-size", "1GB"],
            true,
        ),
        (&["files", "--under", root, "--since", "1d", "--limit", "2"], true),
        (&["files", "--outcome", "filed"], true),
        (&["files", "--outcome", "left"], true),
        (&["files", "--outcome", "known"], true),
        (&["duplicates"], true),
        (&["categories"], true),
        (&["rules"], true),
        (&["rollback", "--last", "--dry-run"], false),
        (&["organize", "--dry-run"], false),
        (&["organize"], false),
        (&["jobs"], true),
        (&["pause"], true),
        (&["resume"], true),
        (&["pause", root], true),
        (&["resume", root], true),
        (&["rescan"], true),
        (&["rescan", root], true),
        (&["reload"], false),
        (&["wait", "--timeout", "20s"], false),
        (&["config", "check"], false),
        (&["config", "show"], false),
        (&["config", "path"], false),
        (&["init", "--print"], false),
        (&["completions", "bash"], false),
        (&["man"], false),
    ];
    let mut wrong = Vec::new();
    for (verb, is_list) in verbs {
        let human = world.ctl(verb.iter().copied());
        if human.code != 0 || human.stderr.contains("panicked") {
            wrong.push(format!("{verb:?}: {human:?}"));
        }
        // These are documents, not answers.
        if matches!(verb[0], "init" | "completions" | "man") {
            continue;
        }
        let machine = world.ctl(verb.iter().copied().chain(["--json"]));
        match serde_json::from_str::<Value>(&machine.stdout) {
            Ok(value) if machine.code == 0 && value.is_array() == *is_list => {}
            other => wrong.push(format!("{verb:?} --json: {other:?} from {machine:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_is_asked_for_is_what_is_listed() {
    let (world, daemon) = filed();
    let all = world.log(&["--kind", "move"]);
    assert_eq!(all.len(), 13, "12 files and a copy");
    let ids: Vec<u64> = all.iter().map(|o| o["id"].as_u64().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first: {ids:?}");
    assert!(world.log(&["--rule", "default image"]).iter().all(|o| o["rule"] == "default image"));
    assert_eq!(world.log(&["--rule", "duplicates", "--kind", "move"]).len(), 1);
    assert_eq!(world.log(&["--limit", "5"]).len(), 5);
    assert!(world.log(&["--until", "2000-01-01"]).is_empty());
    let names = |filter: &[&str]| {
        let files = world.ctl_json([&["files"], filter].concat());
        let mut names: Vec<_> = files
            .as_array()
            .unwrap()
            .iter()
            .map(|f| path(&f["path"]).file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&["*.PDF"]), ["000002.pdf", "000008.pdf"], "case does not matter");
    assert_eq!(names(&["0002"]), ["000002.pdf"]);
    assert_eq!(names(&["--category", "archive"]), ["000003.zip", "000009.zip"]);
    assert_eq!(names(&["--outcome", "left"]), ["unknown"]);
    let digest = blake3::hash(&Sample::Png.content(0)).to_hex().to_string();
    assert_eq!(names(&["--digest", &digest]), ["000000.png", "copy of 0.png"]);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn exit_codes_are_what_is_documented() {
    let world = World::new();
    for verb in [&["status"][..], &["log"], &["organize"], &["rollback", "--last"], &["wait"]] {
        let run = world.ctl(verb.iter().copied());
        assert_eq!(run.code, 4, "{verb:?}: {run:?}");
        assert!(run.stderr.contains("error: ") && run.stderr.contains("hint: "), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    for verb in
        [&["rollback"][..], &["no-such-verb"], &["log", "--state", "x"], &["show", "x"], &[]]
    {
        assert_eq!(world.ctl(verb.iter().copied()).code, 2, "{verb:?}");
    }
    let daemon = world.start();
    let strange = world.home().join("not watched");
    // What is to be so is so already.
    for verb in [&["rollback", "--last"][..], &["redo"]] {
        assert!(world.ctl(verb.iter().copied()).ok().starts_with("there is no"), "{verb:?}");
    }
    let cases: [(&[&str], &[i32]); 6] = [
        (&["rollback", "7"], &[1]),
        (&["redo", "batch:7"], &[1]),
        (&["show", "999"], &[1]),
        (&["cancel", "999"], &[1]),
        (&["explain", "/no/such/file"], &[1]),
        (&["organize", strange.to_str().unwrap()], &[1, 2]),
    ];
    for (verb, codes) in cases {
        for json in [false, true] {
            let run = world.ctl(verb.iter().copied().chain(json.then_some("--json")));
            assert!(codes.contains(&run.code), "{verb:?}: {run:?}");
            assert!(run.stderr.contains("error: "), "{run:?}");
        }
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn hostile_names_reach_no_terminal_and_programs_get_their_bytes() {
    let world = World::new();
    let names: [&[u8]; 5] = [
        b"\x1b[2J\x1b[31mred\x07.pdf",
        b"two\nlines.pdf",
        b"caf\xe9.pdf",
        "gpj.exe\u{202e}.pdf".as_bytes(),
        b"back\\slash\r.pdf",
    ];
    for (n, name) in (0..).zip(names) {
        world.write(Path::new("Downloads").join(OsStr::from_bytes(name)), Sample::Pdf.content(n));
        // A copy, so that one name stands in the reason of the other.
        let copy = [b"zz".as_slice(), name].concat();
        world.write(Path::new("Downloads").join(OsStr::from_bytes(&copy)), Sample::Pdf.content(n));
    }
    let daemon = world.start();
    world.wait();
    for verb in [
        &["log", "--all"][..],
        &["show", "batch:1"],
        &["files"],
        &["duplicates"],
        &["rollback", "--last", "--dry-run"],
        &["organize", "--dry-run"],
        &["status"],
    ] {
        let run = world.ctl(verb.iter().copied());
        for c in (run.stdout + &run.stderr).chars() {
            assert!(c == '\n' || !(c.is_control() || c == '\u{202e}'), "{c:?} in {verb:?}");
        }
    }
    let moved: Vec<PathBuf> =
        world.log(&["--kind", "move"]).iter().map(|o| path(&o["src"])).collect();
    for name in names {
        let from = world.downloads().join(OsStr::from_bytes(name));
        assert!(moved.contains(&from), "{from:?} in {moved:?}");
        let run = world.ctl_at(&["explain"], &from);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')));
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_paused_folder_is_left_alone_until_it_is_resumed() {
    let world = World::new();
    let daemon = world.start();
    for which in [None, Some(world.downloads())] {
        let which: Vec<_> = which.iter().map(|p| p.as_os_str()).collect();
        let verb = |verb: &'static str| [&[OsStr::new(verb)], &which[..]].concat();
        world.ctl(verb("pause")).ok();
        let file = world.write("Downloads/a.pdf", Sample::Pdf.content(1));
        assert_eq!(world.ctl_json(["status"])["state"], "paused");
        world.wait();
        assert!(file.exists());
        world.ctl(verb("resume")).ok();
        world.wait();
        assert!(!file.exists());
        fs::remove_file(world.downloads().join("Documents/a.pdf")).unwrap();
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn wait_gives_up_when_its_time_is_up() {
    let world = World::new();
    let daemon = world.start();
    let mut writer = SlowWriter::open(&world.downloads().join("a.pdf"));
    writer.write(b"%PDF-1.4");
    let run = world.ctl(["wait", "--timeout", "500ms", "--json"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(json(&run)["drained"], false);
    writer.finish();
    let run = world.ctl(["wait", "--json"]);
    assert_eq!((run.code, &json(&run)["drained"]), (0, &Value::Bool(true)));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn every_selector_finds_what_it_names_and_a_dry_run_changes_nothing() {
    let world = World::new();
    files::make(&world.downloads().join("one"), 12);
    let before = world.snapshot();
    let daemon = world.start();
    world.wait();
    let after = world.snapshot();
    let first = world.log(&["--kind", "move"]).last().expect("something was done").clone();
    let (op, batch) = (first["id"].to_string(), format!("batch:{}", first["batch"]));
    let folder = world.downloads().join("one");
    let folder = folder.to_str().unwrap();
    // The selector, and how many files it puts back.
    let cases: [(&[&str], usize); 8] = [
        (&["rollback", &op], 1),
        (&["rollback", &batch], 12),
        (&["rollback", "--batch", &first["batch"].to_string()], 12),
        (&["rollback", "--rule", "default image"], 4),
        (&["rollback", "--path", folder], 12),
        (&["rollback", "--to", "1h"], 12),
        (&["rollback", "--since", "1h"], 12),
        (&["rollback", "--last"], 12),
    ];
    for (selector, files) in cases {
        let dry = json(&world.ctl(selector.iter().copied().chain(["--dry-run", "--json"])));
        assert_eq!(dry["restored"], files, "{selector:?}: {dry:#}");
        assert_same(&after, &world.snapshot());
        let done = json(&world.ctl(selector.iter().copied().chain(["--yes", "--json"])));
        assert_eq!(
            (&done["restored"], &done["not_restored"]),
            (&files.into(), &0.into()),
            "{done:#}"
        );
        let outcomes = |report: &Value| {
            let list = report["files"].as_array().expect("a list");
            let mut all: Vec<_> =
                list.iter().map(|f| (path(&f["path"]), f["outcome"].to_string())).collect();
            all.sort();
            all
        };
        assert_eq!(outcomes(&dry), outcomes(&done), "{selector:?}");
        world.wait();
        if files == 12 {
            assert_same(&before, &world.snapshot());
        }
        // A dry run of the way back, and the way back.
        let back = world.snapshot();
        world.ctl(["redo", "--dry-run"]).ok();
        assert_same(&back, &world.snapshot());
        world.ctl(["redo", "--yes"]).ok();
        world.wait();
        assert_same(&after, &world.snapshot());
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_has_happened_since_decides_how_a_file_comes_back() {
    let world = World::new();
    for (n, name) in (0..).zip(["taken", "edited", "gone", "moved"]) {
        world.write(format!("Downloads/{name}.pdf"), Sample::Pdf.content(n));
    }
    let daemon = world.start();
    world.wait();
    let filed = |name: &str| world.downloads().join("Documents").join(name);
    let edited = Sample::Pdf.content(99);
    File::options().append(true).open(filed("edited.pdf")).unwrap().write_all(&edited).unwrap();
    fs::remove_file(filed("gone.pdf")).unwrap();
    fs::rename(filed("moved.pdf"), world.home().join("moved.pdf")).unwrap();
    // A new file has the old name, and is kept from being filed.
    world.ctl(["pause"]).ok();
    let taken = world.write("Downloads/taken.pdf", "somebody else's");

    let run = world.ctl(["rollback", "--last", "--json"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report = json(&run);
    let outcome = |name: &str| {
        let files = report["files"].as_array().expect("a list");
        files.iter().find(|f| path(&f["path"]).ends_with(name)).expect("listed")["outcome"].clone()
    };
    assert_eq!(outcome("taken.pdf"), "restored-as", "{report:#}");
    assert_eq!(outcome("edited.pdf"), "kept-edited", "{report:#}");
    assert_eq!(outcome("gone.pdf"), "missing", "{report:#}");
    assert_eq!(outcome("moved.pdf"), "missing", "{report:#}");
    assert_eq!((&report["restored"], &report["not_restored"]), (&2.into(), &2.into()));
    assert_eq!(fs::read(&taken).unwrap(), b"somebody else's");
    let beside = world.downloads().join("taken (2).pdf");
    assert_eq!(fs::read(beside).unwrap(), Sample::Pdf.content(0));
    assert!(fs::read(world.downloads().join("edited.pdf")).unwrap().ends_with(&edited));
    assert!(world.home().join("moved.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_dry_run_of_organize_says_what_organize_does() {
    let world = World::new();
    let daemon = world.start();
    world.ctl(["pause"]).ok();
    files::make(&world.downloads().join("sub"), 30);
    world.write("Downloads/sub/zz copy.png", Sample::Png.content(0));
    world.write("Downloads/unknown", b"\x00\x01nothing\xff");
    let before = world.snapshot();
    let plan = world.ctl_json(["organize", "--dry-run"]);
    assert_same(&before, &world.snapshot());
    let done = world.ctl_json(["organize"]);
    assert_eq!(done["filed"], 31, "{done:#}");
    let routes = |list: &[Value]| {
        let mut routes: Vec<_> = list
            .iter()
            .filter(|s| s["kind"] == "move")
            .map(|s| {
                (path(&s["src"]), path(&s["dst"]), s["rule"].to_string(), s["why"].to_string())
            })
            .collect();
        routes.sort();
        routes
    };
    assert_eq!(routes(plan["steps"].as_array().unwrap()), routes(&world.log(&["--kind", "move"])));
    assert_eq!(plan["left"].as_array().map(Vec::len).map(Value::from), Some(done["left"].clone()));

    // One file, and one folder, and no others.
    world.ctl(["rollback", "--last"]).ok();
    let one = world.downloads().join("sub/000002.pdf");
    assert_eq!(world.ctl_json_at(&["organize"], &one)["filed"], 1);
    assert!(!one.exists());
    assert_eq!(world.ctl_json_at(&["organize"], &world.downloads().join("sub"))["filed"], 30);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn events_tell_of_what_happens_as_one_object_a_line() {
    let world = World::new();
    let daemon = world.start();
    let log = world.home().join("events");
    let mut command = world.command(tidy_tests::binary(tidy_tests::Binary::Tidyctl));
    let mut child = command
        .args(["events", "--json"])
        .stdin(std::process::Stdio::null())
        .stdout(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let seen = |event: &str| -> Vec<Value> {
        let text = fs::read_to_string(&log).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let all = whole.lines().map(|l| serde_json::from_str(l).expect("an object a line"));
        all.filter(|v: &Value| v["event"] == event).collect()
    };
    eventually("the state", || (!seen("state").is_empty()).then_some(()));
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let ops = eventually("the operation", || Some(seen("operation")).filter(|o| !o.is_empty()));
    assert!(ops.iter().any(|o| path(&o["data"]["src"]).ends_with("a.pdf")), "{ops:?}");
    world.ctl(["pause"]).ok();
    eventually("the pause", || (!seen("paused").is_empty()).then_some(()));
    assert_eq!(daemon.stop(), 0);
    eventually("the stream to end with the daemon", || child.try_wait().unwrap());
}

#[test]
fn the_examples_that_come_with_it_are_good() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
    let world = World::new();
    for folder in ["Desktop", "Pictures", "Documents", "Scans"] {
        fs::create_dir_all(world.home().join(folder)).unwrap();
    }
    for example in fs::read_dir(examples).unwrap() {
        let path = example.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let check = world.ctl_at(&["config", "check"], &path).ok();
        assert!(check.contains("all good"), "{}: {check}", path.display());
        world.configure(&text);
        assert_eq!(world.tidyd(&["--check"]).code, 0, "{}", path.display());
    }
}
