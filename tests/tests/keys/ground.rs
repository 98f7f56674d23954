//! The files that conditions are asked about.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use rustix::fs::{XattrFlags, setxattr};
use tidy_tests::files::{Sample, music, photo};
use tidy_tests::{World, documents};

/// A file that is not there: nothing but its name is known.
pub(crate) const GHOST: &str = "ghost.pdf";

/// A world with all of them; `None` where files can have no extended attributes.
pub(crate) fn world() -> Option<World> {
    let world = World::new();
    let put = |name: &str, content: &[u8]| world.write(format!("Downloads/{name}"), content);
    put(
        "photo.jpg",
        &photo(&[
            (0x0110, "X100"),
            (0x0131, "Darkroom 2"),
            (0x013b, "Ada"),
            (0x010e, "by the sea"),
            (0x9003, "2024:05:06 10:00:00"),
            (0xa434, "35mm"),
        ]),
    );
    put(
        "song.mp3",
        &music(&[
            ("TPE1", "Nina Simone"),
            ("TPE2", "Various"),
            ("TALB", "Live"),
            ("TCON", "Jazz"),
            ("TIT2", "Sinnerman"),
            ("TRCK", "4"),
            ("TPOS", "2"),
            ("TYER", "1965"),
        ]),
    );
    put("report.docx", &documents::docx("Grace", "The invoice no. 7 is due."));
    put("wrong.txt", &Sample::Png.content(1));
    put("sub/deep/inner.txt", b"inner");
    let old = put("note.txt", b"something that is here twice");
    let then = SystemTime::now() - Duration::from_secs(40 * 24 * 3600);
    File::options().write(true).open(old).unwrap().set_modified(then).unwrap();
    put("twin.txt", b"something that is here twice");
    put("project/Cargo.toml", b"[package]");
    put("Some.app/Contents/Info.plist", b"<plist/>");
    fs::create_dir_all(world.downloads().join("film/VIDEO_TS")).unwrap();
    put("film/VIDEO_TS/VIDEO_TS.IFO", b"DVD");
    let marked = put("marked.txt", b"marked");
    for (name, value) in [
        ("user.xdg.tags", "to read,Bills"),
        ("user.comment", "a Draft"),
        ("user.xdg.origin.url", "https://dl.example.org/x"),
    ] {
        if let Err(e) = setxattr(&marked, name, value.as_bytes(), XattrFlags::empty()) {
            eprintln!("skipped, because this file system has no user attributes: {e}");
            return None;
        }
    }
    Some(world)
}
