//! `tidyctl top` on a real terminal (that of tmux): what it shows, what its keys do, and that the terminal is as it was
//! afterwards, however it ends.

use std::process::Command;

use tidy_tests::files::Sample;
use tidy_tests::{Binary, Daemon, Run, Terminal, World, binary, eventually};

fn top() -> String {
    format!("{} top", binary(Binary::Tidyctl).display())
}

/// Reading is slowed down, so that there is something to be seen.
#[test]
fn it_shows_what_is_being_hashed_and_how_far_that_is() {
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\nlimits = { read = \"1 MB/s\" }\n",
    );
    let daemon = world.start();
    let sizes = [("80", "24"), ("200", "50")];
    let Some(terminal) = Terminal::open(&world, 80, 24) else { return };
    terminal.run(&top());
    terminal.shows("FLOW");
    for name in ["one.bin", "two.bin"] {
        world.write(format!("Downloads/{name}"), vec![7; 12_000_000]);
    }
    for (columns, rows) in sizes {
        terminal.tmux(&["resize-window", "-x", columns, "-y", rows]);
        let screen = terminal.shows("hashing");
        let line = screen.lines().find(|l| l.starts_with("hashing")).unwrap();
        assert!(line.contains(".bin") && line.contains("% of  12.0 MB"), "{line}");
    }
    let reading = world.ctl_json(["status"])["reading"].clone();
    assert_eq!(reading[0]["purpose"], "hashing", "{reading:#}");
    terminal.press("q");
    terminal.is_as_before("FLOW");
    daemon.kill();
}

fn world() -> (World, Daemon) {
    let world = World::new();
    world.write("Downloads/first.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    (world, daemon)
}

#[test]
fn it_shows_what_happens_and_puts_back_what_it_is_asked_to() {
    let (world, daemon) = world();
    let Some(terminal) = Terminal::open(&world, 80, 24) else { return };
    terminal.run(&top());
    let screen = terminal.shows("first.pdf");
    for part in ["tidyd 0.", "running", "FOLDERS", "watching", "FLOW", "DONE", "p pause"] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    let filed = world.downloads().join("Documents/second.pdf");
    let file = world.write("Downloads/second.pdf", Sample::Pdf.content(2));
    terminal.shows("second.pdf");
    assert!(filed.exists());

    terminal.press("e");
    terminal.shows("any other key: back");
    terminal.press("x");
    terminal.press("u");
    terminal.shows("? [y/N]");
    terminal.press("n");
    terminal.shows("nothing was done");
    assert!(filed.exists());
    terminal.press("u");
    terminal.shows("? [y/N]");
    terminal.press("y");
    terminal.shows("put back; take it back with");
    assert!(file.exists() && !filed.exists());

    terminal.press("p");
    terminal.shows("paused");
    assert_eq!(world.ctl_json(["status"])["state"], "paused");
    terminal.press("r");
    eventually("it to go on", || (world.ctl_json(["status"])["state"] == "running").then_some(()));
    terminal.press("?");
    terminal.shows("any other key: back");
    terminal.press("q");
    terminal.shows("FLOW");
    terminal.press("q");
    terminal.is_as_before("FLOW");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn it_follows_the_size_of_the_terminal_and_the_daemon() {
    let (world, daemon) = world();
    let Some(terminal) = Terminal::open(&world, 80, 24) else { return };
    terminal.run(&format!("NO_COLOR=1 {}", top()));
    terminal.shows("first.pdf");
    let coloured = terminal.tmux(&["capture-pane", "-p", "-e"]);
    let colour =
        |c: &u8| ["[3", ";3", "[9", ";9"].iter().any(|by| coloured.contains(&format!("{by}{c}m")));
    assert!(!(0..8).any(|c| colour(&c)), "{coloured:?}");
    for (columns, rows) in [("40", "10"), ("20", "5"), ("8", "3"), ("120", "40")] {
        terminal.tmux(&["resize-window", "-x", columns, "-y", rows]);
        terminal.shows("tidyd");
    }
    terminal.shows("FLOW");
    // The daemon goes, and another comes.
    daemon.kill();
    terminal.shows("waiting for it");
    let daemon = world.start();
    terminal.shows("running");
    terminal.press("C-c");
    terminal.is_as_before("FLOW");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_terminal_is_given_back_to_whoever_ends_it() {
    let (world, daemon) = world();
    let Some(terminal) = Terminal::open(&world, 80, 24) else { return };
    for signal in ["TERM", "HUP", "INT"] {
        let pid = world.home().join("pid");
        terminal.run(&format!("sh -c 'echo $$ >{}; exec {}'", pid.display(), top()));
        terminal.shows("FLOW");
        let pid = std::fs::read_to_string(pid).expect("the shell wrote it");
        Run::of(Command::new("kill").args(["-s", signal, pid.trim()])).ok();
        terminal.is_as_before("FLOW");
        terminal.run("clear");
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn where_there_is_no_terminal_it_says_so() {
    let (world, daemon) = world();
    let run = world.ctl(["top"]);
    assert_eq!((run.code, &*run.stdout), (2, ""), "{run:?}");
    assert!(
        run.stderr.contains("needs a terminal") && run.stderr.contains("tidyctl events"),
        "{run:?}"
    );
    let run = world.ctl(["top", "--json"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(daemon.stop(), 0);
}
