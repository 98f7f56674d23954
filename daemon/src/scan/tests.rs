//! On real directories.
#![expect(clippy::disallowed_methods, reason = "tests make and remove their own files")]

use super::*;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use tidy_core::facts::Identity;
use tidy_core::ignore::Ignore;
use tidy_core::plan::Place;
use tidy_core::settle::{Probe, Writers};

fn tempdir() -> (tempfile::TempDir, PathBuf) {
    let t = tempfile::tempdir().unwrap();
    let path = t.path().canonicalize().unwrap();
    (t, path)
}

fn names(found: &[Found]) -> Vec<&OsStr> {
    found.iter().map(|f| f.name.as_os_str()).collect()
}

fn fifo(at: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, at, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
}

#[test]
fn a_listing_has_files_with_their_stats_and_names_as_bytes() {
    let (_t, root) = tempdir();
    let odd = OsStr::from_bytes(b"\xff\n\x1b[31m");
    fs::create_dir_all(root.join("a/sub")).unwrap();
    fs::write(root.join("a/z"), "12345").unwrap();
    fs::write(root.join("a").join(odd), "").unwrap();
    std::os::unix::fs::symlink("z", root.join("a/link")).unwrap();
    fifo(&root.join("a/fifo"));
    let listing = read_dir(&root, Path::new("a")).unwrap().unwrap();
    assert_eq!(names(&listing.files), [OsStr::new("z"), odd]);
    assert_eq!(listing.files[0].stat.id.size, 5);
    assert_eq!(listing.subdirs, ["sub"]);
    assert_eq!((listing.others, listing.unreadable.len()), (2, 0));
    assert_eq!(listing.dir.file_type, FileType::Directory);
}

#[test]
fn a_directory_that_is_gone_or_something_else_is_none() {
    let (_t, root) = tempdir();
    fs::write(root.join("file"), "").unwrap();
    fs::create_dir(root.join("real")).unwrap();
    std::os::unix::fs::symlink("real", root.join("link")).unwrap();
    for rel in ["none", "none/deeper", "file", "file/x", "link"] {
        assert!(read_dir(&root, Path::new(rel)).unwrap().is_none(), "{rel}");
    }
    assert!(read_dir(&root.join("none"), Path::new("")).unwrap().is_none());
}

#[test]
fn names_are_looked_at_one_by_one() {
    let (_t, root) = tempdir();
    fs::write(root.join("f"), "x").unwrap();
    fs::create_dir(root.join("d")).unwrap();
    let ask = ["f", "d", "none", "../f", "d/..", ".", ""].map(OsString::from);
    let NamesSeen { seen, gone } = stat_names(&root, Path::new(""), ask).unwrap().unwrap();
    assert_eq!(names(&seen.files), ["f"]);
    assert_eq!(seen.subdirs, ["d"]);
    assert_eq!(gone, ["none"]);
}

#[test]
fn a_diff_tells_fresh_changed_and_vanished() {
    let (_t, root) = tempdir();
    for name in ["same", "edited", "new"] {
        fs::write(root.join(name), name).unwrap();
    }
    let mut listing = read_dir(&root, Path::new("")).unwrap().unwrap();
    let id = |name: &str| listing.files.iter().find(|f| f.name == name).unwrap().stat.id;
    let edited = Identity { size: 99, ..id("edited") };
    let known = [("gone", id("new")), ("same", id("same")), ("edited", edited)];
    let d = diff(&listing, known);
    assert_eq!(d.fresh.iter().map(|f| &f.name).collect::<Vec<_>>(), ["new"]);
    assert_eq!(d.changed.iter().map(|f| &f.name).collect::<Vec<_>>(), ["edited"]);
    assert_eq!(d.vanished, ["gone"]);
    assert!(!d.is_empty());
    // What could not be looked at has not vanished; nor has anything when not all was listed.
    listing.unreadable.push(("gone".into(), io::Error::other("EIO")));
    assert_eq!(diff(&listing, known).vanished, Vec::<OsString>::new());
    listing.unreadable.clear();
    listing.beyond = 1;
    assert_eq!(diff(&listing, known).vanished, Vec::<OsString>::new());
}

/// Every directory that a walk visits, with its unit marker.
fn walked(root: &Path, ignore: &Ignore, recursive: bool) -> Vec<(String, Option<&'static str>)> {
    let mut out = Vec::new();
    let end = walk(root, ignore, recursive, &mut |visit| {
        match visit {
            Visit::Directory { rel, unit, .. } => {
                out.push((rel.to_string_lossy().into_owned(), unit))
            }
            Visit::Unreadable { rel, error } => {
                out.push((format!("{}: {}", rel.display(), error.kind()), None))
            }
        }
        ControlFlow::Continue(())
    });
    assert_eq!(end, ControlFlow::Continue(()));
    out
}

