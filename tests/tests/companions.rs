//! Files that belong to others go where those go, stay while those stay, and come back with them.
#![expect(clippy::disallowed_methods, reason = "moves and takes away scratch files of its own")]

use std::fs;
use std::path::Path;

use tidy_tests::files::{Sample, SlowWriter};
use tidy_tests::{World, assert_same, eventually, path};

const PHOTOS: &str = r#"
watch = ["~/Downloads"]
settle = "300ms"
default = {}

[[rule]]
name = "photos"
when = { ext = ["jpg", "cr2", "heic"] }
move = "~/Photos/"

[[rule]]
name = "films"
when = { ext = "mkv" }
move = "~/Films/"

[[rule]]
name = "strays"
when = { ext = ["xmp", "srt", "mov"] }
move = "~/Strays/"
"#;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn put(world: &World, names: &[&str]) {
    for name in names {
        world.write(Path::new("Downloads").join(name), name);
    }
}

#[test]
fn a_party_goes_under_one_number_and_comes_back_whole() {
    let world = World::new();
    world.configure(PHOTOS);
    let (photos, strays) = (world.home().join("Photos"), world.home().join("Strays"));
    world.write("Photos/IMG_1.jpg", "an earlier one");
    let party = ["IMG_1.jpg", "IMG_1.jpg.xmp", "IMG_1.aae", "IMG_1.jpg.supplemental-metadata.json"];
    put(&world, &party);
    put(&world, &["IMG_2.heic", "IMG_2.mov", "alone.xmp", "data.json"]);
    let before = world.snapshot();
    let dry = world.tidyd(&["--once", "--dry-run"]).ok();
    let daemon = world.start();
    world.wait();
    let there = [
        "IMG_1 (2).aae",
        "IMG_1 (2).jpg",
        "IMG_1 (2).jpg.supplemental-metadata.json",
        "IMG_1 (2).jpg.xmp",
        "IMG_1.jpg",
        "IMG_2.heic",
        "IMG_2.mov",
    ];
    assert_eq!(names(&photos), there);
    assert_eq!(names(&strays), ["alone.xmp"]);
    assert_eq!(names(&world.downloads()), ["data.json"]);
    assert!(there.iter().filter(|n| **n != "IMG_1.jpg").all(|n| dry.contains(n)), "{dry}");
    let batches: Vec<_> = world.log(&[]).iter().map(|op| op["batch"].clone()).collect();
    assert!(batches.iter().all(|b| *b == batches[0]), "{batches:?}");

    // Whoever asks for the picture back gets what belongs to it.
    world.ctl_at(&["rollback", "--path"], &world.downloads().join("IMG_1.jpg")).ok();
    let mut back: Vec<_> = party.to_vec();
    back.push("data.json");
    back.sort_unstable();
    assert_eq!(names(&world.downloads()), back);
    world.ctl(["rollback", "--since", "1h"]).ok();
    assert_same(&before, &world.snapshot());
    // And nothing of it is filed again.
    world.wait();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_companion_that_comes_later_goes_after_its_file_where_that_is_sure() {
    let world = World::new();
    world.configure(PHOTOS);
    world.write("Films/b.srt", "taken");
    let daemon = world.start();
    put(&world, &["a.mkv", "b.mkv", "c.mkv"]);
    world.wait();
    // One is moved on by its owner, so that nobody knows where it is.
    fs::rename(world.home().join("Films/c.mkv"), world.home().join("c.mkv")).unwrap();
    put(&world, &["a.en.srt", "b.srt", "c.srt", "d.srt"]);
    world.wait();
    assert_eq!(names(&world.home().join("Films")), ["a.en.srt", "a.mkv", "b.mkv", "b.srt"]);
    assert_eq!(names(&world.home().join("Strays")), ["c.srt", "d.srt"]);
    assert_eq!(names(&world.downloads()), ["b.srt"], "its place is taken, and it has no other");
    let filed = world.log(&["--rule", "films"]);
    let why = |op: &serde_json::Value| op["why"].as_str().unwrap_or_default().to_owned();
    assert!(filed.iter().any(|op| why(op).starts_with("goes with a.mkv, filed by ")), "{filed:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn nobody_goes_alone_while_the_other_is_being_written() {
    let world = World::new();
    world.configure(PHOTOS);
    let daemon = world.start();
    let film = world.downloads().join("film.mkv");
    let mut writer = SlowWriter::open(&film);
    writer.write(b"begun");
    put(&world, &["film.srt", "other.srt"]);
    // By then the film's would have been filed too.
    eventually("the other one is filed", || {
        world.home().join("Strays/other.srt").exists().then_some(())
    });
    let why = world.ctl_at(&["explain"], &world.downloads().join("film.srt")).ok();
    assert!(why.contains("film.mkv"), "{why}");
    assert_eq!(names(&world.home().join("Strays")), ["other.srt"]);
    writer.write(b" and finished");
    writer.finish();
    world.wait();
    assert_eq!(names(&world.home().join("Films")), ["film.mkv", "film.srt"]);

    // The other way round: the film waits for subtitles that are being written.
    let subtitles = world.downloads().join("two.srt");
    let mut writer = SlowWriter::open(&subtitles);
    writer.write(b"1");
    put(&world, &["two.mkv"]);
    writer.write(b"2");
    writer.finish();
    world.wait();
    assert_eq!(names(&world.home().join("Films")), ["film.mkv", "film.srt", "two.mkv", "two.srt"]);
    let op = |name: &str| {
        let all = world.log(&[]);
        let at = world.downloads().join(name);
        all.into_iter().find(|op| path(&op["src"]) == at).expect("it was filed")
    };
    assert_eq!(op("two.mkv")["batch"], op("two.srt")["batch"]);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_companion_stays_with_a_file_that_stays() {
    let world = World::new();
    world.configure(PHOTOS);
    put(&world, &["song.flac", "song.lrc", "video.mp4", "video.srt"]);
    let daemon = world.start();
    world.wait();
    assert_eq!(names(&world.downloads()), ["song.flac", "song.lrc", "video.mp4", "video.srt"]);
    let srt = world.downloads().join("video.srt");
    let why = world.ctl_at(&["explain"], &srt).ok();
    assert!(why.contains("belongs to another file") && why.contains("video.mp4"), "{why}");
    // Its file goes by a person's hand: then it is a file like all.
    fs::remove_file(world.downloads().join("video.mp4")).unwrap();
    world.ctl_at(&["organize"], &srt).ok();
    assert_eq!(names(&world.home().join("Strays")), ["video.srt"]);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_configuration_says_who_travels() {
    let world = World::new();
    world.configure(&format!("companions = false\n{PHOTOS}"));
    put(&world, &["a.jpg", "a.jpg.xmp", "b.heic", "b.mov"]);
    world.tidyd(&["--once"]).ok();
    assert_eq!(names(&world.home().join("Photos")), ["a.jpg", "b.heic"]);
    assert_eq!(names(&world.home().join("Strays")), ["a.jpg.xmp", "b.mov"]);

    let world = World::new();
    world.configure(
        r#"
watch = ["~/Downloads"]
settle = "100ms"
default = {}
[[rule]]
name = "raw"
when = { ext = "cr2" }
move = "~/Raw/"
companions = ["jpg", "xmp"]
[[rule]]
name = "pictures"
when = { ext = ["jpg", "png"] }
move = "~/Pictures/"
companions = false
[[rule]]
name = "strays"
when = { ext = ["xmp"] }
move = "~/Strays/"
"#,
    );
    put(&world, &["1.cr2", "1.jpg", "1.xmp", "2.jpg", "2.jpg.xmp", "3.png"]);
    world.tidyd(&["--once"]).ok();
    assert_eq!(names(&world.home().join("Raw")), ["1.cr2", "1.jpg", "1.xmp"]);
    assert_eq!(names(&world.home().join("Pictures")), ["2.jpg", "3.png"]);
    assert_eq!(names(&world.home().join("Strays")), ["2.jpg.xmp"]);
}

#[test]
fn copies_in_the_trash_and_back() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\nduplicates = { others = \"trash\" }\n",
    );
    let picture = Sample::Jpeg.content(1);
    world.write("Downloads/one.jpg", &picture);
    world.write("Downloads/sub/two.jpg", &picture);
    world.write("Downloads/sub/two.jpg.xmp", "edits");
    let before = world.snapshot();
    let daemon = world.start();
    world.wait();
    let trash = world.home().join(".local/share/Trash/files");
    let there = names(&trash);
    assert_eq!(there.len() + names(&world.downloads().join("Pictures")).len(), 3, "{there:?}");
    assert!(
        there.iter().any(|n| n == "two.jpg.xmp") == there.iter().any(|n| n == "two.jpg"),
        "{there:?}"
    );
    world.ctl(["rollback", "--last"]).ok();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn killed_between_the_two_they_find_each_other_again() {
    let world = World::new();
    world.configure(PHOTOS);
    put(&world, &["a.cr2", "a.xmp"]);
    let mut run = world.command(tidy_tests::binary(tidy_tests::Binary::Tidyd));
    // The first rename is the picture's.
    run.arg("--once").env("TIDYD_CRASH_AT", "move.renamed");
    let killed = tidy_tests::Run::of(&mut run);
    assert_ne!(killed.code, 0, "{killed:?}");
    assert_eq!(names(&world.home().join("Photos")), ["a.cr2"]);
    assert_eq!(names(&world.downloads()), ["a.xmp"]);
    let daemon = world.start();
    world.wait();
    assert_eq!(names(&world.home().join("Photos")), ["a.cr2", "a.xmp"]);
    world.ctl(["rollback", "--since", "1h"]).ok();
    assert_eq!(names(&world.downloads()), ["a.cr2", "a.xmp"]);
    assert_eq!(daemon.stop(), 0);
}

/// Of companions that only a rule names, too: another rule that would take the companion alone has to wait.
#[test]
fn what_a_rule_takes_along_stays_while_its_file_is_not_moved() {
    let world = World::new();
    world.configure(
        r#"
watch = ["~/Downloads"]
settle = "300ms"
default = {}
[[rule]]
name = "raw"
when = { ext = "cr2" }
move = "~/Raw/"
companions = ["jpg"]
[[rule]]
name = "pictures"
when = { ext = ["jpg", "png"] }
move = "~/Pictures/"
"#,
    );
    let (raw, pictures) = (world.home().join("Raw"), world.home().join("Pictures"));
    let daemon = world.start();
    let mut writer = SlowWriter::open(&world.downloads().join("1.cr2"));
    writer.write(b"begun");
    put(&world, &["1.jpg", "2.jpg", "2.png"]);
    eventually("the other ones are filed", || {
        (names(&pictures) == ["2.jpg", "2.png"]).then_some(())
    });
    let why = world.ctl_at(&["explain"], &world.downloads().join("1.jpg")).ok();
    assert!(why.contains("1.cr2"), "{why}");
    writer.finish();
    world.wait();
    assert_eq!(names(&raw), ["1.cr2", "1.jpg"]);

    // Its file stays, since it was put back: so does what belongs to it, until it is asked for.
    world.ctl(["rollback", "--last", "--yes"]).ok();
    world.ctl(["rescan"]).ok();
    world.wait();
    assert_eq!(names(&world.downloads()), ["1.cr2", "1.jpg"]);
    fs::write(world.downloads().join("1.jpg"), "edited").unwrap();
    world.wait();
    assert_eq!(names(&world.downloads()), ["1.cr2", "1.jpg"], "it goes with the raw file");
    world.ctl(["organize"]).ok();
    assert_eq!(names(&raw), ["1.cr2", "1.jpg"]);
    assert_eq!(daemon.stop(), 0);
}

const POLICIES: [&str; 5] = ["rename", "skip", "keep-newer", "keep-larger", "replace-to-trash"];

#[test]
fn what_is_at_its_destination_already_is_a_duplicate_and_not_a_second_name() {
    for (n, conflict) in POLICIES.into_iter().enumerate() {
        let world = World::new();
        let others = ["folder", "trash", "report"][n % 3];
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\nconflict = \"{conflict}\"\n\
             duplicates = {{ others = \"{others}\" }}\n[default]\ndocument = \"~/Papers/\"\n"
        ));
        world.write("Papers/bill.pdf", Sample::Pdf.content(1));
        world.write("Downloads/bill.pdf", Sample::Pdf.content(1));
        let before = world.snapshot();
        let daemon = world.start();
        world.wait();
        let gone_to = match others {
            "folder" => world.downloads().join("Duplicates/bill.pdf"),
            "trash" => world.home().join(".local/share/Trash/files/bill.pdf"),
            _ => world.downloads().join("bill.pdf"),
        };
        assert!(gone_to.exists(), "{conflict}, {others}");
        assert_eq!(names(&world.home().join("Papers")), ["bill.pdf"], "{conflict}, {others}");
        let told = match others {
            "report" => world.ctl_at(&["explain"], &gone_to).ok(),
            _ => world.ctl(["log", "--json"]).ok(),
        };
        assert!(told.contains("same bytes"), "{conflict}, {others}: {told}");
        if others != "report" {
            world.ctl(["rollback", "--last"]).ok();
        }
        assert_same(&before, &world.snapshot());
        assert_eq!(daemon.stop(), 0);
    }
}

#[test]
fn a_rule_test_says_what_goes_along() {
    let world = World::new();
    let check = |rest: &str| {
        let test = "given = { name = \"IMG_1.CR2\", beside = [\"IMG_1.xmp\", \"IMG_1.CR2.pp3\", \"IMG_2.xmp\"] }";
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"raw\"\nwhen = {{ ext = \"cr2\" }}\n\
             rename = \"raw {{stem}}.{{ext}}\"\n{rest}\n[[rule.test]]\n{test}\nexpect = \"raw IMG_1.cr2\"\n\
             along = [\"raw IMG_1.xmp\", \"raw IMG_1.cr2.pp3\"]\n"
        ));
        world.tidyd(&["--check"])
    };
    let run = check("");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = check("companions = false");
    assert_eq!(run.code, 78);
    assert!(run.stderr.contains("got with companions []"), "{}", run.stderr);
}
