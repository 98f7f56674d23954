//! The running daemon: nothing early, nothing twice, nothing missed.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tidy_tests::files::{self, Sample, SlowWriter};
use tidy_tests::{Kind, Snapshot, World, assert_same, eventually, path};

/// Where the built-in rules put a sample of this kind.
fn filed(world: &World, name: &str) -> PathBuf {
    let folder = match name.rsplit_once('.').expect("an extension").1 {
        "png" | "jpg" => "Pictures",
        "pdf" | "txt" => "Documents",
        "zip" => "Archives",
        "mp3" => "Music",
        other => panic!("no folder for {other}"),
    };
    world.downloads().join(folder).join(name)
}

/// Every file of `arrived` (below Downloads) was moved exactly once and is where its kind belongs, with its bytes.
fn all_filed_once(world: &World, arrived: &[(PathBuf, Vec<u8>)]) {
    let mut moves: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for op in world.log(&["--kind", "move", "--state", "done"]) {
        *moves.entry(path(&op["src"])).or_default() += 1;
    }
    for (from, content) in arrived {
        assert_eq!(moves.remove(from), Some(1), "moves of {from:?}");
        assert!(!from.exists(), "{from:?} is still there");
        let name = from.file_name().unwrap().to_str().unwrap();
        let now = fs::read(filed(world, name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(now == *content, "{name} has other bytes");
    }
    assert!(moves.is_empty(), "moved besides: {moves:?}");
}

fn read_all(paths: Vec<PathBuf>) -> Vec<(PathBuf, Vec<u8>)> {
    paths
        .into_iter()
        .map(|p| {
            let content = fs::read(&p).unwrap();
            (p, content)
        })
        .collect()
}

#[test]
fn a_file_is_not_filed_while_it_is_being_written() {
    let world = World::new();
    let daemon = world.start();
    let path = world.downloads().join("slow.pdf");
    let mut writer = SlowWriter::open(&path);
    let mut content = Vec::new();
    for round in 0..3 {
        let part = Sample::Pdf.content(round);
        writer.write(&part);
        content.extend(part);
        // A file that came later has been filed: the slow one has had its chance.
        let other = format!("quick-{round}.png");
        world.write(format!("Downloads/{other}"), Sample::Png.content(round));
        eventually("the quick file to be filed", || filed(&world, &other).exists().then_some(()));
        assert!(path.exists(), "filed in round {round}");
        let wait = world.ctl(["wait", "--timeout", "400ms"]);
        assert_eq!(wait.code, 1, "somebody still writes: {wait:?}");
        assert!(path.exists(), "filed in round {round}");
    }
    writer.finish();
    world.wait();
    assert_eq!(fs::read(filed(&world, "slow.pdf")).unwrap(), content);
    assert_eq!(world.log(&["--path", path.to_str().unwrap()]).len(), 1);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_unfinished_download_holds_back_the_name_beside_it() {
    let world = World::new();
    let daemon = world.start();
    let content = Sample::Zip.content(1);
    let part = world.write("Downloads/movie.zip.part", &content[..40]);
    let placeholder = world.write("Downloads/movie.zip", b"");
    world.write("Downloads/other.zip", Sample::Zip.content(2));
    let waited = world.ctl_json(["wait"]);
    assert_eq!(
        (&waited["drained"], &waited["pending"]["held"]),
        (&true.into(), &1.into()),
        "{waited}"
    );
    assert!(filed(&world, "other.zip").exists());
    assert!(part.exists() && placeholder.exists());

    File::options().append(true).open(&part).unwrap().write_all(&content[40..]).unwrap();
    world.wait();
    assert!(part.exists() && placeholder.exists());
    fs::rename(&part, &placeholder).unwrap();
    world.wait();
    assert_eq!(fs::read(filed(&world, "movie.zip")).unwrap(), content);
    assert_eq!(world.log(&["--kind", "move"]).len(), 2);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_copied_tree_of_two_thousand_directories_is_filed_whole() {
    let world = World::new();
    let daemon = world.start();
    let source = world.home().join("source");
    let mut arrived = Vec::new();
    for n in 0..2000_u32 {
        let sample = Sample::ALL[n as usize % Sample::ALL.len()];
        let below = format!("{:02}/{:02}/d{n}/{n}.{}", n % 20, n % 7, sample.extension());
        let content = sample.content(n);
        world.write(Path::new("source").join(&below), &content);
        arrived.push((world.downloads().join("copy").join(below), content));
    }
    files::copy_tree(&source, &world.downloads().join("copy"));
    world.wait_long();
    all_filed_once(&world, &arrived);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn twenty_thousand_files_in_one_burst_are_all_filed_once() {
    let world = World::new();
    let daemon = world.start();
    let made = files::make(&world.downloads(), 20_000);
    world.wait_long();
    let contents = (0..).zip(Sample::ALL.into_iter().cycle()).map(|(n, s)| s.content(n));
    let arrived: Vec<_> = made.into_iter().zip(contents).collect();
    all_filed_once(&world, &arrived);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_is_moved_in_is_filed_alone_or_by_the_directory() {
    let world = World::new();
    let daemon = world.start();
    let alone = world.write("elsewhere/alone.pdf", Sample::Pdf.content(1));
    fs::rename(alone, world.downloads().join("alone.pdf")).unwrap();
    world.wait();
    let mut arrived = vec![(world.downloads().join("alone.pdf"), Sample::Pdf.content(1))];
    all_filed_once(&world, &arrived);

    for n in 0..50_u32 {
        let below = format!("album/{}/{n}.jpg", n % 5);
        world.write(Path::new("elsewhere").join(&below), Sample::Jpeg.content(n));
        arrived.push((world.downloads().join(below), Sample::Jpeg.content(n)));
    }
    fs::rename(world.home().join("elsewhere/album"), world.downloads().join("album")).unwrap();
    world.wait();
    all_filed_once(&world, &arrived);

    // What comes into the directory that was moved in is seen too.
    world.write("Downloads/album/3/late.jpg", Sample::Jpeg.content(999));
    arrived.push((world.downloads().join("album/3/late.jpg"), Sample::Jpeg.content(999)));
    world.wait();
    all_filed_once(&world, &arrived);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_happened_while_the_daemon_was_away_is_made_up_for() {
    let world = World::new();
    let unknown = world.write("Downloads/sub/unknown", b"\x00\x01nothing anybody knows\xff\xfe");
    let daemon = world.start();
    world.wait();
    assert!(unknown.exists());
    assert_eq!(daemon.stop(), 0);

    let mut arrived = read_all(files::make(&world.downloads().join("new/deep"), 60));
    // Edited meanwhile: it is something now.
    fs::write(&unknown, Sample::Pdf.content(7)).unwrap();
    let gone = world.write("Downloads/gone.pdf", "x");
    fs::remove_file(gone).unwrap();
    let daemon = world.start();
    world.wait();
    assert!(!unknown.exists());
    let documents = world.downloads().join("Documents");
    assert_eq!(fs::read(documents.join("unknown")).unwrap(), Sample::Pdf.content(7));
    let moved = world.log(&["--kind", "move"]);
    assert_eq!(moved.len(), arrived.len() + 1);
    arrived.retain(|(from, _)| from.exists());
    assert!(arrived.is_empty(), "{arrived:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_edit_of_a_filed_file_leaves_it_where_it_is() {
    let world = World::new();
    let daemon = world.start();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.wait();
    let at = filed(&world, "a.pdf");
    fs::write(&at, "edited").unwrap();
    // Editors replace.
    let new = at.with_file_name("a.pdf.new");
    fs::write(&new, "edited again").unwrap();
    fs::rename(&new, &at).unwrap();
    world.wait();
    assert_eq!(fs::read(&at).unwrap(), b"edited again");
    assert_eq!(world.log(&["--kind", "move"]).len(), 1);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_was_rolled_back_stays_until_it_changes_or_is_asked_for() {
    let world = World::new();
    let before = world.write("Downloads/f.pdf", Sample::Pdf.content(1));
    world.write("Downloads/g.pdf", Sample::Pdf.content(2));
    let tree = world.snapshot();
    let daemon = world.start();
    world.wait();
    assert!(filed(&world, "f.pdf").exists() && filed(&world, "g.pdf").exists());
    world.ctl(["rollback", "--last"]).ok();
    assert_same(&tree, &world.snapshot());

    // Neither news beside it, nor a rescan, nor a restart is a reason.
    world.write("Downloads/news.pdf", Sample::Pdf.content(3));
    world.wait();
    assert!(filed(&world, "news.pdf").exists());
    world.ctl(["rescan"]).ok();
    world.wait();
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    world.wait();
    let why = world.ctl_json_at(&["explain"], &before);
    assert_eq!(why["stored"]["reason"], "rolled-back", "{why:#}");
    assert!(before.exists() && world.downloads().join("g.pdf").exists());

    // An edit is.
    File::options().append(true).open(&before).unwrap().write_all(b"% more\n").unwrap();
    world.wait();
    assert!(filed(&world, "f.pdf").exists());
    assert!(world.downloads().join("g.pdf").exists());
    // And so is a person's wish.
    world.ctl(["organize"]).ok();
    assert!(filed(&world, "g.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_directory_that_goes_and_comes_back_is_still_watched() {
    let world = World::new();
    let daemon = world.start();
    let (here, there) = (world.downloads().join("d"), world.home().join("d"));
    fs::create_dir(&here).unwrap();
    world.write("Downloads/d/1.pdf", Sample::Pdf.content(1));
    world.wait();
    fs::rename(&here, &there).unwrap();
    world.write("d/2.pdf", Sample::Pdf.content(2));
    world.wait();
    assert!(there.join("2.pdf").exists(), "it is not ours while it is elsewhere");
    fs::rename(&there, &here).unwrap();
    world.wait();
    world.write("Downloads/d/3.pdf", Sample::Pdf.content(3));
    world.wait();
    for n in 1..=3 {
        assert!(filed(&world, &format!("{n}.pdf")).exists(), "{n}");
    }
    assert_eq!(daemon.stop(), 0);
    let files =
        |s: &Snapshot| s.entries.values().filter(|e| matches!(e.kind, Kind::File { .. })).count();
    assert_eq!(files(&world.snapshot()), 3);
}

/// Putting back hundreds of files takes longer than a file needs to settle: those that are back already must not be taken
/// for new ones.
#[test]
fn what_is_being_put_back_is_not_filed_again_meanwhile() {
    let world = World::new();
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n");
    files::make(&world.downloads(), 1200);
    let before = world.snapshot();
    let daemon = world.start();
    world.wait_long();
    world.ctl(["rollback", "--since", "1d", "--yes"]).ok();
    world.wait();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}
