//! `tidyd --once`: what a dry run says is what is done, and everything that is done can be put back.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidy_tests::files::Sample;
use tidy_tests::{Kind, Run, Snapshot, World, assert_same, path};

/// One of everything that people and programs leave in a Downloads folder.
fn fill(world: &World) {
    let put = |name: &[u8], content: &[u8]| {
        world.write(Path::new("Downloads").join(OsStr::from_bytes(name)), content)
    };
    // Copies; the older one is the keeper, whatever order they are found in.
    put(b"b/second.txt", &Sample::Text.content(1));
    put(b"a/first.txt", &Sample::Text.content(1));
    put(b"zz\nkeeper\x1b[31m.pdf", &Sample::Pdf.content(2));
    put(b"zzz copy of it.pdf", &Sample::Pdf.content(2));
    // Equal names.
    for (n, dir) in ["x", "y", "z"].into_iter().enumerate() {
        put(format!("{dir}/report.pdf").as_bytes(), &Sample::Pdf.content(10 + n as u32));
    }
    put(format!("{}deep.png", "d/".repeat(40)).as_bytes(), &Sample::Png.content(3));
    put(b".secret.pdf", &Sample::Pdf.content(4));
    // Unfinished, and what stands for it.
    put(b"movie.zip.part", &Sample::Zip.content(5));
    put(b"movie.zip", b"");
    put(b"page.pdf.crdownload", &Sample::Pdf.content(6));
    put(b"empty one.pdf", b"");
    put(b"empty two.pdf", b"");
    put(b"what is this", b"\x00\x01\x02nothing anybody knows\xff");
    // Names.
    put(b"caf\xe9.pdf", &Sample::Pdf.content(20));
    put(b"line\nbreak.mp3", &Sample::Mp3.content(21));
    put(b"\x1b[2Jred\x07.jpg", &Sample::Jpeg.content(22));
    put("gpj.exe\u{202e}.png".as_bytes(), &Sample::Png.content(23));
    let long = |dir: &str| format!("{dir}/{}.png", "x".repeat(251));
    put(long("p").as_bytes(), &Sample::Png.content(24));
    put(long("q").as_bytes(), &Sample::Png.content(25));
    // A project.
    put(b"project/Cargo.toml", b"[package]\n");
    put(b"project/logo.png", &Sample::Png.content(26));

    let downloads = world.downloads();
    symlink("a/first.txt", downloads.join("link.txt")).unwrap();
    symlink("nowhere", downloads.join("dangling.pdf")).unwrap();
    symlink("a", downloads.join("directory")).unwrap();
    let linked = put(b"linked.jpg", &Sample::Jpeg.content(27));
    fs::hard_link(linked, downloads.join("other name.jpg")).unwrap();
    Run::of(Command::new("mkfifo").arg(downloads.join("pipe.pdf"))).ok();
}

#[test]
fn a_dry_run_says_what_is_done_and_a_rollback_puts_it_back() {
    let world = World::new();
    fill(&world);
    let before = world.snapshot();

    let dry = world.tidyd(&["--once", "--dry-run"]).ok();
    assert_same(&before, &world.snapshot());
    let done = world.tidyd(&["--once"]).ok();
    assert_eq!(dry, done);
    assert!(done.bytes().all(|b| b == b'\n' || !b.is_ascii_control()), "{done:?}");
    assert!(!done.contains('\u{202e}'), "{done:?}");

    let after = world.snapshot();
    assert_eq!(before.lost_by(&after), Vec::<PathBuf>::new());
    let there = |path: &str| after.entries.contains_key(&Path::new("Downloads").join(path));
    for filed in [
        "Documents/report.pdf",
        "Documents/report (2).pdf",
        "Documents/report (3).pdf",
        "Pictures/deep.png",
        "Duplicates/zzz copy of it.pdf",
        "Music/line\nbreak.mp3",
        "Documents/empty one.pdf",
        "Documents/empty two.pdf",
    ] {
        assert!(there(filed), "{filed} in {after:#?}");
    }
    for left in [
        ".secret.pdf",
        "movie.zip.part",
        "movie.zip",
        "page.pdf.crdownload",
        "what is this",
        "project/logo.png",
        "link.txt",
        "dangling.pdf",
        "directory",
        "linked.jpg",
        "other name.jpg",
        "pipe.pdf",
    ] {
        assert!(there(left), "{left} in {after:#?}");
    }

    assert_eq!(world.tidyd(&["--once"]).ok(), "", "the second time there is nothing to do");
    assert_same(&after, &world.snapshot());

    let daemon = world.start();
    world.wait();
    assert_same(&after, &world.snapshot());
    world.ctl(["rollback", "--last"]).ok();
    assert_same(&before, &world.snapshot());
    world.wait();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
    assert_eq!(world.tidyd(&["--once"]).ok(), "", "what was rolled back stays");
    assert_same(&before, &world.snapshot());
}

