//! Every verb of `tidyctl`, as its own help lists them, held against what each must have: help with examples, a manual page,
//! completion, a described `--json`, and a try against a real daemon. A verb that is added without one of them fails here.

#![expect(clippy::disallowed_methods, reason = "makes a stand-in for a program of the system")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use tidy_tests::files::Sample;
use tidy_tests::{Run, World};

/// How a verb is tried.
enum Tried {
    /// Here, for people and for programs, with `FILE` for a file that was filed.
    Running(&'static [&'static str]),
    /// The same when the daemon has stopped.
    Stopped(&'static [&'static str]),
    /// Here, and it prints text that is a file of its own.
    Text(&'static [&'static str]),
    /// By another test, which has these words: it needs a terminal, a service manager, or does not end.
    In(&'static str, &'static str),
}

use Tried::{In, Running, Stopped, Text};

const VERBS: &[(&str, Tried)] = &[
    ("init", In("init.rs", "\"init\"")),
    ("status", Running(&[])),
    ("log", Running(&["--all"])),
    ("show", Running(&["batch:1"])),
    ("explain", Running(&["FILE"])),
    ("organize", Running(&[])),
    ("rollback", Running(&["--last", "--dry-run"])),
    ("redo", Running(&["--dry-run"])),
    ("files", Running(&["*.pdf"])),
    ("file", Running(&["FILE"])),
    ("duplicates", Running(&[])),
    ("resolve", Running(&["trash", "--dry-run"])),
    ("categories", Running(&[])),
    ("rules", Running(&[])),
    ("suggest", Running(&[])),
    ("report", Running(&["--since", "7d"])),
    ("events", In("ctl.rs", "\"events\", \"--json\"")),
    ("top", In("top.rs", " top\"")),
    ("pause", Running(&[])),
    ("resume", Running(&[])),
    ("reload", Running(&[])),
    ("rescan", Running(&[])),
    ("wait", Running(&[])),
    ("jobs", Running(&[])),
    ("cancel", In("jobs.rs", "\"cancel\"")),
    ("health", Running(&[])),
    ("metrics", Running(&[])),
    ("errors", Running(&[])),
    ("doctor", In("doctor.rs", "\"doctor\"")),
    ("store backup", Running(&[])),
    ("store list", Running(&[])),
    ("store verify", Running(&[])),
    ("store compact", Stopped(&[])),
    ("store rebuild", Stopped(&[])),
    ("store export", Text(&[])),
    ("store restore", Stopped(&[])),
    ("service install", In("installed.rs", "\"install\"")),
    ("service uninstall", In("installed.rs", "\"uninstall\"")),
    ("service status", Running(&[])),
    ("service logs", In("verbs.rs", "[\"service\", \"logs\"")),
    ("config check", Running(&[])),
    ("config show", Running(&[])),
    ("config path", Running(&[])),
    ("completions", Text(&["bash"])),
    ("man", Text(&[])),
];

/// What prints for people alone, or text that is a file of its own.
const WITHOUT_JSON: [&str; 3] = ["top", "completions", "man"];

/// A verb with the words of its help.
struct Verb {
    help: String,
    /// Of the verb that lists it: its examples are for all of them.
    above: String,
}

/// All verbs that do something, with both words where they are below others.
fn verbs(world: &World) -> BTreeMap<String, Verb> {
    let mut all = BTreeMap::new();
    below(world, "", "", &mut all);
    all
}

fn below(world: &World, name: &str, above: &str, all: &mut BTreeMap<String, Verb>) {
    let help = world.ctl(name.split_whitespace().chain(["--help"])).ok();
    let listed = help.split_once("\nCommands:\n").map(|(_, rest)| rest.split("\n\n").next());
    let Some(listed) = listed else {
        all.insert(name.to_owned(), Verb { help, above: above.to_owned() });
        return;
    };
    let words = listed.unwrap_or_default().lines().filter_map(|line| {
        let line = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
        line.split_whitespace().next()
    });
    for word in words.filter(|word| *word != "help") {
        below(world, format!("{name} {word}").trim_start(), &help, all);
    }
}

/// The long options in a help text.
fn options(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', ',', '=', '[', ')']));
    words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
}

