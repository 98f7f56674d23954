//! The first minutes: `tidyctl init` on a pipe and on a terminal.
#![expect(clippy::disallowed_methods, reason = "removes the configuration of its own scratch home")]

use std::fs;

use tidy_tests::files::Sample;
use tidy_tests::{Binary, Terminal, World, assert_same, binary, path};

/// A home with files and without a configuration.
fn fresh() -> World {
    let world = World::new();
    fs::remove_file(world.config_file()).unwrap();
    for n in 0..7 {
        world.write(format!("Downloads/{n}.pdf"), Sample::Pdf.content(n));
    }
    world.write("Downloads/a.png", Sample::Png.content(1));
    world.write("Downloads/unknown", b"\x00\x01\xff");
    world
}

#[test]
fn on_a_pipe_it_asks_nothing_and_shows_what_would_be_done() {
    let world = fresh();
    let before = world.snapshot();
    let run = world.ctl(["init"]);
    assert_eq!(run.code, 0, "{run:?}");
    for part in [
        "8 files would be filed; 1 other would stay",
        "7  into",
        "All of them",
        "tidyctl service install",
    ] {
        assert!(run.stdout.contains(part), "{part} in {}", run.stdout);
    }
    assert_same(&before, &world.snapshot());
    assert!(!world.home().join(".config/systemd").exists(), "nobody asked for a service");
    // What it wrote is what tidyd takes.
    world.tidyd(&["--check"]).ok();
    let text = fs::read_to_string(world.config_file()).unwrap();
    let again = world.ctl(["init", "--yes"]);
    assert!(again.code == 1 && again.stderr.contains("never overwritten"), "{again:?}");
    assert_eq!(fs::read_to_string(world.config_file()).unwrap(), text);
}

#[test]
fn programs_get_numbers_and_folders_of_their_choice() {
    let world = fresh();
    world.write("Scans/scan.pdf", Sample::Pdf.content(9));
    let made = world.ctl_json(["init", "--watch", "~/Scans", "--watch", "Downloads"]);
    assert_eq!(path(&made["written"]), world.config_file());
    assert_eq!(path(&made["watch"][0]), world.home().join("Scans"));
    assert_eq!(path(&made["watch"][1]), world.downloads());
    let seen = &made["preview"];
    assert_eq!((&seen["files"], &seen["left"]), (&9.into(), &1.into()), "{seen}");
    assert_eq!(path(&seen["folders"][0]["folder"]), world.downloads().join("Documents"));
    assert_eq!(seen["folders"][0]["files"], 7);
    assert_eq!(seen["first"].as_array().map(Vec::len), Some(5));
    assert!(made["service"].is_null());
}

#[test]
fn what_cannot_be_had_is_said_and_the_configuration_stands() {
    let world = fresh();
    // There is no service manager in here.
    let run = world.ctl(["init", "--yes", "--no-preview"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("note: ") && !run.stdout.contains("would be filed"), "{run:?}");
    assert!(world.config_file().exists());

    fs::remove_file(world.config_file()).unwrap();
    world.ctl(["init", "--yes", "--no-start"]).ok();
    // Another one has the state directory.
    let daemon = world.start();
    fs::remove_file(world.config_file()).unwrap();
    let run = world.ctl(["init"]);
    assert!(run.code == 0 && run.stderr.contains("no preview"), "{run:?}");
    assert!(world.config_file().exists());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn on_a_terminal_it_asks_little_and_no_answer_is_a_no() {
    let world = fresh();
    fs::create_dir(world.home().join("Desktop")).unwrap();
    let Some(terminal) = Terminal::open(&world, 100, 50) else { return };
    let before = world.snapshot();
    terminal.run(&format!("clear; {} init", binary(Binary::Tidyctl).display()));
    terminal.shows("~/Desktop, too? [y/N]");
    terminal.press("y");
    terminal.press("Enter");
    // The service manager is asked first, and there is none: nothing more can be offered.
    terminal.shows("8 files would be filed");
    terminal.shows("tidyctl service install");
    let text = fs::read_to_string(world.config_file()).unwrap();
    assert!(text.contains("watch = [\"~/Downloads\", \"~/Desktop\"]"), "{text}");

    fs::remove_file(world.config_file()).unwrap();
    terminal.run(&format!("clear; {} init", binary(Binary::Tidyctl).display()));
    terminal.shows("~/Desktop, too? [y/N]");
    terminal.press("C-d");
    terminal.shows("8 files would be filed");
    terminal.shows("Next:");
    let text = fs::read_to_string(world.config_file()).unwrap();
    assert!(text.contains("watch = [\"~/Downloads\"]"), "{text}");
    assert_same(&before, &world.snapshot());
}
