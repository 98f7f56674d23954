//! The manual pages, as those who read them find them: whole, and without a word of complaint from the formatters.

use std::fs;
use std::path::Path;

use tidy_tests::{Run, World, works};

/// All pages by the names of their files: those that tidyctl writes, and those of the package.
fn pages(world: &World) -> Vec<(String, String)> {
    let dir = world.write("man/.keep", "").parent().expect("in a directory").to_owned();
    world.ctl_at(&["man"], &dir).ok();
    let own = tidy_packaging::pages().into_iter().map(|page| (page.file, page.text));
    let written = fs::read_dir(&dir).expect("own directory").map(|entry| {
        let path = entry.expect("readable").path();
        (name(&path), fs::read_to_string(&path).expect("text"))
    });
    let mut pages: Vec<_> = written.filter(|(name, _)| name != ".keep").chain(own).collect();
    pages.sort();
    pages
}

fn name(path: &Path) -> String {
    path.file_name().expect("a file").to_str().expect("text").to_owned()
}

/// A page without markup, good enough to look for words.
fn plain(page: &str) -> String {
    page.replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\-", "-")
}

#[test]
fn each_program_verb_and_file_has_a_page_with_what_people_look_for() {
    let world = World::new();
    let pages = pages(&world);
    let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["tidyd.8", "tidyd-scan.8", "tidyctl.1", "tidyctl-rollback.1", "tidyd.toml.5"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for (name, page) in &pages {
        for heading in ["NAME", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            let quoted = format!("\n.SH \"{heading}\"\n");
            let there = page.contains(&format!("\n.SH {heading}\n")) || page.contains(&quoted);
            assert!(there, "{heading} in {name}");
        }
        // A page that only lists others needs none.
        let examples = page.contains("\n.SH EXAMPLES\n");
        assert!(examples || name.starts_with("tidyctl-config-"), "EXAMPLES in {name}");
        let environment = page.split("\n.SH ENVIRONMENT\n").nth(1).expect("looked for above");
        for line in plain(page).lines().filter(|l| l.contains("environment variable.")) {
            let variable = line.split_whitespace().find(|w| w.starts_with("TIDYD_"));
            assert!(environment.contains(variable.expect("its name")), "{line} in {name}");
        }
    }
}

#[test]
fn the_page_of_the_configuration_has_every_key() {
    let pages = tidy_packaging::pages();
    let page = pages.iter().find(|page| page.file == "tidyd.toml.5").expect("there is one");
    let page = plain(&page.text);
    let world = World::new();
    let rule = "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"a\"\nwhen = {}\ntrash = true\n";
    for toml in [
        "no-such-key = 1\n".to_owned(),
        format!("{rule}no-such-key = 1\n"),
        rule.replace("when = {}", "when = { no-such-key = 1 }"),
    ] {
        for key in world.known_keys(&toml) {
            assert!(page.contains(&key), "{key}");
        }
    }
}

#[test]
fn the_formatters_have_nothing_to_say() {
    let world = World::new();
    let groff = works(&["man", "--version"]) && works(&["groff", "--version"]);
    let mandoc = works(&["mandoc", "-T", "lint", "/dev/null"]);
    let mut wrong = Vec::new();
    for (name, page) in pages(&world) {
        let file = world.write(format!("pages/{name}"), page);
        if groff {
            let mut man = world.command("man");
            man.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]).arg(&file);
            let run = Run::of(&mut man);
            if run.code != 0 || !run.stderr.is_empty() {
                wrong.push(format!("man: {name}: {}", run.stderr));
            }
        }
        if mandoc {
            let mut lint = world.command("mandoc");
            let said = Run::of(lint.args(["-T", "lint", "-W", "warning"]).arg(&file)).stdout;
            // The same sources make the same pages on every day.
            let lines = said.lines().filter(|l| !l.contains("missing date"));
            wrong.extend(lines.map(|line| format!("mandoc: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
