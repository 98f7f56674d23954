//! The documents held against the programs: every command in them is run, every configuration read, every key known.
//!
//! - `sh` blocks: each line is run, and ends with 0, or with what `# … exit code N` behind it says.
//! - `console` blocks: what follows `$ ` is run, and says what stands below it. `…` stands for any text, on a line of its own for
//!   any lines; numbers and blanks may differ.
//! - `toml` blocks: `tidyctl config check` finds nothing wrong. One without `watch` is given one.
//! - `text` blocks are only looked at.
//!
//! Each block has a home of its own (`ground.rs`). What cannot be run is listed below, with the reason.
#![cfg(target_os = "linux")]

mod blocks;
mod ground;
mod keys;
mod said;
mod session;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use blocks::{Block, Command};
use tidy_tests::{Binary, Run, World, assert_same, binary};

/// Commands that no test runs: how they begin, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo test", "this is such a run"),
    ("cargo build", "builds for minutes"),
    ("cargo install", "builds for minutes, into the person's own directory"),
    ("target/release/bench", "measures for minutes"),
    ("bench ", "measures for minutes"),
    ("tests/measure/kinds.py", "measures, with files that are not part of the project"),
    ("tests/measure/once.py", "likewise"),
    ("systemctl", "a scratch home has no service manager"),
    ("sudo systemctl", "likewise"),
    ("tidyctl service", "likewise; `installed` runs them with one"),
    ("echo fs.inotify", "changes the machine"),
    ("podman ", "a test has no container engine"),
    ("sudo apt", "changes the machine"),
];

/// One way to write it, and another one that does the same in a test.
const INSTEAD: &[(&str, &str)] = &[
    // The programs are built already.
    ("cargo run --release --bin tidyd --", "tidyd"),
    ("cargo run --release --bin tidyctl --", "tidyctl"),
    // Past on every clock.
    ("--to 14:00", "--to 00:00"),
    ("2026-11-20 14:00", "2020-01-01 00:00"),
    // Those that there are.
    ("rollback batch:11", "rollback batch:1"),
    ("redo batch:12", "redo batch:1"),
    ("rollback 42", "rollback 1"),
    // Nobody is there to be asked.
    ("resolve trash --under", "resolve trash --yes --under"),
    ("resolve hardlink", "resolve hardlink --yes"),
    ("resolve folder", "resolve folder --yes"),
];

/// Folders that a test does not have, and one that it has instead.
const FOLDERS: &[(&str, &str)] = &[("\"/srv/scans\"", "\"~/Scans\"")];

