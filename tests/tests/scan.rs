//! `tidyd scan`: the same duplicates as other finders find, with and without its memory, and nothing changed.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tidy_tests::{Binary, Run, Snapshot, World, assert_same, binary, path, works};

/// Groups of inodes: which name of an inode is told, and in what order, differs from finder to finder.
type Groups = BTreeSet<BTreeSet<u64>>;

fn groups(lists: impl IntoIterator<Item = Vec<PathBuf>>) -> Groups {
    let inodes = |paths: Vec<PathBuf>| -> BTreeSet<u64> {
        paths.iter().map(|p| p.symlink_metadata().expect("a file that was listed").ino()).collect()
    };
    lists.into_iter().map(inodes).filter(|inodes| inodes.len() > 1).collect()
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}:\n{json}"))
}

fn array<'a>(value: &'a Value, what: &str) -> impl Iterator<Item = &'a Value> {
    value.as_array().unwrap_or_else(|| panic!("{what} is no list: {value}")).iter()
}

/// Everything finders disagree about, each once: hidden files, links of both kinds, empty files, heads and tails that are
/// alike. No odd names: not every finder's list has them as they are.
fn fill(world: &World) -> PathBuf {
    let dir = world.home().join("many");
    let put = |name: &str, content: &[u8]| world.write(Path::new("many").join(name), content);
    let long = |edited: Option<usize>| {
        let mut content: Vec<u8> = (0..400_000_u32).map(|n| (n % 253) as u8).collect();
        edited.into_iter().for_each(|at| content[at] ^= 1);
        content
    };
    for n in 0..60 {
        let content = format!("content {}", n % 20).repeat(1 + n % 5 * 400);
        put(&format!("{}/{}/file {n}", n % 4, n % 3), content.as_bytes());
    }
    for (name, edited) in [
        ("long/a", None),
        ("long/b", None),
        ("other/long", None),
        ("long/head", Some(0)),
        ("long/middle", Some(200_000)),
        ("long/tail", Some(399_999)),
    ] {
        put(name, &long(edited));
    }
    put(".hidden", b"content that is hidden");
    put(".folder/not hidden", b"content that is hidden");
    put("empty 1", b"");
    put("empty 2", b"");
    let linked = put("linked", b"content of two names");
    fs::hard_link(&linked, dir.join("linked again")).unwrap();
    let copied = put("copied", b"content of two names, and a copy");
    fs::hard_link(copied, dir.join("copied again")).unwrap();
    put("copy", b"content of two names, and a copy");
    symlink("long/a", dir.join("symlink")).unwrap();
    symlink("long", dir.join("symlinked")).unwrap();
    dir
}

fn naive(dir: &Path) -> Groups {
    fn collect(dir: &Path, out: &mut BTreeMap<Vec<u8>, Vec<PathBuf>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            if meta.is_dir() {
                collect(&path, out);
            } else if meta.is_file() && meta.len() > 0 {
                out.entry(fs::read(&path).unwrap()).or_default().push(path);
            }
        }
    }
    let mut by_content = BTreeMap::new();
    collect(dir, &mut by_content);
    groups(by_content.into_values())
}

fn listed(json: &str) -> Groups {
    groups(
        array(&parsed(json), "the answer").map(|g| array(&g["paths"], "paths").map(path).collect()),
    )
}

fn scan(world: &World, more: &[&str], dir: &Path) -> Run {
    let dir = dir.to_str().expect("a scratch directory");
    world.tidyd(&[&["scan", "--json"], more, &[dir]].concat())
}

