//! On real directories.
#![expect(clippy::disallowed_methods, reason = "tests make and remove their own files")]

use super::*;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

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
    let NamesSeen { seen, gone } = Dir::open(&root, Path::new("")).unwrap().unwrap().look(ask);
    assert_eq!(names(&seen.files), ["f"]);
    assert_eq!(seen.subdirs, ["d"]);
    assert_eq!(gone, ["none"]);
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
    assert_eq!(probe(&place(&root, "l/f")), Probe::Gone);
}

#[test]
fn a_probe_of_a_directory_is_about_all_that_is_in_it() {
    ignore_sigio().unwrap();
    let (_t, root) = tempdir();
    fs::create_dir_all(root.join("d/deep/er")).unwrap();
    fs::write(root.join("d/deep/er/f"), "").unwrap();
    fifo(&root.join("d/fifo"));
    std::os::unix::fs::symlink("/", root.join("d/l")).unwrap();
    let writing = fs::File::options().append(true).open(root.join("d/deep/er/f")).unwrap();
    let look = || match probe(&place(&root, "d")) {
        Probe::Seen(stat, writers) => (stat.file_type, stat.ctime, writers),
        other => panic!("{other:?}"),
    };
    assert_eq!(look().2, Writers::Someone);
    drop(writing);
    // A program that another test starts in this moment has our descriptors until it runs.
    let quiet = (0..1_000).map(|_| look()).find(|seen| seen.2 == Writers::Nobody);
    let (kind, before, _) = quiet.expect("nobody has it open");
    assert_eq!(kind, FileType::Directory);
    let newest = crate::beneath::lstat_path(&root.join("d/deep/er/f")).unwrap().ctime;
    assert!(before >= newest);
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
