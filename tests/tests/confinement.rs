//! What tidyd cannot reach, whoever asks it to: folders outside of the configuration (Landlock), what symlinks point at,
//! folders that others may change under its hands.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tidy_tests::files::Sample;
use tidy_tests::{World, eventually};

/// The sentence of `tidyctl status`; `None`, with a word on stderr, where the kernel confines nothing.
fn confinement(world: &World) -> Option<String> {
    let status = world.ctl_json(["status"]);
    let said = status["confinement"].as_str().expect("a sentence").to_owned();
    if said.contains("kernel") {
        eprintln!("skipped, because tidyd is {said}");
        return None;
    }
    Some(said)
}

fn confined_to(world: &World) -> Vec<PathBuf> {
    let status = world.ctl_json(["status"]);
    let folders = status["confined_to"].as_array().expect("a list").clone();
    folders.iter().map(|f| f.as_str().expect("UTF-8").into()).collect()
}

const FAST: &str = "settle = \"100ms\"\n";

#[test]
fn status_and_the_log_say_what_it_is_confined_to_and_filing_and_rollback_work() {
    let world = World::new();
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\n{FAST}[[rule]]\nname = \"photos\"\nwhen = {{ ext = \"jpg\" }}\nmove = \"~/Pictures/\"\n\
         [[rule]]\nname = \"old\"\nwhen = {{ ext = \"bak\" }}\ntrash = true\n"
    ));
    fs::create_dir(world.home().join("Pictures")).unwrap();
    let daemon = world.start();
    let Some(said) = confinement(&world) else { return };
    assert!(said.starts_with("confined to 3 folders (Landlock ABI "), "{said}");
    assert!(daemon.output().contains(&said));
    assert!(world.ctl(["status"]).ok().contains(&said));
    let home = world.home().canonicalize().unwrap();
    let expected = [".local/share/Trash", "Downloads", "Pictures"].map(|d| home.join(d));
    assert_eq!(confined_to(&world), expected);

    let before = world.snapshot();
    world.write("Downloads/a.jpg", Sample::Jpeg.content(1));
    world.write("Downloads/b.bak", "old");
    world.write("Downloads/deep/c.pdf", Sample::Pdf.content(2));
    world.write("Downloads/d.pdf", Sample::Pdf.content(2));
    let arrived = world.snapshot();
    world.wait();
    assert!(world.home().join("Pictures/a.jpg").exists());
    assert!(world.home().join(".local/share/Trash/files/b.bak").exists());
    assert_eq!(world.log(&["--state", "failed"]), Vec::<serde_json::Value>::new());
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    assert_eq!(arrived.lost_by(&world.snapshot()), Vec::<PathBuf>::new());
    assert!(world.downloads().join("b.bak").exists(), "out of the trash again");
    assert!(!before.diff(&world.snapshot()).is_empty());
    assert_eq!(daemon.stop(), 0);
}
