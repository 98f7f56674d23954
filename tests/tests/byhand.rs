//! Files that a person moves within a watched folder stay where they are put.
#![expect(clippy::disallowed_methods, reason = "moves scratch files of its own, as a person does")]

use std::fs;
use std::path::PathBuf;

use tidy_tests::files::Sample;
use tidy_tests::{Daemon, World};

// Settling takes longer than it takes to see that the file is gone from where it was.
const CONFIG: &str = r#"
watch = ["~/Downloads"]
settle = "1500ms"

[[rule]]
name = "inbox"
when = { path = "inbox/**" }
move = "~/Done/"
"#;

fn filed(world: &World) -> PathBuf {
    world.downloads().join("Documents/a.pdf")
}

/// Moves the filed document by hand into a folder inside the watched one.
fn moved(world: &World, to: &str) -> PathBuf {
    let to = world.downloads().join(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(filed(world), &to).unwrap();
    world.wait();
    to
}

/// Everything is looked at again, and so it is by the next process.
fn looked_at_and_restarted(world: &World, daemon: Daemon) -> Daemon {
    world.ctl(["rescan"]).ok();
    world.wait();
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    world.wait();
    daemon
}

#[test]
fn a_file_that_was_put_somewhere_by_hand_stays_until_it_changes_or_is_asked_for() {
    let world = World::new();
    world.configure(CONFIG);
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    let there = moved(&world, "Projects/x/a.pdf");
    assert!(there.exists() && !filed(&world).exists());
    let explained = world.ctl_at(&["explain"], &there).ok();
    assert!(explained.contains("it was put there by hand"), "{explained}");

    // Neither a look at everything nor a restart changes that.
    let daemon = looked_at_and_restarted(&world, daemon);
    assert!(there.exists());

    // Who asks for it gets it filed, and a changed file is another one.
    world.ctl_at(&["organize"], &there).ok();
    assert!(filed(&world).exists());
    let there = moved(&world, "Projects/y/a.pdf");
    assert!(there.exists());
    fs::write(&there, Sample::Pdf.content(2)).unwrap();
    world.wait();
    assert!(filed(&world).exists());
    assert_eq!(daemon.stop(), 0);
}

/// It lies where it was before anything was done: as after a rollback.
#[test]
fn a_file_that_is_put_back_by_hand_to_where_it_was_taken_from_stays() {
    let world = World::new();
    // Where it goes nobody looks, so that the journal alone tells of it.
    world.configure(
        r#"
watch = ["~/Downloads"]
settle = "100ms"

[[rule]]
name = "papers"
when = { ext = "pdf" }
move = "~/Papers/"

[[rule]]
name = "old"
when = { ext = "old" }
trash = true
"#,
    );
    let papers = world.home().join("Papers");
    let here = world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    fs::rename(papers.join("a.pdf"), &here).unwrap();
    world.wait();
    assert!(here.exists() && !papers.join("a.pdf").exists());
    let explained = world.ctl_at(&["explain"], &here).ok();
    assert!(explained.contains("it was put there by hand"), "{explained}");

    // Nor after a look at everything, a restart, or a change of the rules; and another file of that name in between is
    // another file.
    let daemon = looked_at_and_restarted(&world, daemon);
    assert!(here.exists());
    let aside = world.home().join("aside.pdf");
    fs::rename(&here, &aside).unwrap();
    world.write("Downloads/a.pdf", Sample::Pdf.content(2));
    world.wait();
    assert!(!here.exists() && papers.join("a.pdf").exists(), "the other one was filed");
    fs::rename(&aside, &here).unwrap();
    world.wait();
    assert!(here.exists());
    let config = fs::read_to_string(world.config_file()).unwrap();
    world.configure(&config.replace("~/Papers/", "~/Papers/{ext}/"));
    world.ctl(["reload"]).ok();
    world.wait();
    assert!(here.exists());

    // Who asks for it gets it filed, and a changed file is another one.
    world.ctl_at(&["organize"], &here).ok();
    assert!(!here.exists() && papers.join("pdf/a.pdf").exists());
    fs::rename(papers.join("pdf/a.pdf"), &here).unwrap();
    world.wait();
    assert!(here.exists());
    fs::write(&here, Sample::Pdf.content(3)).unwrap();
    world.wait();
    assert!(!here.exists());

    // The same from the trash.
    let old = world.write("Downloads/b.old", "old");
    world.wait();
    let trash = world.home().join(".local/share/Trash/files/b.old");
    assert!(trash.exists() && !old.exists());
    fs::rename(&trash, &old).unwrap();
    world.wait();
    assert!(old.exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_rule_that_asks_for_the_place_takes_what_is_put_there() {
    let world = World::new();
    world.configure(CONFIG);
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    moved(&world, "inbox/a.pdf");
    assert!(world.home().join("Done/a.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}
