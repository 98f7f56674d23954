//! Commands of rules: argv only, with an end, in the log, and never in the way.

#![expect(clippy::disallowed_methods, reason = "makes a scratch directory of its own")]

use std::fs;
use std::path::PathBuf;

use tidy_tests::{World, eventually, path};

fn config(rules: &str) -> String {
    format!(
        "watch = [\"~/Downloads\"]\nsettle = \"100ms\"\nallow-run = true\ndefault = {{}}\n{rules}"
    )
}

fn rule(name: &str, rest: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nwhen = {{ name = \"{name}*\" }}\nmove = \"~/Away/\"\n{rest}\n"
    )
}

/// The commands that have ended, oldest first.
fn ran(world: &World, count: usize) -> Vec<serde_json::Value> {
    eventually("the commands have ended", || {
        let mut ops = world.log(&["--kind", "run"]);
        let ended = ops.iter().filter(|op| op["state"] != "intended").count();
        ops.reverse();
        (ended == count).then_some(ops)
    })
}

fn text(op: &serde_json::Value, key: &str) -> String {
    op[key].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_command_gets_its_arguments_as_they_are_and_a_clean_environment() {
    let world = World::new();
    let out = world.home().join("Outside");
    fs::create_dir_all(&out).unwrap();
    let script =
        "printf '%s\\\\0' \\\"$@\\\" > \\\"$1/args\\\"; env > \\\"$1/env\\\"; pwd > \\\"$1/cwd\\\"";
    world.configure(&config(&rule(
        "a",
        &format!(
            "run = [\"sh\", \"-c\", \"{script}\", \"sh\", \"{}\", \"{{path}}\", \"{{from}}\", \"x {{name}}\"]",
            out.display()
        ),
    )));
    // A name that a shell would make something of.
    let name = "a $(touch pwned) `id`; 'q' \"d\" *.txt";
    let from = world.write(PathBuf::from("Downloads").join(name), "content");
    let daemon = world.start();
    world.wait();
    let ops = ran(&world, 1);
    assert_eq!(text(&ops[0], "state"), "done", "{ops:?}");
    let there = world.home().join("Away").join(name);
    let arguments = fs::read_to_string(out.join("args")).unwrap();
    let arguments: Vec<_> = arguments.trim_end_matches('\0').split('\0').collect();
    let expected = [
        out.to_str().unwrap(),
        there.to_str().unwrap(),
        from.to_str().unwrap(),
        &format!("x {name}"),
    ];
    assert_eq!(arguments, expected);
    // Although tidyd itself is confined to its folders.
    assert_eq!(
        fs::read_to_string(out.join("cwd")).unwrap().trim(),
        world.home().join("Away").to_str().unwrap()
    );
    let environment = fs::read_to_string(out.join("env")).unwrap();
    let mut names: Vec<_> =
        environment.lines().filter_map(|l| l.split_once('=')).map(|l| l.0).collect();
    names.retain(|n| !["PWD", "SHLVL", "_", "OLDPWD"].contains(n));
    names.sort_unstable();
    let known =
        ["HOME", "LANG", "PATH", "TIDYD_BATCH", "TIDYD_OPERATION", "TIDYD_PATH", "TIDYD_RULE"];
    assert_eq!(names, known);
    assert!(!world.home().join("Away/pwned").exists());

    // It is in the file's batch, and says that it cannot be undone.
    let moved = world.log(&["--kind", "move"]);
    assert_eq!(moved[0]["batch"], ops[0]["batch"]);
    assert_eq!(path(&ops[0]["src"]), there);
    let shown = world.ctl(["show", &ops[0]["id"].to_string()]).ok();
    assert!(shown.contains("not possible"), "{shown}");
    let undone = world.ctl(["rollback", "--last"]).ok();
    assert!(undone.contains("what 1 command of the rules did stays"), "{undone}");
    assert!(from.exists());
    // Nothing is left to roll back.
    world.ctl(["rollback", "--last"]).ok();
    assert_eq!(world.log(&["--kind", "move"]).len(), 2);
    assert_eq!(world.log(&["--kind", "run"]).len(), 1);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn one_that_fails_or_does_not_end_is_told_and_undoes_nothing() {
    let world = World::new();
    let rules = [
        rule("fails", "run = [\"sh\", \"-c\", \"echo it is broken >&2; exit 3\"]"),
        rule("missing", "run = [\"no-such-program-at-all\", \"{path}\"]"),
        rule("hangs", "run = [\"sh\", \"-c\", \"sleep 600 & sleep 600\"]\nrun-limit = \"1s\""),
    ];
    world.configure(&config(&rules.concat()));
    for name in ["fails.txt", "missing.txt", "hangs.txt", "other.txt"] {
        world.write(PathBuf::from("Downloads").join(name), name);
    }
    let daemon = world.start();
    world.wait();
    for name in ["fails.txt", "missing.txt", "hangs.txt"] {
        assert!(world.home().join("Away").join(name).exists(), "{name}");
    }
    let ops = ran(&world, 3);
    let error = |rule: &str| {
        let op = ops.iter().find(|op| text(op, "rule") == rule).unwrap();
        assert_eq!(text(op, "state"), "failed", "{op}");
        text(op, "error")
    };
    assert!(error("fails").contains("exit status 3: it is broken"), "{}", error("fails"));
    assert!(error("missing").contains("could not be started"), "{}", error("missing"));
    assert!(error("hangs").contains("longer than 1s"), "{}", error("hangs"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn one_that_leaves_a_daemon_behind_has_ended_when_it_has() {
    let world = World::new();
    // The daemon keeps what it was given to write to.
    let script = "echo begun; command -v setsid > /dev/null && { setsid sleep 30 & }; exit 4";
    let run = format!("run = [\"sh\", \"-c\", \"{script}\"]\nrun-limit = \"2s\"");
    world.configure(&config(&rule("a", &run)));
    world.write("Downloads/a.txt", "a");
    let daemon = world.start();
    world.wait();
    let ops = ran(&world, 1);
    assert!(text(&ops[0], "error").contains("exit status 4: begun"), "{ops:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_file_that_has_its_place_is_not_filed_again_because_a_command_ran_or_a_copy_was_made() {
    let world = World::new();
    let rule = |name: &str, rest: &str| {
        format!("[[rule]]\nname = \"{name}\"\nwhen = {{ ext = \"{name}\" }}\n{rest}\n")
    };
    let rules = [
        rule("run", "rename = \"x {name}\"\nrun = [\"true\"]"),
        rule("cpy", "rename = \"x {name}\"\nthen = \"continue\""),
        rule("cpy", "copy = \"~/Away/\"").replacen("cpy", "copies", 1),
    ];
    world.configure(&config(&rules.concat()));
    world.write("Downloads/a.run", "run");
    world.write("Downloads/b.cpy", "copy");
    let daemon = world.start();
    world.wait();
    ran(&world, 1);
    let filed = || {
        world.ctl(["rescan"]).ok();
        world.wait();
        world.log(&["--kind", "move"]).len()
    };
    assert_eq!(filed(), 2);
    // Nor when all that is known of it is what the journal says.
    drop(daemon);
    fs::remove_dir_all(world.state().join("store")).unwrap();
    let daemon = world.start();
    assert_eq!(filed(), 2);
    for name in ["x a.run", "x b.cpy"] {
        assert!(world.home().join("Downloads").join(name).exists(), "{name}");
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_reload_that_brings_the_first_one_says_that_it_takes_a_restart() {
    let world = World::new();
    world.configure(&config(&rule("a", "")));
    let daemon = world.start();
    world.configure(&config(&rule("a", "run = [\"true\"]")));
    world.ctl(["reload"]).ok();
    let status = world.ctl(["status"]).stdout;
    assert!(status.contains("restart it"), "{status}");
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    let status = world.ctl(["status"]).stdout;
    assert!(!status.contains("restart it"), "{status}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn once_runs_them_before_it_ends_and_a_dry_run_does_not() {
    let world = World::new();
    world.configure(&config(&rule("a", "run = [\"touch\", \"{dir}/made\"]")));
    world.write("Downloads/a.txt", "a");
    world.tidyd(&["--once", "--dry-run"]).ok();
    assert!(!world.home().join("Away").exists());
    world.tidyd(&["--once"]).ok();
    assert!(world.home().join("Away/made").exists());
}

#[test]
fn a_configuration_must_say_that_commands_are_meant() {
    let world = World::new();
    let bad = |text: &str, expected: &str| {
        world.configure(text);
        let run = world.tidyd(&["--check"]);
        assert_eq!(run.code, 78, "{run:?}");
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    };
    let with = |run: &str| config(&rule("a", run));
    bad(&with("run = [\"true\"]").replace("allow-run = true\n", ""), "allow-run = true");
    bad(&with("run = \"rm -rf {path}\""), "there is no shell");
    bad(&with("run = [\"tool\", \"{pth}\"]"), "unknown placeholder `{pth}`");
    bad(&with("run = [\"{path}\"]"), "cannot come from a file's name");
    bad(&with("run = [\"./tool\", \"{path}\"]"), "a name to be found in PATH, or an absolute path");
    bad(&with("run = [\"true\"]\nrun-limit = \"2h\""), "one hour");
}