#[test]
fn copies_are_those_that_other_finders_find() {
    let world = World::new();
    let dir = fill(&world);
    let before = Snapshot::take(&dir);
    let expected = naive(&dir);
    assert!(expected.len() > 20);
    for more in [&[][..], &[], &["--fresh"]] {
        assert_eq!(listed(&scan(&world, more, &dir).ok()), expected, "{more:?}");
    }
    assert_same(&before, &Snapshot::take(&dir));

    let finder = |line: &[&str]| {
        works(&[line[0], "--version"]).then(|| {
            let mut command = Command::new(line[0]);
            parsed(&Run::of(command.args(&line[1..]).arg(&dir).current_dir(world.home())).ok())
        })
    };
    let paths = |list: &Value| array(list, "a group").map(path).collect::<Vec<_>>();
    if let Some(found) = finder(&["yadf", "--format", "json"]) {
        // It counts empty files, too.
        let full = |p: &PathBuf| p.metadata().is_ok_and(|m| m.len() > 0);
        let lists =
            array(&found, "yadf's answer").map(|g| paths(g).into_iter().filter(full).collect());
        assert_eq!(groups(lists), expected);
    }
    if let Some(found) = finder(&["fclones", "group", "--hidden", "-f", "json"]) {
        let lists = array(&found["groups"], "fclones' groups").map(|g| paths(&g["files"]));
        assert_eq!(groups(lists), expected);
    }
    if let Some(found) = finder(&["rmlint", "--hidden", "-T", "df", "-o", "json:stdout"]) {
        let mut by_sum: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for file in array(&found, "rmlint's answer").filter(|f| f["type"] == "duplicate_file") {
            by_sum.entry(file["checksum"].to_string()).or_default().push(path(&file["path"]));
        }
        assert_eq!(groups(by_sum.into_values()), expected);
    }
}

#[test]
fn a_person_sees_what_is_wasted_and_names_that_are_safe_to_print() {
    let world = World::new();
    let dir = fill(&world);
    world.write("many/line\nbreak", b"odd");
    world.write("many/\u{202e}odd", b"odd");
    let run = world.tidyd(&["scan", dir.to_str().unwrap()]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("wasted") && run.stdout.contains("line\\nbreak"), "{}", run.stdout);
    assert!(run.stdout.bytes().all(|b| b == b'\n' || !b.is_ascii_control()));
    assert!(!run.stdout.contains('\u{202e}'));
    assert!(run.stderr.contains("groups of equal files"), "{}", run.stderr);
    // Largest waste first.
    assert!(run.stdout.starts_with("800.0 kB wasted  3 files of 400.0 kB"), "{}", run.stdout);
    let larger = scan(&world, &["--min-size", "100000"], &dir).ok();
    assert_eq!(listed(&larger).len(), 1);
    assert_eq!(scan(&world, &["--min-size", "1000000"], &dir).ok(), "[]\n");
    // In the units of the configuration, too.
    for (size, groups) in [("100kB", 1), ("97.6 KiB", 1), ("1 MB", 0)] {
        let run = scan(&world, &["--min-size", size], &dir);
        assert_eq!(listed(&run.stdout).len(), groups, "{size}");
        let told = if groups == 1 { "1 group of equal files" } else { "0 groups of equal files" };
        assert!(run.stderr.contains(told), "{size}: {}", run.stderr);
    }
    let wrong = scan(&world, &["--min-size", "large"], &dir);
    assert!(wrong.code == 2 && wrong.stderr.contains("large"), "{wrong:?}");
}

