//! What the configuration can ask for: copies, conflicts, actions, the trash.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tidy_tests::files::Sample;
use tidy_tests::{Kind, World, assert_same, path};

fn configure(world: &World, rest: &str) {
    world.configure(&format!("watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n{rest}"));
}

/// Makes a file as if it had been written so many minutes ago.
fn aged(world: &World, path: &str, content: &[u8], minutes: u64) -> PathBuf {
    let path = world.write(path, content);
    let then = SystemTime::now() - Duration::from_secs(60 * minutes);
    File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    path
}

fn below(world: &World, path: &str) -> PathBuf {
    world.downloads().join(path)
}

fn trash(world: &World) -> PathBuf {
    world.home().join(".local/share/Trash")
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn copies_go_to_the_trash_and_come_back_with_their_names() {
    let world = World::new();
    configure(&world, "duplicates = { keep = \"oldest\", others = \"trash\" }\n");
    let content = Sample::Pdf.content(1);
    aged(&world, "Downloads/old.pdf", &content, 60);
    aged(&world, "Downloads/sub/new one.pdf", &content, 5);
    aged(&world, "Downloads/different.pdf", &Sample::Pdf.content(2), 5);
    let before = world.snapshot();
    let daemon = world.start();
    world.wait();
    assert_eq!(names(&below(&world, "Documents")), ["different.pdf", "old.pdf"]);
    assert_eq!(names(&trash(&world).join("files")), ["new one.pdf"]);
    let info = fs::read_to_string(trash(&world).join("info/new one.pdf.trashinfo")).unwrap();
    let place = below(&world, "sub/new%20one.pdf");
    assert!(info.starts_with("[Trash Info]\n"), "{info}");
    assert!(info.contains(&format!("Path={}\n", place.display())), "{info}");
    assert!(info.contains("DeletionDate="), "{info}");

    world.ctl(["rollback", "--last"]).ok();
    assert!(names(&trash(&world).join("files")).is_empty());
    assert!(names(&trash(&world).join("info")).is_empty());
    let after = world.snapshot();
    assert_same(&before, &after);

    // Redo does it again, and a rollback of that takes it back again.
    world.ctl(["redo"]).ok();
    assert_eq!(names(&trash(&world).join("files")).len(), 1);
    world.ctl(["rollback", "--last"]).ok();
    let after = world.snapshot();
    assert_same(&before, &after);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn emptied_trash_is_irrecoverable_and_said_so() {
    let world = World::new();
    configure(&world, "[[rule]]\nname = \"junk\"\nwhen = { ext = \"junk\" }\ntrash = true\n");
    world.write("Downloads/a.junk", "a");
    world.write("Downloads/b.junk", "b");
    let daemon = world.start();
    world.wait();
    assert_eq!(names(&trash(&world).join("files")), ["a.junk", "b.junk"]);
    fs::remove_file(trash(&world).join("files/a.junk")).unwrap();
    fs::remove_file(trash(&world).join("info/a.junk.trashinfo")).unwrap();
    let run = world.ctl(["rollback", "--rule", "junk", "--json"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let outcome = |name: &str| {
        let files = report["files"].as_array().expect("a list");
        files.iter().find(|f| path(&f["path"]).ends_with(name)).map(|f| f["outcome"].clone())
    };
    assert_eq!(outcome("a.junk"), Some("irrecoverable".into()), "{report:#}");
    assert_eq!(outcome("b.junk"), Some("restored".into()), "{report:#}");
    assert!(below(&world, "b.junk").exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn copies_are_only_reported_when_that_is_asked_for() {
    let world = World::new();
    configure(&world, "duplicates = { keep = \"oldest\", others = \"report\" }\n");
    let content = Sample::Pdf.content(1);
    world.write("Downloads/one.pdf", &content);
    world.write("Downloads/two.pdf", &content);
    let daemon = world.start();
    world.wait();
    assert_eq!(names(&below(&world, "Documents")), ["one.pdf", "two.pdf"]);
    let groups = world.ctl_json(["duplicates"]);
    assert_eq!(groups[0]["paths"].as_array().map(Vec::len), Some(2), "{groups:#}");
    assert_eq!(groups[0]["wasted"], content.len());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn hard_links_and_empty_files_are_no_copies() {
    let world = World::new();
    let one = world.write("Downloads/one.jpg", Sample::Jpeg.content(1));
    fs::hard_link(&one, below(&world, "same file.jpg")).unwrap();
    world.write("Downloads/empty 1.pdf", "");
    world.write("Downloads/empty 2.pdf", "");
    let daemon = world.start();
    world.wait();
    assert!(one.exists() && below(&world, "same file.jpg").exists());
    assert_eq!(names(&below(&world, "Documents")), ["empty 1.pdf", "empty 2.pdf"]);
    assert!(!below(&world, "Duplicates").exists());
    let why = world.ctl_json_at(&["explain"], &one);
    assert_eq!(why["stored"]["reason"], "hard-linked", "{why:#}");
    assert_eq!(world.ctl_json(["duplicates"]), serde_json::json!([]));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_copy_whose_keeper_has_changed_since_is_not_put_aside() {
    let world = World::new();
    let content = Sample::Pdf.content(1);
    world.write("Downloads/keeper.pdf", &content);
    let daemon = world.start();
    world.wait();
    let keeper = below(&world, "Documents/keeper.pdf");
    let stat = fs::metadata(&keeper).unwrap();
    assert_eq!(daemon.stop(), 0);
    // The same size and time, as a careless program leaves it: only the bytes differ.
    let mut other = content.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&keeper, &other).unwrap();
    File::options()
        .write(true)
        .open(&keeper)
        .unwrap()
        .set_modified(stat.modified().unwrap())
        .unwrap();
    world.write("Downloads/copy.pdf", &content);
    let daemon = world.start();
    world.wait();
    assert!(!below(&world, "Duplicates").exists());
    assert_eq!(
        fs::read(below(&world, "Documents/copy.pdf")).unwrap_or_else(|_| {
            // Left is right, too: it is nobody's copy.
            fs::read(below(&world, "copy.pdf")).unwrap()
        }),
        content
    );
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn every_action_does_what_it_says_and_can_be_undone() {
    let world = World::new();
    configure(
        &world,
        "[[rule]]\nname = \"copies\"\nwhen = { ext = \"cpy\" }\ncopy = \"~/Backup/\"\n\
         [[rule]]\nname = \"names\"\nwhen = { ext = \"ren\" }\nrename = \"new {stem}.{ext}\"\n\
         [[rule]]\nname = \"junk\"\nwhen = { ext = \"junk\" }\ntrash = true\n\
         [[rule]]\nname = \"stay\"\nwhen = { name = \"stay*\" }\nleave = true\n\
         [[rule]]\nname = \"years\"\nwhen = { ext = \"pdf\" }\nmove = \"~/Papers/{modified:%Y}/{stem} filed.{ext}\"\n",
    );
    world.write("Downloads/a.cpy", "a");
    world.write("Downloads/b.ren", "b");
    world.write("Downloads/c.junk", "c");
    world.write("Downloads/stay.pdf", Sample::Pdf.content(1));
    world.write("Downloads/d.pdf", Sample::Pdf.content(2));
    let before = world.snapshot();
    let daemon = world.start();
    world.wait();
    assert_eq!(names(&world.downloads()), ["a.cpy", "new b.ren", "stay.pdf"]);
    assert_eq!(fs::read(world.home().join("Backup/a.cpy")).unwrap(), b"a");
    assert_eq!(names(&trash(&world).join("files")), ["c.junk"]);
    let years = names(&world.home().join("Papers"));
    assert_eq!(names(&world.home().join("Papers").join(&years[0])), ["d filed.pdf"]);
    let why = world.ctl_json_at(&["explain"], &below(&world, "stay.pdf"));
    assert_eq!(
        (&why["stored"]["reason"], &why["stored"]["rule"]),
        (&"rule".into(), &"stay".into())
    );
    // Once is enough.
    world.ctl(["rescan"]).ok();
    world.wait();
    assert_eq!(names(&world.home().join("Backup")), ["a.cpy"]);
    assert_eq!(names(&world.downloads()), ["a.cpy", "new b.ren", "stay.pdf"]);

    world.ctl(["rollback", "--since", "1d"]).ok();
    let mut after = world.snapshot();
    // What was copied is in the trash now.
    after.entries.retain(|p, e| !p.starts_with(".local/share/Trash") || e.kind == Kind::Directory);
    // What was copied goes to the trash: nothing is ever deleted.
    assert_eq!(names(&trash(&world).join("files")), ["a.cpy"]);
    assert_same(&before, &after);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_taken_name_is_dealt_with_as_the_policy_says() {
    // Policy, minutes since the arriving file and the one there were written, their contents; then what has the name,
    // what else is in the folder, what stays where it was, and what is in the trash.
    type Case = (&'static str, (u64, u64), (&'static str, &'static str), [&'static str; 4]);
    let cases: [Case; 8] = [
        ("rename", (1, 9), ("new", "old"), ["old", "new", "", ""]),
        ("skip", (1, 9), ("new", "old"), ["old", "", "new", ""]),
        ("keep-newer", (1, 9), ("new", "old"), ["new", "", "", "old"]),
        ("keep-newer", (9, 1), ("new", "old"), ["old", "", "new", ""]),
        ("keep-larger", (1, 9), ("longer", "old"), ["longer", "", "", "old"]),
        ("keep-larger", (1, 9), ("new", "longer"), ["longer", "", "new", ""]),
        ("replace-to-trash", (1, 9), ("new", "old"), ["new", "", "", "old"]),
        ("replace-to-trash", (9, 1), ("new", "longer"), ["new", "", "", "longer"]),
    ];
    for (policy, (arriving_age, there_age), (arriving, there), [has, beside, stays, trashed]) in
        cases
    {
        let world = World::new();
        configure(
            &world,
            &format!(
                "conflict = \"{policy}\"\n[[rule]]\nname = \"x\"\nwhen = {{ ext = \"x\" }}\nmove = \"X/\"\n"
            ),
        );
        aged(&world, "Downloads/X/a.x", there.as_bytes(), there_age);
        aged(&world, "Downloads/a.x", arriving.as_bytes(), arriving_age);
        let before = world.snapshot();
        let daemon = world.start();
        world.wait();
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let found = [
            read(below(&world, "X/a.x")),
            read(below(&world, "X/a (2).x")),
            read(below(&world, "a.x")),
            read(trash(&world).join("files/a.x")),
        ];
        assert_eq!(found, [has, beside, stays, trashed], "{policy}");
        if stays.is_empty() {
            world.ctl(["rollback", "--last"]).ok();
        }
        let after = world.snapshot();
        assert_same(&before, &after);
        assert_eq!(daemon.stop(), 0);
    }
}
