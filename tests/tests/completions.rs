//! The completion scripts, in the shells they are for.

use std::path::PathBuf;

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