/// What the service knows is of the folders that it watches, whatever was scanned.
#[test]
fn a_scan_and_an_inspection_work_beside_the_service_and_tell_it_nothing() {
    let world = World::new();
    let dir = fill(&world);
    let daemon = world.start();
    world.wait();
    let known = world.ctl(["files", "--json"]).ok();
    std::thread::scope(|threads| {
        let scans = [(); 2].map(|()| threads.spawn(|| listed(&scan(&world, &[], &dir).ok())));
        let long = dir.join("long");
        let inspected = world.tidyd(&["inspect", "--json", long.join("a").to_str().unwrap()]).ok();
        assert_eq!(parsed(&inspected)["size"], 400_000);
        for scan in scans {
            assert_eq!(scan.join().unwrap(), naive(&dir));
        }
    });
    assert_eq!(world.ctl(["files", "--json"]).ok(), known);
    assert_eq!(world.ctl(["duplicates", "--json"]).ok(), "[]\n");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_cache_that_is_in_use_is_done_without() {
    let world = World::new();
    let dir = fill(&world);
    scan(&world, &[], &dir).ok();
    let lock = fs::File::open(world.home().join(".cache/tidyd/lock")).unwrap();
    lock.lock().unwrap();
    let beside = scan(&world, &[], &dir);
    assert_eq!(listed(&beside.ok()), naive(&dir));
    let beside = scan(&world, &[], &dir);
    assert!(beside.stderr.contains("another scan is using"), "{}", beside.stderr);
    // Another one can be named.
    let other = world.home().join("other cache");
    let named = scan(&world, &["--cache", other.to_str().unwrap()], &dir);
    assert!(!named.stderr.contains("another scan"), "{}", named.stderr);
    assert_eq!(listed(&named.ok()), naive(&dir));
    drop(lock);

    fs::set_permissions(&other, fs::Permissions::from_mode(0o777)).unwrap();
    let exposed = scan(&world, &["--cache", other.to_str().unwrap()], &dir);
    assert_eq!((exposed.code, &*exposed.stdout), (5, ""), "{exposed:?}");
    assert!(
        exposed.stderr.contains("--cache") && exposed.stderr.contains("--fresh"),
        "{exposed:?}"
    );
}

/// It reads what it was given, writes its cache, and could do no more if it wanted to.
#[test]
fn a_scan_is_confined() {
    let world = World::new();
    let daemon = world.start();
    let confined = world.ctl(["status"]).ok().contains("Landlock ABI");
    assert_eq!(daemon.stop(), 0);
    let trace = world.home().join("trace");
    let strace = ["strace", "-f", "-qq", "-e", "trace=landlock_restrict_self", "-o"];
    let strace = [&strace[..], &[trace.to_str().unwrap()]].concat();
    if !confined || !works(&[&strace[..], &["true"]].concat()) {
        eprintln!("skipped, because this kernel has no Landlock");
        return;
    }
    let dir = fill(&world);
    for more in [&[][..], &["--fresh"]] {
        let line = [&["scan", "--json"], more, &[dir.to_str().unwrap()]].concat();
        let mut command = world.command(strace[0]);
        command.args(&strace[1..]).arg(binary(Binary::Tidyd)).args(line);
        assert_eq!(listed(&Run::of(&mut command).ok()), naive(&dir), "{more:?}");
        let calls = fs::read_to_string(&trace).unwrap();
        assert!(calls.contains("landlock_restrict_self(") && calls.contains("= 0"), "{calls}");
    }
}

#[test]
fn what_cannot_be_scanned_is_said() {
    let world = World::new();
    let dir = fill(&world);
    let none = scan(&world, &[], &dir.join("none"));
    assert_eq!((none.code, &*none.stdout), (2, ""));
    assert!(none.stderr.contains("none cannot be scanned"), "{}", none.stderr);
    assert_eq!(world.tidyd(&["scan"]).code, 2);
    assert_eq!(world.tidyd(&["--once", "scan", "/"]).code, 2);
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped in part, because everything can be read by root");
        return;
    }
    fs::set_permissions(dir.join("long"), fs::Permissions::from_mode(0o000)).unwrap();
    let part = scan(&world, &["--fresh"], &dir);
    fs::set_permissions(dir.join("long"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(part.code, 3);
    assert!(part.stderr.contains("long: Permission denied"), "{}", part.stderr);
    assert!(listed(&part.stdout).len() > 10);
}

#[test]
fn a_scan_takes_no_decision_from_the_service() {
    let world = World::new();
    world.write("Downloads/report.pdf", tidy_tests::files::Sample::Pdf.content(1));
    world.write("Downloads/notes", b"nothing anybody knows");
    let downloads = world.downloads();
    assert_eq!(scan(&world, &[], &downloads).ok(), "[]\n");
    // What was only seen by a scan is still to be filed …
    world.tidyd(&["--once"]).ok();
    assert!(downloads.join("Documents/report.pdf").exists());
    // … and what was filed stays so.
    assert_eq!(scan(&world, &[], &downloads).ok(), "[]\n");
    let again = world.tidyd(&["--once"]);
    assert_eq!((again.code, &*again.stdout), (0, ""), "{again:?}");
}
