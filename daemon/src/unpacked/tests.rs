//! Folders beside archives, on real files, through survey and filing.
#![expect(clippy::disallowed_methods, reason = "writes, renames and removes files of its own")]

use std::fs;
use std::io::{Cursor, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidy_core::UnixNanos;
use tidy_core::rules::LeaveReason;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::filing::Left;
use crate::filing::tests::{Ground, PLAIN};

/// A ZIP file that has these members.
fn zip(members: &[&str]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(name.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const PDF: &[u8] = b"%PDF-1.4\n";

/// Folders are told from others by when they came to be; not every file system keeps that.
fn keeps_births(ground: &Ground) -> bool {
    let keeps = fs::metadata(ground.path("in")).unwrap().created().is_ok();
    if !keeps {
        eprintln!("skipped, because the file system does not keep when a folder was made");
    }
    keeps
}

#[test]
fn what_lies_beside_its_archive_is_one_thing_and_stays_so() {
    let mut ground = Ground::new(PLAIN);
    if !keeps_births(&ground) {
        return;
    }
    ground.put("in/report.zip", zip(&["a.pdf", "deep/b.pdf"]));
    for file in ["in/report/a.pdf", "in/report/deep/b.pdf", "in/other/c.pdf", "in/d.pdf"] {
        ground.put(file, PDF.iter().chain(file.as_bytes()).copied().collect::<Vec<_>>());
    }
    let inside = ["in/report/a.pdf", "in/report/deep/b.pdf"];
    ground.tidy();
    let whole = |ground: &Ground| inside.iter().all(|file| ground.path(file).exists());
    assert!(whole(&ground), "{:?}", ground.names("in"));
    for gone in ["in/report.zip", "in/other/c.pdf", "in/d.pdf"] {
        assert!(!ground.path(gone).exists(), "{gone} is filed: {:?}", ground.names("in"));
    }
    // The archive is somewhere else now, and then nowhere; what comes in later belongs to the rest.
    ground.later(Duration::from_secs(90 * 24 * 3600));
    ground.remove("in/Archives/report.zip");
    ground.put("in/report/late.pdf", PDF);
    ground.tidy();
    assert!(whole(&ground) && ground.path("in/report/late.pdf").exists());
    // Its name does not matter any more.
    fs::rename(ground.path("in/report"), ground.path("in/mine")).unwrap();
    ground.tidy();
    assert!(ground.path("in/mine/a.pdf").exists() && ground.path("in/mine/late.pdf").exists());
}

#[test]
fn an_archive_that_was_filed_from_beside_it_tells_for_a_while() {
    let mut ground = Ground::new(PLAIN);
    // The journal goes by the clock on the wall.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    ground.now = UnixNanos(now.as_nanos() as i64);
    let packed = zip(&["tool/a.pdf", "tool/b.pdf"]);
    ground.put("in/release-1.2-linux.zip", &packed);
    ground.put("in/by name.zip", zip(&["a.pdf"]));
    ground.tidy();
    assert!(ground.path("in/Archives/release-1.2-linux.zip").exists());
    // One is told by what its archive holds, the other by the name.
    for file in ["in/tool/a.pdf", "in/by name/a.pdf", "in/neither/a.pdf"] {
        ground.put(file, [PDF, file.as_bytes()].concat());
    }
    ground.tidy();
    assert!(ground.path("in/tool/a.pdf").exists(), "{:?}", ground.names("in"));
    assert!(ground.path("in/by name/a.pdf").exists());
    assert!(!ground.path("in/neither/a.pdf").exists());
    // Nobody unpacks it after months, and a folder that comes then has its name by chance.
    ground.later(Duration::from_secs(90 * 24 * 3600));
    ground.put("in/tool 2/x.pdf", [PDF, b"x"].concat());
    ground.put("in/by name 2/y.pdf", [PDF, b"y"].concat());
    ground.tidy();
    assert!(!ground.path("in/by name 2/y.pdf").exists(), "{:?}", ground.names("in"));
}

/// Where names are bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_whose_name_is_not_utf8_is_told_by_its_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    let ground = Ground::new(PLAIN);
    let mut header = [0; 1024];
    header[..10].copy_from_slice(b"M\xfcll/a.pdf");
    header[257..263].copy_from_slice(b"ustar\0");
    ground.put("in/release-1.2.tar", header);
    let file = |name: &'static [u8]| Path::new("in").join(OsStr::from_bytes(name)).join("a.pdf");
    let (of_it, other) = (file(b"M\xfcll"), file(b"M\xe4ll"));
    ground.put(&of_it, PDF);
    ground.put(&other, [PDF, b"other"].concat());
    ground.tidy();
    assert!(ground.path(of_it).exists() && !ground.path(other).exists());
}

#[test]
fn a_hint_from_inside_takes_no_file_out() {
    let ground = Ground::new(PLAIN);
    ground.put("in/set.tar.gz", b"\x1f\x8bnot whole yet");
    ground.put("in/set/deep/a.pdf", PDF);
    // Nobody has looked at the folder above.
    let found = ground.look("in/set/deep", &["a.pdf"]);
    assert!(found.sightings.is_empty());
    let candidate = |ground: &Ground| {
        ground.remove("in/set.tar.gz");
        let found = ground.look("in/set/deep", &["a.pdf"]);
        found.sightings.into_iter().map(|s| s.candidate).collect::<Vec<_>>()
    };
    if keeps_births(&ground) {
        assert!(candidate(&ground).is_empty(), "it was told before");
    }
}

#[test]
fn what_was_sighted_before_the_archive_came_is_left_with_the_reason() {
    let ground = Ground::new(PLAIN);
    ground.put("in/set/a.pdf", PDF);
    let sighted = ground.candidates();
    assert_eq!(sighted.len(), 1);
    ground.put("in/set.7z", b"7z\xbc\xaf\x27\x1c");
    let report = ground.run(sighted);
    let left: Vec<_> = report.left.iter().map(|Left { reason, .. }| *reason).collect();
    assert_eq!(left, [LeaveReason::InUnit]);
    assert!(ground.path("in/set/a.pdf").exists());
    let root = ground.setup.roots[0].path.join("set/a.pdf");
    let told = ground.filing.explain(&ground.setup, &root, None, ground.now).planned;
    let told = format!("{told:?}");
    if keeps_births(&ground) {
        assert!(told.contains("set.7z was unpacked into the folder set"), "{told}");
    }
}

#[test]
fn a_folder_that_rules_file_into_is_none() {
    let ground = Ground::new(PLAIN);
    ground.put("in/Documents.zip", zip(&["a.pdf"]));
    ground.put("in/Documents/a.pdf", PDF);
    ground.put("in/b.pdf", [PDF, b"b"].concat());
    ground.tidy();
    assert!(ground.path("in/Documents/b.pdf").exists());
    // Its files are known, so that copies of them are found.
    assert!(ground.entry("in/Documents/a.pdf").is_some());
    ground.check();
}

#[test]
fn where_the_configuration_says_so_its_files_are_filed() {
    let files = "watch = [\"@/in\"]\n[[watch-override]]\npath = \"@/in\"\nunpacked = \"files\"\n";
    let ground = Ground::new(files);
    ground.put("in/set.zip", zip(&["a.pdf"]));
    ground.put("in/set/a.pdf", PDF);
    ground.tidy();
    assert!(ground.path("in/Documents/a.pdf").exists(), "{:?}", ground.names("in"));
}