#[test]
fn files_settle_at_once_where_they_need_no_time() {
    let world = World::new();
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"0s\"\n");
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.tidyd(&["--once"]).ok();
    assert!(world.downloads().join("Documents/a.pdf").exists());
}

/// The first `limit` regular files below `from` in the order of their paths, none larger than `most` bytes, copied with
/// their directories; how many there were.
fn copy_some(from: &Path, to: &Path, limit: usize, most: u64) -> usize {
    let mut pending = vec![from.to_owned()];
    let mut copied = 0;
    while let Some(next) = pending.pop() {
        let Ok(stat) = fs::symlink_metadata(&next) else { continue };
        if stat.is_dir() {
            let Ok(entries) = fs::read_dir(&next) else { continue };
            let mut below: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
            below.sort_by(|a, b| b.cmp(a));
            pending.extend(below);
        } else if stat.is_file() && stat.len() <= most {
            let target = to.join(next.strip_prefix(from).expect("found below it"));
            fs::create_dir_all(target.parent().expect("below")).expect("own directory");
            if fs::copy(&next, &target).is_ok() {
                copied += 1;
            }
            if copied == limit {
                break;
            }
        }
    }
    copied
}

#[test]
fn thousands_of_real_files_are_filed_or_left_with_a_reason_and_come_back() {
    const FILES: usize = 3000;
    let world = World::new();
    let copied =
        copy_some(Path::new("/usr/share"), &world.downloads().join("share"), FILES, 256 << 10);
    if copied < FILES {
        eprintln!("skipped, because /usr/share has only {copied} files of up to 256 KiB");
        return;
    }
    let before = world.snapshot();

    let dry = world.tidyd(&["--once", "--dry-run"]).ok();
    assert_same(&before, &world.snapshot());
    assert_eq!(dry, world.tidyd(&["--once"]).ok());
    let after = world.snapshot();
    assert_eq!(before.lost_by(&after), Vec::<PathBuf>::new());

    let daemon = world.start();
    world.wait_long();
    assert_same(&after, &world.snapshot());
    accounted_for(&world, &after);

    world.ctl(["rollback", "--last", "--yes"]).ok();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}

/// Every regular file below the root is known as filed, or as left with a reason; or, where it is not in the list, there
/// is a reason to be had.
fn accounted_for(world: &World, tree: &Snapshot) {
    let known: BTreeSet<PathBuf> = world
        .ctl_json(["files"])
        .as_array()
        .expect("a list")
        .iter()
        .filter(|f| match f["stored"]["outcome"].as_str() {
            Some("filed") => true,
            Some("left") => f["stored"]["reason"].is_string(),
            _ => false,
        })
        .map(|f| path(&f["path"]))
        .collect();
    let files: Vec<PathBuf> = tree
        .entries
        .iter()
        .filter(|(p, e)| p.starts_with("Downloads") && matches!(e.kind, Kind::File { .. }))
        .map(|(p, _)| world.home().join(p))
        .collect();
    let (listed, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|p| known.contains(p));
    assert!(listed.len() > others.len(), "{} listed, {} not", listed.len(), others.len());
    let sample = listed.iter().step_by(listed.len().div_ceil(10));
    // Of what is not in the list there is little; all of it would take a process each.
    for file in sample.chain(others.iter().step_by(others.len().div_ceil(20).max(1))) {
        let why = world.ctl_json_at(&["explain"], file);
        let filed = why["stored"]["outcome"] == "filed";
        let reason = [&why["stored"]["reason"], &why["would"]["left"]["reason"]];
        assert!(filed || reason.iter().any(|r| r.is_string()), "{why:#}");
    }
}
