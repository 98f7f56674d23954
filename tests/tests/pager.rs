//! Long answers on a terminal go through a pager, which may be left at any time; answers for programs do not.

use tidy_tests::{Binary, Daemon, Terminal, World, binary, eventually, works};

/// Far more than a screen, and than a pipe holds.
const FILES: usize = 1_500;

fn world() -> Option<(World, Daemon, Terminal)> {
    let world = World::new();
    let terminal = Terminal::open(&world, 80, 24)?;
    if !works(&["less", "--version"]) {
        return None;
    }
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\n\
         [[rule]]\nname = \"notes\"\nwhen = { ext = \"py\" }\nmove = \"Notes/\"\n",
    );
    for n in 0..FILES {
        let name = format!("Downloads/a rather long name of a note {n:04}.py");
        world.write(name, format!("print({n})\n"));
    }
    let daemon = world.start();
    world.wait();
    Some((world, daemon, terminal))
}

fn ctl(line: &str) -> String {
    format!("{} {line}; echo it-left-with-$?", binary(Binary::Tidyctl).display())
}

#[test]
fn a_long_list_is_paged_and_can_be_left_at_once() {
    let Some((world, daemon, terminal)) = world() else { return };
    let batch = world.log(&["--rule", "notes", "--limit", "1"])[0]["batch"].to_string();
    let show = format!("show batch:{batch} --limit 2000");
    terminal.run(&ctl("report"));
    let first = terminal.shows("Days, newest first");
    assert!(!first.contains("it-left-with"), "report: it waits for keys: {first}");
    terminal.press("q");
    terminal.shows("it-left-with-0");
    for line in ["files --sort name --limit 2000", "log --limit 2000", &show] {
        terminal.run("clear");
        // What was left there says the same.
        eventually("an empty screen", || (!terminal.screen().contains("note ")).then_some(()));
        terminal.run(&ctl(line));
        let first = terminal.shows("note ");
        assert!(!first.contains("it-left-with"), "{line}: it waits for keys");
        terminal.press("Space");
        eventually("the next page", || (terminal.screen() != first).then_some(()));
        terminal.press("q");
        let screen = terminal.shows("it-left-with-0");
        for word in ["error", "roken pipe", "panicked"] {
            assert!(!screen.contains(word), "{line}: {word}: {screen}");
        }
    }
    assert_eq!(daemon.stop(), 0);
}

/// As the daemon gives them out: in pages.
#[test]
fn a_batch_is_shown_whole_or_as_far_as_is_asked() {
    let Some((world, daemon, _terminal)) = world() else { return };
    let filed = world.log(&["--rule", "notes"]);
    let largest = filed
        .iter()
        .map(|op| op["batch"].as_u64().unwrap())
        .max_by_key(|b| filed.iter().filter(|op| op["batch"].as_u64() == Some(*b)).count());
    let target = format!("batch:{}", largest.unwrap());
    let of_batch = filed.iter().filter(|op| op["batch"].as_u64() == largest).count();
    assert!(of_batch > 500, "more than a page: {of_batch}");
    let ids = |arguments: &[&str]| -> Vec<u64> {
        let shown = world.ctl_json([&["show", &target], arguments].concat());
        shown["operations"].as_array().unwrap().iter().map(|o| o["id"].as_u64().unwrap()).collect()
    };
    let all = ids(&[]);
    assert!(all.len() >= of_batch && all.is_sorted());
    assert_eq!(ids(&["--limit", "7"]), all[..7]);
    assert_eq!(ids(&["--limit", "501"]), all[..501]);
    let run = world.ctl(["show", &target, "--limit", "3"]);
    assert!(run.code == 0 && run.stderr.contains("put it back with"), "{run:?}");
    let run = world.ctl(["show", "batch:99999", "--json"]);
    assert_eq!((run.code, &*run.stdout), (1, ""), "{run:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn programs_and_short_answers_are_not_paged() {
    let Some((_world, daemon, terminal)) = world() else { return };
    terminal.run(&ctl("files --json"));
    terminal.shows("it-left-with-0");
    terminal.run("clear");
    terminal.run(&ctl("files --limit 3"));
    let screen = terminal.shows("it-left-with-0");
    assert!(screen.contains("note"), "{screen}");
    // Who reads the beginning only has seen enough.
    terminal.run("clear");
    terminal.run(&format!("{} files --limit 2000 | head -n 2", binary(Binary::Tidyctl).display()));
    let screen = eventually("two lines", || {
        Some(terminal.screen()).filter(|s| s.contains("CATEGORY") && s.contains("note"))
    });
    assert!(!screen.contains("error"), "{screen}");
    assert_eq!(daemon.stop(), 0);
}