/// What looks like a command within a sentence and is none.
const NO_COMMAND: &[&str] = &["tidyd is not running"];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All that a person may read, by its name in the project.
fn documents() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned(), "bench/README.md".to_owned()];
    let docs = std::fs::read_dir(project().join("docs")).expect("the project has documents");
    let docs = docs.map(|entry| entry.expect("readable").file_name().into_string().expect("text"));
    names.extend(docs.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")));
    names.sort();
    let read = |name: String| {
        let content = text(&name);
        (name, content)
    };
    names.into_iter().map(read).collect()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(project().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Why nobody runs `command`, if that is so.
fn not_run(command: &Command) -> Option<&'static str> {
    NOT_RUN.iter().find(|(start, _)| command.text.starts_with(start)).map(|(start, _)| *start)
}

/// Runs the commands of a document, and tells of all that are not as it says.
#[track_caller]
fn run(name: &str) {
    let wrong: Vec<String> = blocks::of(&text(name))
        .iter()
        .filter_map(|block| session::run(block).err().map(|e| format!("{name}:{e}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_commands_of_the_readme() {
    run("README.md");
}

#[test]
fn the_commands_of_the_guide() {
    run("docs/guide.md");
}

#[test]
fn the_commands_of_the_other_documents() {
    for (name, _) in documents() {
        if !["README.md", "docs/guide.md"].contains(&name.as_str()) {
            run(&name);
        }
    }
}

#[test]
fn the_two_commands_at_the_top_leave_everything_as_it_was() {
    let readme = text("README.md");
    let first = blocks::of(&readme).into_iter().next().expect("the readme begins with commands");
    let world = ground::world();
    let before = world.snapshot();
    let mut filed = false;
    session::in_world(&first, &world, |world| {
        filed |= before.diff(&world.snapshot()).len() > 5;
    })
    .unwrap_or_else(|e| panic!("README.md:{e}"));
    assert!(filed, "the first one puts the folder in order");
    assert_same(&before, &world.snapshot());
}

#[test]
fn every_configuration_is_read_and_passes_its_tests() {
    let world = ground::world();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in documents() {
        for block in blocks::of(&text).iter().filter(|b| b.language == "toml") {
            count += 1;
            for whole in alternatives(&block.text).iter().map(|part| configuration(part)) {
                let replaced =
                    FOLDERS.iter().fold(whole.clone(), |text, (a, b)| text.replace(a, b));
                let file = world.write("block.toml", replaced);
                let run = world.ctl_at(&["config", "check"], &file);
                if run.code != 0 {
                    wrong.push(format!("{name}:{}: {}\n{whole}", block.line, run.stderr));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 30, "{count} blocks: they are no longer found");
}

/// One way to write a key below another way: each line is an example of its own.
fn alternatives(block: &str) -> Vec<String> {
    let lines: Vec<&str> = block.lines().filter(|line| !line.is_empty()).collect();
    let keys: Option<Vec<&str>> =
        lines.iter().map(|line| line.split_once('=').map(|(key, _)| key.trim())).collect();
    let different: Option<BTreeSet<&str>> = keys.map(|keys| keys.into_iter().collect());
    match different {
        Some(keys) if keys.len() < lines.len() => lines.into_iter().map(str::to_owned).collect(),
        _ => vec![block.to_owned()],
    }
}

/// A whole configuration with a part of one in it.
fn configuration(part: &str) -> String {
    if part.starts_with("move") || part.starts_with("rename") {
        return format!("watch = [\"~/Downloads\"]\n[[rule]]\nname = \"a\"\nwhen = {{}}\n{part}\n");
    }
    if part.lines().any(|line| line.starts_with("watch ")) {
        return part.to_owned();
    }
    format!("watch = [\"~/Downloads\"]\n{part}")
}

#[test]
fn what_is_not_run_is_there() {
    let commands: Vec<Command> = documents()
        .iter()
        .flat_map(|(_, text)| blocks::of(text))
        .flat_map(|block| block.commands())
        .collect();
    for (start, reason) in NOT_RUN {
        let used = commands.iter().any(|c| not_run(c) == Some(start));
        assert!(used, "`{start}` ({reason}) is in no document any more");
    }
    for (written, _) in INSTEAD {
        let used = commands.iter().any(|c| c.text.contains(written));
        assert!(used, "`{written}` is in no document any more");
    }
}

/// Such a command would not be run.
#[test]
fn no_command_stands_outside_of_a_block_with_a_language() {
    let known = ["console", "sh", "text", "toml", "yaml"];
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        for line in blocks::indented(&text) {
            let word = line.text.split_whitespace().next().unwrap_or_default();
            let drawing = line.text.contains('─');
            if !drawing && ["$", "tidyd", "tidyctl", "cargo", "sudo", "watch"].contains(&word) {
                wrong.push(format!("{name}:{}: {}", line.number, line.text));
            }
        }
        for block in blocks::of(&text).iter().filter(|b| !known.contains(&b.language.as_str())) {
            wrong.push(format!("{name}:{}: a block of `{}`", block.line, block.language));
        }
    }
    assert!(wrong.is_empty(), "put it into a block of {known:?}:\n{}", wrong.join("\n"));
}

/// `tidyctl log --since 1h` within a sentence: the programs know such a verb and such options.
#[test]
fn commands_in_sentences_are_understood() {
    let world = World::new();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        for span in blocks::spans(&text) {
            let mut words = span.split_whitespace();
            let program = match words.next() {
                Some("tidyctl") => Binary::Tidyctl,
                Some("tidyd") => Binary::Tidyd,
                _ => continue,
            };
            let words: Vec<&str> = words.take_while(|word| !["|", "&&"].contains(word)).collect();
            if NO_COMMAND.contains(&span.as_str()) || !seen.insert(span.clone()) {
                continue;
            }
            let mut command = world.command(binary(program));
            let run = Run::of(command.args(&words).arg("--help"));
            if run.code != 0 {
                wrong.push(format!("{name}: `{span}`: {}", run.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen.len() >= 40, "{} of them: they are no longer found", seen.len());
}

#[test]
fn a_block_knows_its_commands() {
    let text = "text\n\n```sh\n# only said\na \\\n  b   # exit code 3\n\nc\n```\n1. x\n\n   ```console\n   $ d\n   e\n\n   $ f\n   ```\n";
    let blocks: Vec<Block> = blocks::of(text);
    let commands = |n: usize| -> Vec<(usize, String, i32, Vec<String>)> {
        let all = blocks[n].commands().into_iter();
        all.map(|c| (c.line, c.text, c.code, c.says.unwrap_or_default())).collect()
    };
    assert_eq!(
        commands(0),
        [(5, "a   b   # exit code 3".to_owned(), 3, vec![]), (8, "c".to_owned(), 0, vec![])]
    );
    let says = vec!["e".to_owned()];
    assert_eq!(commands(1), [(13, "d".to_owned(), 0, says), (16, "f".to_owned(), 0, vec![])]);
}
