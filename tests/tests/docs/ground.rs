//! The home that the documents speak of.
#![expect(clippy::disallowed_methods, reason = "makes and moves files of a scratch home")]

use std::fs;

use tidy_tests::files::{Sample, music, photo};
use tidy_tests::{World, documents, eventually};

/// Copies are looked for where a person sorts papers into, as the guide has it.
const CONFIG: &str = "watch = [\"~/Downloads\"]\nsettle = \"200ms\"\n\
                      duplicates = { scope = [\"~/Downloads\", \"~/Papers\"] }\n";

/// A photo, a film, an archive, a Python script, an invoice twice and a program's source tree in Downloads; what is asked about by
/// name beside it.
pub(crate) fn world() -> World {
    let world = World::new();
    world.configure(CONFIG);
    let invoice = documents::pdf("ACME", "Invoice no. 7");
    let picture = photo(&[(0x0110, "X100V"), (0x9003, "2024:05:06 10:00:00")]);
    let files: [(&str, Vec<u8>); 12] = [
        ("Downloads/holiday.jpg", Sample::Jpeg.content(1)),
        ("Downloads/clip.mp4", film()),
        ("Downloads/backup.zip", Sample::Zip.content(2)),
        ("Downloads/backup.py", b"import shutil\n\n\ndef backup():\n    return shutil\n".to_vec()),
        ("Downloads/invoice.pdf", invoice.clone()),
        ("Downloads/invoice (1).pdf", invoice),
        ("Downloads/myapp/package.json", b"{\"name\": \"myapp\"}\n".to_vec()),
        ("Downloads/myapp/logo.jpg", Sample::Jpeg.content(3)),
        ("holiday.jpg", picture),
        ("song.mp3", music(&[("TPE1", "Nina Simone")])),
        ("offer.pdf", documents::pdf("Ada Lovelace", "An offer")),
        ("config.toml", b"watch = [\"~/Downloads\"]\n\nsetle = \"2s\"\n".to_vec()),
    ];
    for (name, content) in files {
        world.write(name, content);
    }
    for folder in ["Desktop", "Documents", "Papers/Bills", "Pictures", "Scans", "Videos"] {
        fs::create_dir_all(world.home().join(folder)).expect("own directory");
    }
    world
}

/// What has happened before somebody types `command`.
pub(crate) fn before(command: &str, world: &World) {
    if command.starts_with("tidyctl init") {
        // The first day.
        let _ = fs::remove_file(world.config_file());
    } else if command.starts_with("tidyctl suggest") {
        // Nothing is filed by kind, so that all of them stay where they are until somebody moves them.
        world.configure(&format!("{CONFIG}[default]\n"));
        world.ctl(["reload"]).ok();
        let moved = ["acme invoice 1.pdf", "acme invoice 2.pdf", "acme invoice 3.pdf"];
        let left = ["thesis.pdf", "notes.pdf", "paper.pdf"];
        for (name, number) in moved.into_iter().chain(left).zip(1..) {
            world.write(format!("Downloads/{name}"), Sample::Pdf.content(number));
        }
        world.wait();
        for name in moved {
            let to = world.home().join("Papers/Bills").join(name);
            fs::rename(world.downloads().join(name), to).expect("it is there");
        }
        eventually("what was done by hand is seen", || {
            world.ctl(["suggest"]).ok().contains("were moved by hand into").then_some(())
        });
    }
}

/// What happens while `command` runs on.
pub(crate) fn meanwhile(command: &str, world: &World) {
    if command.starts_with("tidyctl events") {
        world.write("Downloads/report.pdf", Sample::Pdf.content(99));
    }
}

/// The beginning of a film: the brand of its container (ISO/IEC 14496-12).
fn film() -> Vec<u8> {
    [b"\0\0\0\x18ftypisom\0\0\x02\0isommp41".as_slice(), &[0; 64]].concat()
}