/// What a shell is offered behind these words.
fn offered(world: &World, shell: &str, words: &[&str]) -> BTreeSet<String> {
    let mut command = world.installed("tidyctl");
    command.env("TIDYCTL_COMPLETE", shell).env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let said = Run::of(command.args(["--", "tidyctl"]).args(words)).ok();
    // zsh is told what each does behind a colon, fish behind a tab.
    said.lines().map(|line| line.split(['\t', ':']).next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn every_verb_has_what_people_and_programs_look_for() {
    let world = World::new();
    let all = verbs(&world);
    let known: BTreeSet<&str> = VERBS.iter().map(|(verb, _)| *verb).collect();
    let listed: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(listed, known, "the table of this test lacks a verb, or has one that is gone");

    let pages = world.home().join("man");
    world.write("man/.keep", "");
    world.ctl_at(&["man"], &pages).ok();
    let described = include_str!("../../docs/json.md");
    let rows = described.lines().filter(|line| line.starts_with("| `"));
    let described: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    let mut missing = Vec::new();
    let mut must = |is: bool, verb: &str, what: String| {
        if !is {
            missing.push(format!("{verb}: {what}"));
        }
    };
    for (verb, Verb { help, above }) in &all {
        let example = format!("tidyctl {verb}");
        let examples = [help, above].map(|text| text.split_once("\nExamples:\n"));
        let has = examples.iter().flatten().any(|(_, examples)| examples.contains(&example));
        must(has, verb, "an example in its help".into());
        must(help.contains(&format!("Usage: {example}")), verb, "its usage".into());
        let short = world.ctl(verb.split(' ').chain(["-h"])).ok();
        must(short.lines().next().is_some_and(|l| !l.is_empty()), verb, "a line of help".into());

        let page = pages.join(format!("tidyctl-{}.1", verb.replace(' ', "-")));
        let page = fs::read_to_string(page).unwrap_or_default().replace("\\-", "-");
        let above = pages.join(format!("tidyctl-{}.1", verb.split(' ').next().unwrap_or(verb)));
        let above = fs::read_to_string(above).unwrap_or_default().replace("\\-", "-");
        let of = [&page, &above].into_iter().any(|page| {
            page.split_once(".SH EXAMPLES").is_some_and(|(_, text)| text.contains(&example))
        });
        must(of, verb, "an example in its manual page".into());
        for option in options(help) {
            must(page.contains(&option), verb, format!("{option} in its manual page"));
        }

        let words: Vec<&str> = verb.split(' ').collect();
        let (last, before) = words.split_last().expect("a word");
        for shell in ["bash", "zsh", "fish"] {
            let verbs = offered(&world, shell, &[before, &[&last[..last.len() - 1]]].concat());
            must(verbs.contains(*last), verb, format!("completion of its name in {shell}"));
            let there = offered(&world, shell, &[&words[..], &["--"]].concat());
            for option in options(help) {
                must(there.contains(&option), verb, format!("completion of {option} in {shell}"));
            }
        }
        let json = WITHOUT_JSON.contains(&verb.as_str()) || described.contains(&verb.as_str());
        must(json, verb, "a row in docs/json.md".into());
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_verb_is_tried_against_a_real_daemon() {
    let world = World::new();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.write("Downloads/copy of a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    let file = world.downloads().join("Documents/a.pdf");
    let mut wrong = Vec::new();
    let mut run = |verb: &str, arguments: &[&str], forms: &[&str]| {
        for form in forms {
            let words = verb.split(' ').chain(arguments.iter().copied()).map(|word| match word {
                "FILE" => file.clone(),
                word => PathBuf::from(word),
            });
            let json = (*form == "json").then(|| PathBuf::from("--json"));
            let run = world.ctl(words.chain(json));
            // Of a service that was not installed its status is that nothing runs.
            let fine = run.code == 0 || verb == "service status" && run.code == 4;
            let says = !(run.stdout.trim().is_empty() && run.stderr.trim().is_empty());
            let parses =
                *form != "json" || serde_json::from_str::<serde_json::Value>(&run.stdout).is_ok();
            if !fine || !says || !parses || run.stderr.contains("panicked") {
                wrong.push(format!("{verb} for {form}: {run:?}"));
            }
        }
    };
    for (verb, tried) in VERBS {
        match tried {
            Running(arguments) => run(verb, arguments, &["people", "json"]),
            Text(arguments) => run(verb, arguments, &["people"]),
            Stopped(_) => {}
            In(file, words) => {
                let text = fs::read_to_string(test_file(file)).expect("a test of this project");
                assert!(text.contains(words), "{file} does not try {verb}");
            }
        }
    }
    assert_eq!(daemon.stop(), 0);
    for (verb, tried) in VERBS {
        if let Stopped(arguments) = tried {
            run(verb, arguments, &["people", "json"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn test_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// A program in the place of journalctl, since a test has no journal: it is asked the right thing, and what it says comes out.
#[cfg(target_os = "linux")]
#[test]
fn the_log_of_the_service_is_that_of_the_journal() {
    use std::os::unix::fs::PermissionsExt as _;

    const JOURNAL: &str = r#"#!/bin/sh
echo "$@" >> "$HOME/asked"
case "$*" in
*json*) echo '{"__REALTIME_TIMESTAMP":"1700000000000001","PRIORITY":"4","MESSAGE":"not filed"}' ;;
*) echo "Nov 14 22:13:20 host tidyd[7]: not filed" ;;
esac
"#;
    let world = World::new();
    let program = world.write(".local/bin/journalctl", JOURNAL);
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("own file");
    let logs = |arguments: &[&str]| {
        let mut command = world.installed("tidyctl");
        Run::of(command.args(["service", "logs"]).args(arguments)).ok()
    };
    assert_eq!(logs(&[]), "Nov 14 22:13:20 host tidyd[7]: not filed\n");
    let line: serde_json::Value =
        serde_json::from_str(&logs(&["-n", "3", "--json"])).expect("JSON");
    let said = serde_json::json!({
        "time_ns": 1_700_000_000_000_001_000_i64, "priority": 4, "message": "not filed"
    });
    assert_eq!(line, said);
    let asked = fs::read_to_string(world.home().join("asked")).expect("it was asked");
    let unit = "--user-unit tidyd.service";
    let [plain, json] = asked.lines().collect::<Vec<_>>()[..] else { panic!("{asked}") };
    assert!(plain.contains(unit) && plain.contains("--lines=100"), "{asked}");
    assert!(
        json.contains(unit) && json.contains("--lines=3") && !json.contains("--follow"),
        "{asked}"
    );
}
