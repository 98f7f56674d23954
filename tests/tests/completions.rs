//! The completion scripts, in the shells they are for.

use std::path::{Path, PathBuf};

use tidy_tests::files::Sample;
use tidy_tests::{Run, World, works};

/// A world with the script for a shell in it; `None`, having said so, where the shell is missing.
fn script(shell: &str) -> Option<(World, PathBuf)> {
    if !works(&[shell, "--version"]) {
        return None;
    }
    let world = World::new();
    let script = world.ctl(["completions", shell]).ok();
    let file = world.write("_tidyctl", script);
    Some((world, file))
}

/// What the shell says when it reads the script and then `line`.
#[track_caller]
fn says(world: &World, shell: &[&str], line: &str) -> String {
    let (program, arguments) = shell.split_first().expect("a shell");
    let run = Run::of(world.installed(program).args(arguments).arg("-c").arg(line));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    run.stdout
}

#[test]
fn bash_offers_the_verbs() {
    let Some((world, file)) = script("bash") else { return };
    let line = format!(
        "source {}; COMP_WORDS=(tidyctl ro); COMP_CWORD=1; COMP_TYPE=9; \
         $(complete -p tidyctl | sed 's/.*-F \\([^ ]*\\) .*/\\1/') tidyctl ro tidyctl 2> /dev/null; \
         echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    assert_eq!(says(&world, &["bash", "--norc"], &line).trim(), "rollback");
}

#[test]
fn zsh_offers_the_verbs() {
    let Some((world, file)) = script("zsh") else { return };
    assert_eq!(says(&world, &["zsh", "-f"], &format!("zsh -n {}", file.display())), "");
    // The completion system finds it by its name, calls it with the line in `words`, and is handed what was found. The first
    // time it is only loaded.
    let line = format!(
        "fpath=({} $fpath); autoload -Uz compinit && compinit -D -u\n\
         [[ $_comps[tidyctl] == _tidyctl ]] || print -u2 nothing is registered\n\
         function _describe {{ local list=${{@[-1]}}; print -rl -- ${{(P)list}} }}\n\
         words=(tidyctl ro) CURRENT=2; $_comps[tidyctl]; print again; $_comps[tidyctl]",
        file.parent().expect("in a directory").display()
    );
    let said = says(&world, &["zsh", "-f"], &line);
    let (first, again) = said.split_once("again\n").expect("both are run");
    assert!(first.starts_with("rollback:") && !first.contains("status"), "{said}");
    assert_eq!(first, again);
}

#[test]
fn fish_offers_the_verbs_with_what_they_do() {
    let Some((world, file)) = script("fish") else { return };
    let file = file.display();
    assert_eq!(says(&world, &["fish", "-N"], &format!("fish -n {file}")), "");
    let line = format!("source {file}; complete -C 'tidyctl ro'");
    let said = says(&world, &["fish", "-N"], &line);
    let (verb, help) = said.trim().split_once('\t').expect("a verb and its help");
    assert_eq!(verb, "rollback", "{said}");
    assert!(!help.is_empty(), "{said}");
}

/// What bash makes of a line that ends where the key is pressed, divided as bash does it; the last word as it is handed over.
fn bash(world: &World, file: &Path, words: &[&str], last: &str) -> Vec<String> {
    let all: Vec<String> =
        words.iter().map(|word| format!("$'{}'", word.replace('\'', "\\'"))).collect();
    let line = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; \
         $(complete -p tidyctl | sed 's/.*-F \\([^ ]*\\) .*/\\1/') tidyctl {last:?} x 2> /dev/null; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display(),
        all.join(" "),
        words.len() - 1,
    );
    says(world, &["bash", "--norc"], &line).lines().map(str::to_owned).collect()
}

