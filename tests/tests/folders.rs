//! Folders that are one thing move as one, or stay as one.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tidy_tests::files::SlowWriter;
use tidy_tests::{Binary, Run, World, assert_same, binary, eventually, path, works};

const CONFIG: &str = r#"
watch = ["~/Downloads"]
settle = "300ms"

[[rule]]
name = "code"
when = { unit = "project", none = [{ name = "keep*" }] }
move = "~/Code/"

[[rule]]
name = "discs"
when = { unit = "disc" }
move = "Videos/Discs/"

[[rule]]
name = "programs"
when = { unit = "bundle" }
rename = "Program {name}"
then = "continue"

[[rule]]
name = "all else"
when = { name = "*" }
move = "~/Files/"
"#;

fn fill(world: &World) {
    for (file, content) in [
        ("prog/Cargo.toml", "[package]"),
        ("prog/src/main.rs", "fn main() {}"),
        ("prog/target/debug/deep/er/prog", "binary"),
        ("sub/site/package.json", "{}"),
        ("sub/site/index.js", "1"),
        ("Film/VIDEO_TS/VTS_01_1.VOB", "film"),
        ("Tool.app/Contents/Info.plist", "plist"),
        ("keep me/.git/HEAD", "ref: x"),
        ("keep me/a.txt", "text"),
        ("loose.txt", "a file"),
    ] {
        world.write(Path::new("Downloads").join(file), content);
    }
}

