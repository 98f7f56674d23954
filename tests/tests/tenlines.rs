//! What a person gets for ten lines of TOML: photos by date and camera, music by artist, invoices by what stands in
//! them, old installers in the trash; and an answer to "why?" for every one of the files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tidy_tests::files::{Sample, music, photo};
use tidy_tests::{World, assert_same, documents};

const CONFIG: &str = r#"
watch = ["~/Downloads"]
rule = [
  { name = "photos", when = { kind = "photo" }, move = "~/Pictures/{taken:%Y/%m}/{camera|'unknown camera'}/" },
  { name = "music", when = { kind = "music" }, move = "~/Music/{album_artist|artist|'unknown artist'}/" },
  { name = "invoices", when = { text = '(?i)\b(invoice|rechnung) (no|nr)\.' }, move = "~/Documents/Invoices/" },
  { name = "old installers", when = { kind = "installer", age = "> 30d" }, trash = true },
]
"#;

const MAKE: u16 = 0x010f;
const MODEL: u16 = 0x0110;
const TAKEN: u16 = 0x9003;

/// The beginning of a program for Windows (PE/COFF specification, 2.1 and 3.3).
fn program(number: u8) -> Vec<u8> {
    let mut stub = b"MZ".to_vec();
    stub.resize(0x3c, 0);
    stub.extend(0x40u32.to_le_bytes());
    stub.extend(b"PE\0\0\x64\x86\x01\0");
    stub.resize(512, number);
    stub
}

fn put(world: &World, name: &str, content: impl AsRef<[u8]>, days: u64) -> PathBuf {
    let path = world.write(Path::new("Downloads").join(name), content);
    let then = SystemTime::now() - Duration::from_secs(86_400 * days);
    File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    path
}

#[test]
fn ten_lines_file_photos_music_invoices_and_installers_and_say_why() {
    assert!(CONFIG.trim().lines().count() <= 10);
    let world = World::new();
    world.configure(CONFIG);
    let shot = [(MAKE, "FUJIFILM"), (MODEL, "X100V"), (TAKEN, "2024:05:06 10:00:00")];
    put(&world, "DSCF0001.JPG", photo(&shot), 1);
    // By content: no extension tells what these are.
    put(&world, "from the camera", photo(&[(TAKEN, "2023:12:31 23:59:59")]), 1);
    put(&world, "track", music(&[("TPE1", "Nina Simone"), ("TIT2", "Sinnerman")]), 1);
    put(&world, "bill.pdf", documents::pdf("ACME", "Invoice no. 4711 is due"), 1);
    put(&world, "scan.docx", documents::docx("ACME", "Rechnung Nr. 17"), 1);
    put(&world, "setup.exe", program(1), 40);
    // What they have nothing to do with.
    put(&world, "letter.pdf", documents::pdf("Ada", "Dear Charles"), 1);
    put(&world, "new setup.exe", program(2), 1);
    put(&world, "drawing.png", Sample::Png.content(1), 1);
    let before = world.snapshot();

    let daemon = world.start();
    world.wait();
    for (filed, rule) in [
        ("Pictures/2024/05/X100V/DSCF0001.JPG", "photos"),
        ("Pictures/2023/12/unknown camera/from the camera", "photos"),
        ("Music/Nina Simone/track", "music"),
        ("Documents/Invoices/bill.pdf", "invoices"),
        ("Documents/Invoices/scan.docx", "invoices"),
        (".local/share/Trash/files/setup.exe", "old installers"),
        ("Downloads/Documents/letter.pdf", "default document"),
        ("Downloads/Installers/new setup.exe", "default installer"),
        ("Downloads/Pictures/drawing.png", "default image"),
    ] {
        let path = world.home().join(filed);
        assert!(path.exists(), "{filed}: {:#?}", world.log(&[]));
        let why = world.ctl_at(&["explain"], &path);
        assert!(why.stdout.contains(rule), "{filed}: {why:?}");
    }
    // Each condition is told as it was found, that of the text as well.
    let why = world.ctl_json_at(&["explain"], &world.home().join("Documents/Invoices/bill.pdf"));
    assert!(why.to_string().contains("Invoice no."), "{why:#}");

    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}