/// The same for zsh, which quotes by itself.
fn zsh(world: &World, file: &Path, words: &[&str]) -> Vec<String> {
    let line = format!(
        "fpath=({} $fpath); autoload -Uz compinit && compinit -D -u\n\
         function _describe {{ local list=${{@[-1]}}; print -rl -- ${{(P)list}} }}\n\
         words=({}) CURRENT={}; $_comps[tidyctl]",
        file.parent().expect("in a directory").display(),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len(),
    );
    // A name ends at a colon that has no backslash.
    let name = |line: &str| {
        line.replace("\\:", "\0").split(':').next().unwrap_or_default().replace('\0', ":")
    };
    says(world, &["zsh", "-f"], &line).lines().map(name).collect()
}

/// The same for fish.
fn fish(world: &World, file: &Path, line: &str) -> Vec<String> {
    let line = format!("source {}; complete -C \"{line}\"", file.display());
    let name = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    says(world, &["fish", "-N"], &line).lines().map(name).collect()
}

/// A world with a daemon that has filed two files, so that there is something to offer.
fn busy(shell: &str) -> Option<(World, PathBuf, tidy_tests::Daemon)> {
    let (world, file) = script(shell)?;
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world.write("Downloads/b.png", Sample::Png.content(2));
    let daemon = world.start();
    world.wait();
    Some((world, file, daemon))
}

#[track_caller]
fn has(offered: &[String], wanted: &str) {
    assert!(offered.iter().any(|one| one == wanted), "{wanted} in {offered:?}");
}

#[test]
fn bash_asks_the_daemon_and_can_take_what_it_says() {
    let Some((world, file, daemon)) = busy("bash") else { return };
    let root = world.downloads();
    let operation = world.log(&["--kind", "move"])[0]["id"].to_string();
    let of = |words: &[&str], last: &str| bash(&world, &file, words, last);
    for verb in ["show", "rollback", "redo"] {
        let offered = of(&["tidyctl", verb, ""], "");
        has(&offered, &operation);
        has(&offered, "batch:1");
    }
    has(&of(&["tidyctl", "pause", ""], ""), root.to_str().expect("text"));
    // It divides words at `:` and `=`, and takes what is offered as if it had been typed.
    assert_eq!(of(&["tidyctl", "show", "batch", ":"], ""), ["1"]);
    assert_eq!(of(&["tidyctl", "show", "batch", ":", "1"], "1"), ["1"]);
    has(&of(&["tidyctl", "log", "--rule", ""], ""), "default\\ image");
    has(&of(&["tidyctl", "log", "--rule", "=", "def"], "def"), "default\\ image");
    assert_eq!(
        of(&["tidyctl", "log", "--rule", "default\\\\ im"], "default\\ im"),
        ["default\\ image"]
    );
    assert_eq!(of(&["tidyctl", "log", "--rule", "\"default im"], "default im"), ["default image"]);
    assert_eq!(daemon.stop(), 0);
    // Without one nothing is offered, and nothing is said.
    assert!(!of(&["tidyctl", "show", ""], "").iter().any(|one| one.starts_with("batch")));
}

#[test]
fn zsh_and_fish_ask_the_daemon() {
    if let Some((world, file, daemon)) = busy("zsh") {
        let of = |words: &[&str]| zsh(&world, &file, words);
        has(&of(&["tidyctl", "rollback", ""]), "batch:1");
        has(&of(&["tidyctl", "rollback", "batch:"]), "batch:1");
        has(&of(&["tidyctl", "log", "--rule", "default\\ im"]), "default image");
        has(&of(&["tidyctl", "pause", "/"]), world.downloads().to_str().expect("text"));
        assert_eq!(daemon.stop(), 0);
    }
    if let Some((world, file, daemon)) = busy("fish") {
        let of = |line: &str| fish(&world, &file, line);
        has(&of("tidyctl rollback "), "batch:1");
        has(&of("tidyctl rollback batch:"), "batch:1");
        has(&of("tidyctl log --rule 'default im"), "default image");
        has(&of("tidyctl pause /"), world.downloads().to_str().expect("text"));
        assert_eq!(daemon.stop(), 0);
    }
}