#[test]
fn a_walk_goes_depth_first_by_name_and_stops_at_units_and_ignored_directories() {
    let (_t, root) = tempdir();
    for dir in ["b/x/y", "a", "proj/src/deep", ".hidden/x", "Keep/x", "b/X.app/c", "node_modules/m"]
    {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(root.join("proj/Cargo.toml"), "").unwrap();
    // A marker in the root itself does not freeze it.
    fs::write(root.join("package.json"), "").unwrap();
    std::os::unix::fs::symlink("b", root.join("loop")).unwrap();
    let ignore = Ignore::new(&["Keep/**".to_owned()]).unwrap();
    let dir = |d: &str| (d.to_owned(), None);
    let all = [
        dir(""),
        dir("a"),
        dir("b"),
        dir("b/x"),
        dir("b/x/y"),
        ("proj".into(), Some("Cargo.toml")),
    ];
    assert_eq!(walked(&root, &ignore, true), all);
    assert_eq!(walked(&root, &ignore, false), [dir("")]);
    assert_eq!(walked(&root.join("none"), &ignore, true), [dir(": entity not found")]);
    let mut seen = 0;
    let end = walk(&root, &ignore, true, &mut |_| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((end, seen), (ControlFlow::Break(()), 2));
}

#[test]
fn a_deep_tree_needs_neither_stack_nor_descriptors() {
    let (_t, root) = tempdir();
    let deep: PathBuf = std::iter::repeat_n("d", 300).collect();
    fs::create_dir_all(root.join(&deep)).unwrap();
    assert_eq!(walked(&root, &Ignore::default(), true).len(), 301);
}

#[test]
fn an_unreadable_directory_is_reported_and_the_walk_goes_on() {
    use std::os::unix::fs::PermissionsExt;
    let (_t, root) = tempdir();
    for d in ["a/below", "b", "c"] {
        fs::create_dir_all(root.join(d)).unwrap();
    }
    let set = |mode| fs::set_permissions(root.join("a"), fs::Permissions::from_mode(mode)).unwrap();
    set(0o000);
    let out = walked(&root, &Ignore::default(), true);
    set(0o755);
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped, because root can read everything");
        return;
    }
    let dirs: Vec<_> = out.iter().map(|(d, _)| d.as_str()).collect();
    assert_eq!(dirs, ["", "a: permission denied", "b", "c"]);
}

fn place(root: &Path, rel: &str) -> Place {
    Place::new(Arc::from(root), rel.into()).unwrap()
}

/// Whether leases work here at all; they do on ext4, xfs, btrfs and tmpfs.
fn leases_work(root: &Path) -> bool {
    let probe_file = place(root, "lease-check");
    fs::write(probe_file.path(), "").unwrap();
    let works = matches!(probe(&probe_file), Probe::Seen(_, Writers::Nobody));
    fs::remove_file(probe_file.path()).unwrap();
    if !works {
        eprintln!("skipped, because no lease can be had here");
    }
    works
}

#[test]
fn a_probe_tells_whether_somebody_writes() {
    ignore_sigio().unwrap();
    let (_t, root) = tempdir();
    if !leases_work(&root) {
        return;
    }
    let at = place(&root, "f");
    assert_eq!(probe(&at), Probe::Gone);
    let mut writer = fs::File::create(at.path()).unwrap();
    writer.write_all(b"abc").unwrap();
    let Probe::Seen(stat, Writers::Someone) = probe(&at) else { panic!("{:?}", probe(&at)) };
    assert_eq!(stat.id.size, 3);
    // Under another name it is the same file.
    fs::hard_link(at.path(), root.join("g")).unwrap();
    assert!(matches!(probe(&place(&root, "g")), Probe::Seen(_, Writers::Someone)));
    drop(writer);
    let reader = fs::File::open(at.path()).unwrap();
    let Probe::Seen(stat, Writers::Nobody) = probe(&at) else { panic!("{:?}", probe(&at)) };
    assert_eq!(stat.nlink, 2);
    drop(reader);
}

#[test]
fn a_writable_mapping_is_a_writer() {
    ignore_sigio().unwrap();
    let (_t, root) = tempdir();
    if !leases_work(&root) {
        return;
    }
    let at = place(&root, "f");
    fs::write(at.path(), [0; 4096]).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(at.path()).unwrap();
    let (prot, flags) =
        (rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE, rustix::mm::MapFlags::SHARED);
    // SAFETY: a fresh mapping at an address of the kernel's choice, never read or written, and
    // unmapped below with the same length.
    let map = unsafe { rustix::mm::mmap(std::ptr::null_mut(), 4096, prot, flags, &file, 0) };
    let map = map.unwrap();
    drop(file);
    assert!(matches!(probe(&at), Probe::Seen(_, Writers::Someone)));
    // SAFETY: as above; nothing refers to it.
    unsafe { rustix::mm::munmap(map, 4096) }.unwrap();
    assert!(matches!(probe(&at), Probe::Seen(_, Writers::Nobody)));
}

#[test]
fn a_probe_never_hangs_on_a_fifo_nor_follows_a_symlink() {
    ignore_sigio().unwrap();
    let (_t, root) = tempdir();
    fs::create_dir(root.join("d")).unwrap();
    fs::write(root.join("d/f"), "").unwrap();
    std::os::unix::fs::symlink("d", root.join("l")).unwrap();
    fifo(&root.join("fifo"));
    let kind = |rel| match probe(&place(&root, rel)) {
        Probe::Seen(stat, Writers::Unknowable) => Some(stat.file_type),
        _ => None,
    };
    assert_eq!(kind("fifo"), Some(FileType::Other));
    assert_eq!(kind("l"), Some(FileType::Symlink));
    assert_eq!(kind("d"), Some(FileType::Directory));
    assert_eq!(probe(&place(&root, "l/f")), Probe::Gone);
}

#[test]
fn whoever_wants_to_write_while_we_probe_gets_through_and_we_survive() {
    ignore_sigio().unwrap();
    ignore_sigio().unwrap();
    let (_t, root) = tempdir();
    let at = place(&root, "f");
    fs::write(at.path(), "").unwrap();
    let path = at.path();
    let writer = std::thread::spawn(move || {
        for i in 0..2_000 {
            let mut f = fs::OpenOptions::new().append(true).open(&path).unwrap();
            f.write_all(&[i as u8]).unwrap();
        }
    });
    let mut probes = 0;
    while !writer.is_finished() {
        assert!(matches!(probe(&at), Probe::Seen(..)));
        probes += 1;
    }
    writer.join().unwrap();
    assert!(probes > 0);
    assert_eq!(fs::metadata(at.path()).unwrap().len(), 2_000);
}