#[test]
fn each_kind_goes_where_its_rule_says_and_comes_back_whole() {
    let world = World::new();
    world.configure(CONFIG);
    fill(&world);
    // The name is taken: it is numbered, and nothing is mixed.
    world.write("Code/prog/notes", "another one");
    let before = world.snapshot();
    let dry = world.tidyd(&["--once", "--dry-run"]).ok();
    assert_same(&before, &world.snapshot());
    let daemon = world.start();
    world.wait();
    let after = world.snapshot();
    assert_eq!(before.lost_by(&after), Vec::<std::path::PathBuf>::new());
    for there in [
        "Code/prog (2)/src/main.rs",
        "Code/prog (2)/target/debug/deep/er/prog",
        "Code/prog/notes",
        "Code/site/index.js",
        "Downloads/Videos/Discs/Film/VIDEO_TS/VTS_01_1.VOB",
        "Downloads/Program Tool.app/Contents/Info.plist",
        "Downloads/keep me/.git/HEAD",
        "Downloads/keep me/a.txt",
        "Files/loose.txt",
    ] {
        assert!(
            after.entries.contains_key(Path::new(there)),
            "{there}: {:?}",
            after.entries.keys()
        );
    }
    assert!(dry.contains("prog (2)") && dry.contains("move-folder"), "{dry}");
    let moved = world.log(&["--kind", "move-folder"]);
    assert_eq!(moved.len(), 4, "{moved:?}");
    let why = world.ctl_at(&["explain"], &world.downloads().join("keep me")).ok();
    assert!(why.contains("no rule matches"), "{why}");

    world.ctl(["rollback", "--since", "1h"]).ok();
    assert_same(&before, &world.snapshot());
    // What was put back stays.
    world.ctl(["rescan"]).ok();
    world.wait();
    assert_same(&before, &world.snapshot());
    world.ctl(["redo"]).ok();
    assert_same(&after, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn one_that_is_in_use_or_still_arriving_waits() {
    let world = World::new();
    world.configure(CONFIG);
    let daemon = world.start();
    world.write("Downloads/prog/Cargo.toml", "[package]");
    world.write("Downloads/prog/src/main.rs", "fn main() {}");
    let mut log = SlowWriter::open(&world.downloads().join("prog/src/build.log"));
    log.write(b"building");
    world.write("Downloads/other/go.mod", "module x");
    eventually("the other project is moved", || {
        world.home().join("Code/other/go.mod").exists().then_some(())
    });
    assert!(world.downloads().join("prog/Cargo.toml").exists());
    log.finish();
    world.wait();
    assert!(world.home().join("Code/prog/src/build.log").exists());
    assert!(!world.downloads().join("prog").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn it_is_never_carried_to_another_file_system() {
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped, because there is no /dev/shm");
        return;
    };
    let world = World::new();
    if fs::metadata(other.path()).unwrap().dev() == fs::metadata(world.home()).unwrap().dev() {
        eprintln!("skipped, because everything is on one file system");
        return;
    }
    let away = other.path().display();
    world.configure(&CONFIG.replace("~/Code/", &format!("{away}/Code/")));
    fill(&world);
    let daemon = world.start();
    world.wait();
    assert!(world.downloads().join("prog/src/main.rs").exists());
    assert!(!other.path().join("Code").exists());
    let why = world.ctl_at(&["explain"], &world.downloads().join("prog")).ok();
    assert!(why.contains("another file system"), "{why}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn one_that_rules_file_into_stays_where_it_is() {
    let world = World::new();
    let inside = "[[rule]]\nname = \"pictures\"\nwhen = { ext = \"png\" }\nmove = \"prog/assets/\"\n\n[[rule]]\nname = \"code\"";
    world.configure(&CONFIG.replace("[[rule]]\nname = \"code\"", inside));
    fill(&world);
    world.write("Downloads/logo.png", "a picture");
    let before = world.snapshot();
    let daemon = world.start();
    world.wait();
    let prog = world.downloads().join("prog");
    assert!(prog.join("src/main.rs").exists() && prog.join("assets/logo.png").exists());
    assert!(world.home().join("Code/site").exists(), "the other project is moved");
    let why = world.ctl_at(&["explain"], &prog).ok();
    assert!(why.contains("rules file into") && why.contains("assets"), "{why}");
    world.ctl(["rollback", "--since", "1h"]).ok();
    assert_same(&before, &world.snapshot());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn killed_around_the_rename_it_is_whole_at_one_end() {
    for point in ["unit.before-rename", "unit.renamed"] {
        let world = World::new();
        world.configure(CONFIG);
        world.write("Downloads/prog/Cargo.toml", "[package]");
        world.write("Downloads/prog/src/main.rs", "fn main() {}");
        let before = world.snapshot();
        let mut command = world.command(binary(Binary::Tidyd));
        let killed = Run::of(command.arg("--once").env("TIDYD_CRASH_AT", point));
        assert_ne!(killed.code, 0, "{point}: {killed:?}");
        let daemon = world.start();
        world.wait();
        assert!(world.home().join("Code/prog/src/main.rs").exists(), "{point}");
        let done = world.log(&["--kind", "move-folder", "--state", "done"]);
        assert_eq!(done.len(), 1, "{point}: {done:?}");
        assert_eq!(path(&done[0]["src"]), world.downloads().join("prog"));
        world.ctl(["rollback", "--since", "1h"]).ok();
        assert_same(&before, &world.snapshot());
        assert_eq!(daemon.stop(), 0);
    }
}

#[test]
fn without_a_rule_for_them_they_are_not_even_looked_at() {
    let world = World::new();
    world.configure("watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n[[rule]]\nname = \"x\"\nwhen = {}\nmove = \"~/All/\"\n");
    fill(&world);
    // Somebody works in it.
    let _open =
        File::options().append(true).open(world.downloads().join("prog/Cargo.toml")).unwrap();
    world.tidyd(&["--once"]).ok();
    assert!(world.downloads().join("prog/src/main.rs").exists());
    assert!(world.downloads().join("Tool.app/Contents/Info.plist").exists());
    assert!(world.home().join("All/loose.txt").exists());
}

/// What an archive holds: a program's folder, which has nothing in it that says so.
const TOOL: [(&str, &str); 3] =
    [("tool/bin/run", "#!/bin/sh\n"), ("tool/manual.pdf", "%PDF-1.4\n"), ("tool/logo.png", "logo")];

/// Packs [`TOOL`] into `archive` with the system's `tar`, and unpacks it where that is asked.
fn tar(world: &World, arguments: &[&str]) {
    let mut command = world.command("tar");
    Run::of(command.args(arguments).current_dir(world.home())).ok();
}

#[test]
fn what_was_unpacked_from_an_archive_moves_as_one() {
    if !works(&["tar", "--version"]) {
        return;
    }
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"200ms\"\n\
         [[rule]]\nname = \"tools\"\nwhen = { unit = \"unpacked\" }\nmove = \"~/Tools/\"\n\
         [default]\narchive = \"Archives/\"\ndocument = \"Documents/\"\nimage = \"Pictures/\"\n",
    );
    for (file, content) in TOOL {
        world.write(Path::new("away").join(file), content);
    }
    let daemon = world.start();
    // It is filed before anybody unpacks it, and its name is not that of the folder.
    tar(&world, &["-C", "away", "-czf", "Downloads/release-2.tar.gz", "tool"]);
    let archive = world.downloads().join("Archives/release-2.tar.gz");
    eventually("the archive is filed", || archive.exists().then_some(()));
    world.wait();
    tar(&world, &["-C", "Downloads", "-xzf", archive.to_str().unwrap()]);
    eventually("the folder has moved", || world.home().join("Tools/tool").exists().then_some(()));
    world.wait();
    let moved = world.snapshot();
    for (file, _) in TOOL {
        let there = Path::new("Tools").join(file);
        assert!(moved.entries.contains_key(&there), "{there:?}: {:?}", moved.entries.keys());
    }
    assert_eq!(world.log(&["--kind", "move-folder"]).len(), 1);
    world.ctl(["rollback", "--last", "--yes"]).ok();
    world.wait();
    for (file, _) in TOOL {
        assert!(world.downloads().join(file).exists(), "{file} is back, and stays");
    }
    let told = world.ctl_at(&["explain"], &world.downloads().join("tool/manual.pdf")).ok();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("release-2.tar.gz was unpacked into the folder tool"), "{told}");
    assert_eq!(daemon.stop(), 0);
}
