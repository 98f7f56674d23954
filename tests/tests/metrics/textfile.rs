//! The file for node_exporter's textfile collector.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tidy_tests::files::Sample;
use tidy_tests::{World, eventually};

use super::exposition::Exposition;
use super::{configured, metrics};

/// The last line of a whole file.
const LAST: &str = "tidyd_process_start_time_seconds ";

fn is_whole(text: &str) -> bool {
    let last = text.lines().last().unwrap_or_default();
    text.starts_with("# Metrics of tidyd.\n") && text.ends_with('\n') && last.starts_with(LAST)
}

#[track_caller]
fn check(file: &Path) -> Exposition {
    let text = fs::read_to_string(file).unwrap();
    assert!(is_whole(&text), "{text}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o644);
    let told = Exposition::of_prometheus(&text);
    // Counters are declared with their ending, and nothing has a name that node_exporter has itself.
    assert_eq!(told.families["tidyd_filed_total"].kind, "counter");
    assert!(told.samples.iter().all(|s| s.name.starts_with("tidyd_")), "{text}");
    assert!(!text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
    told
}

#[test]
fn tidyctl_writes_it_once() {
    let world = World::new();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    let file = world.home().join("tidyd.prom");
    world.ctl_at(&["metrics", "--textfile"], &file).ok();
    let told = check(&file);
    assert_eq!(told.value("tidyd_filed_total", &[]), 1.0);
    assert_eq!(told.families.len(), metrics(&world).families.len());

    // What is not ours stays, whatever it is called.
    let mine = world.write("mine.prom", "my own\n");
    let run = world.ctl_at(&["metrics", "--textfile"], &mine);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("error: ") && run.stderr.contains("hint: "), "{run:?}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "my own\n");
    let nowhere = world.home().join("no/such/folder/tidyd.prom");
    assert_eq!(world.ctl_at(&["metrics", "--textfile"], &nowhere).code, 1);
    assert_eq!(daemon.stop(), 0);
    assert_eq!(world.ctl_at(&["metrics", "--textfile"], &file).code, 4, "nobody to ask");
    check(&file);
}

#[test]
fn a_reader_finds_a_whole_one_at_any_moment() {
    let world = World::new();
    let daemon = world.start();
    let file = world.home().join("tidyd.prom");
    world.ctl_at(&["metrics", "--textfile"], &file).ok();
    let done = AtomicBool::new(false);
    let looked = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looked = 0;
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&file).unwrap();
                assert!(is_whole(&text), "{text}");
                looked += 1;
            }
            looked
        });
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..15 {
                        world.ctl_at(&["metrics", "--textfile"], &file).ok();
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|w| w.join().unwrap());
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(looked > 0);
    let beside = fs::read_dir(world.home()).unwrap().flatten();
    let left: Vec<_> =
        beside.map(|e| e.file_name()).filter(|n| n.to_string_lossy().contains("tidyd-")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn tidyd_keeps_it_when_it_is_told_to() {
    let world = configured("[metrics]\ntextfile = \"~/Shared/tidyd.prom\"\nevery = \"10s\"");
    let file = world.home().join("Shared/tidyd.prom");
    fs::create_dir(file.parent().unwrap()).unwrap();
    let daemon = world.start();
    eventually("the file to be written", || file.exists().then_some(()));
    let first = check(&file);
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.wait();
    eventually("the file to be written again", || {
        let told = check(&file);
        (told.value("tidyd_filed_total", &[]) == 1.0).then_some(())
    });
    assert_eq!(first.value("tidyd_filed_total", &[]), 0.0);
    let log = daemon.output();
    assert!(!log.contains("metrics are not written"), "{log}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn where_it_cannot_be_the_configuration_is_refused() {
    for (file, why) in [
        ("~/Downloads/tidyd.prom", "a watched folder"),
        ("~/Downloads/deep/tidyd.prom", "a watched folder"),
        ("~/.local/share/Trash/tidyd.prom", "the trash"),
    ] {
        let world = configured(&format!("[metrics]\ntextfile = \"{file}\""));
        for run in [world.tidyd(&["--check"]), world.tidyd(&[])] {
            assert_eq!(run.code, 78, "{file}: {run:?}");
            assert!(run.stderr.contains(why) && run.stderr.contains("metrics.textfile"), "{run:?}");
        }
    }
    // A folder that is not there is told, and nothing else depends on it.
    let world = configured("[metrics]\ntextfile = \"~/none/tidyd.prom\"");
    let daemon = world.start();
    eventually("the log to say so", || {
        daemon.output().contains("metrics are not written").then_some(())
    });
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}
