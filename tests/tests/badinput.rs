//! What people get wrong: each is refused with what to do about it, and nothing of theirs is changed.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tidy_tests::files::Sample;
use tidy_tests::{Run, Snapshot, World, assert_same};

/// The daemon and `--once` and `--check`, each of them: the same code, all of `words` on stderr, and a hint. Nothing is
/// changed.
#[track_caller]
fn refused(world: &World, code: i32, words: &[&str]) {
    for arguments in [&[][..], &["--once"], &["--once", "--dry-run"], &["--check"]] {
        refused_with(world, arguments, code, words);
    }
}

#[track_caller]
fn refused_with(world: &World, arguments: &[&str], code: i32, words: &[&str]) -> Run {
    let before = world.snapshot();
    let run = world.tidyd(arguments);
    assert_eq!(run.code, code, "{arguments:?}: {run:#?}");
    for word in ["error: ", "hint: "].iter().chain(words) {
        assert!(run.stderr.contains(word), "{word} in what {arguments:?} said: {}", run.stderr);
    }
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert_same(&before, &world.snapshot());
    run
}

fn with_a_file() -> World {
    let world = World::new();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    world
}

#[test]
fn without_a_configuration_it_says_how_to_make_one() {
    let world = with_a_file();
    fs::remove_file(world.config_file()).unwrap();
    refused(&world, 78, &["there is no configuration", "tidyctl init"]);
    assert!(!world.state().exists(), "nothing was begun");
    // And it can be done.
    world.ctl(["init"]).ok();
    world.tidyd(&["--check"]).ok();
    assert_ne!(world.ctl(["init"]).code, 0, "one that is there is not overwritten");
}

#[test]
fn a_mistake_is_shown_with_its_place_and_the_nearest_word() {
    let world = with_a_file();
    world.configure("watch = [\"~/Downloads\"]\nsetle = \"2s\"\n");
    refused(&world, 78, &["config.toml:2:1: ", "2 | setle", "^^^^^", "did you mean `settle`"]);
    let run = world.ctl(["config", "check"]);
    assert_eq!(run.code, 78, "{run:?}");
    assert!(run.stderr.contains("did you mean `settle`"), "{run:?}");

    world.configure("watch = [\"~/Downloads\"\nsettle = 2s\n");
    refused(&world, 78, &["config.toml:2:"]);
    world.configure("");
    refused(&world, 78, &["watch"]);
    world.configure(
        "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"r\"\nwhen = { kind = \"imgae\" }\nmove = \"X/\"\n",
    );
    refused(&world, 78, &["config.toml:4:", "did you mean `image`"]);
    // Not text at all, and a directory in its place.
    fs::write(world.config_file(), b"\xff\xfe\x00").unwrap();
    refused(&world, 78, &["config.toml"]);
    fs::remove_file(world.config_file()).unwrap();
    fs::create_dir(world.config_file()).unwrap();
    refused(&world, 78, &["config.toml", "it is a folder"]);
}

#[test]
fn a_configuration_that_is_no_file_is_not_waited_for() {
    let world = with_a_file();
    let config = world.config_file();
    let refused = |words: &[&str]| {
        refused(&world, 78, words);
        for verb in ["check", "show"] {
            let run = world.ctl(["config", verb]);
            assert_eq!(run.code, 78, "{run:?}");
            assert!(words.iter().all(|w| run.stderr.contains(w)), "{words:?}: {run:?}");
        }
    };
    fs::remove_file(&config).unwrap();
    // Nobody will ever write into it.
    Run::of(std::process::Command::new("mkfifo").arg(&config)).ok();
    refused(&["config.toml", "it is not a regular file"]);
    for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
        fs::remove_file(&config).unwrap();
        symlink(device, &config).unwrap();
        refused(&["config.toml", "it is not a regular file"]);
    }
    fs::remove_file(&config).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&config);
    if config.exists() {
        refused(&["config.toml", "it is not a regular file"]);
        fs::remove_file(&config).unwrap();
    }
    // A sparse gigabyte is not read to its end.
    fs::File::create(&config).unwrap().set_len(1 << 30).unwrap();
    refused(&["config.toml", "larger than"]);
}

#[test]
fn a_failing_rule_test_is_found_by_the_checks() {
    let world = with_a_file();
    world.configure(
        "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"papers\"\nwhen = { ext = \"pdf\" }\nmove = \"Papers/\"\n\
         [[rule.test]]\ngiven = { name = \"a.pdf\" }\nexpect = \"Paper/a.pdf\"\n",
    );
    refused_with(&world, &["--check"], 78, &["papers"]);
    let checked = world.ctl(["config", "check", "--json"]);
    assert_eq!(checked.code, 78);
    let answer: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["test_failures"][0]["rule"], "papers", "{answer:#}");
}

#[test]
fn folders_that_cannot_be_kept_in_order_are_refused() {
    let world = with_a_file();
    let watch = |dirs: &str| world.configure(&format!("watch = [{dirs}]\nsettle = \"200ms\"\n"));
    watch("\"~/Donwloads\"");
    refused_with(&world, &["--once"], 78, &["there is no such folder", "config.toml:1:"]);
    refused_with(&world, &["--check"], 78, &["there is no such folder"]);
    watch("\"~/Downloads/a.pdf\"");
    refused(&world, 78, &["not a directory"]);
    watch("\"/\"");
    refused(&world, 78, &["far more than files to sort"]);
    watch("\"~\"");
    refused(&world, 78, &["far more than files to sort"]);
    watch("\"~/Downloads/../Downloads/..\"");
    refused(&world, 78, &["far more than files to sort"]);
    watch("\"~/.local/state\"");
    fs::create_dir_all(world.home().join(".local/state")).unwrap();
    refused(&world, 78, &["state directory"]);
    watch("\"relative/folder\"");
    refused(&world, 78, &["config.toml:1:"]);
    let loop_ = world.home().join("loop");
    symlink("loop", &loop_).unwrap();
    watch("\"~/loop\"");
    refused(&world, 78, &["circle"]);
    // A symlink does not hide what it leads to.
    symlink(world.home(), world.home().join("innocent")).unwrap();
    watch("\"~/innocent\"");
    refused(&world, 78, &["far more than files to sort"]);
}

#[test]
fn a_folder_inside_another_with_its_own_rules_is_refused() {
    let world = with_a_file();
    fs::create_dir(world.downloads().join("Inbox")).unwrap();
    world.configure(
        "watch = [\"~/Downloads\", \"~/Downloads/Inbox\"]\n[[watch-override]]\npath = \"~/Downloads/Inbox\"\n\
         recursive = false\n",
    );
    refused(&world, 78, &["Inbox"]);
}

#[test]
fn an_unreadable_folder_is_said_and_left() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped, because root may read everything");
        return;
    }
    let world = with_a_file();
    let only = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(world.downloads(), only(0o300)).unwrap();
    let run = world.tidyd(&["--once"]);
    fs::set_permissions(world.downloads(), only(0o755)).unwrap();
    assert_eq!(run.code, 78, "{run:?}");
    assert!(run.stderr.contains("you may not list it"), "{run:?}");
}

#[test]
fn a_root_that_is_missing_is_waited_for_beside_others() {
    let world = with_a_file();
    world.configure("watch = [\"~/Downloads\", \"~/Scans\"]\nsettle = \"100ms\"\n");
    let daemon = world.start();
    world.wait();
    let state = |name: &str| {
        let status = world.ctl_json(["status"]);
        let roots = status["roots"].as_array().expect("a list").clone();
        roots.iter().find(|r| r["given"] == name).map(|r| r["state"].clone())
    };
    assert_eq!(state("~/Downloads"), Some("watching".into()));
    let said = world.ctl(["status"]).ok() + &daemon.output();
    assert!(said.contains("Scans"), "{said}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_state_directory_that_cannot_be_used_is_refused() {
    let world = with_a_file();
    // A file in its place.
    world.write(".local/state/tidyd", "mine");
    for arguments in [&[][..], &["--once"]] {
        let run = refused_with(&world, arguments, run_code(&world, arguments), &[]);
        assert!(matches!(run.code, 1 | 5), "{run:?}");
        assert!(run.stderr.contains("tidyd"), "{run:?}");
    }
    assert_eq!(fs::read(world.state()).unwrap(), b"mine");
    fs::remove_file(world.state()).unwrap();
    // One that others can write.
    fs::create_dir(world.state()).unwrap();
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o777)).unwrap();
    for arguments in [&[][..], &["--once"]] {
        refused_with(&world, arguments, 5, &["tidyd"]);
    }
}

fn run_code(world: &World, arguments: &[&str]) -> i32 {
    world.tidyd(arguments).code
}

#[test]
fn a_state_directory_in_use_is_refused() {
    let world = with_a_file();
    let daemon = world.start();
    world.wait();
    let run = refused_with(&world, &["--once"], 5, &[]);
    let pid = daemon.pid().as_raw_nonzero().to_string();
    assert!(run.stderr.contains(&pid), "whose it is: {run:?}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_socket_path_that_is_too_long_is_refused_before_anything_is_opened() {
    let world = with_a_file();
    let long = format!("/tmp/{}", "x".repeat(200));
    let before = world.snapshot();
    let run = world.tidyd(&["--socket", &long]);
    assert_eq!(run.code, 78, "{run:?}");
    assert!(run.stderr.contains("bytes") && run.stderr.contains("hint: "), "{run:?}");
    assert_same(&before, &world.snapshot());
    let run = world.ctl(["--socket", &long, "status"]);
    assert!(run.code != 0 && run.stderr.contains("error: "), "{run:?}");
}

#[test]
fn a_destination_that_leads_out_through_a_symlink_is_not_followed() {
    let world = with_a_file();
    world.write("Downloads/b.png", Sample::Png.content(2));
    world.write("elsewhere/mine", "x");
    symlink(world.home().join("elsewhere"), world.downloads().join("Pictures")).unwrap();
    let elsewhere = Snapshot::take(&world.home().join("elsewhere"));
    let daemon = world.start();
    world.wait();
    assert!(world.downloads().join("Documents/a.pdf").exists(), "the others are filed");
    assert_same(&elsewhere, &Snapshot::take(&world.home().join("elsewhere")));
    let left = world.downloads().join("b.png");
    let why = world.ctl_json_at(&["explain"], &left);
    assert_eq!(why["stored"]["reason"], "bad-destination", "{why:#}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_destination_with_dots_is_refused_when_it_is_read() {
    let world = with_a_file();
    for destination in ["../Elsewhere/", "Documents/../../x/", "~/../x/"] {
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"out\"\nwhen = {{ ext = \"pdf\" }}\nmove = \"{destination}\"\n",
        ));
        refused(&world, 78, &["config.toml:5:", "^"]);
    }
}

#[test]
fn options_that_make_no_sense_are_usage_errors() {
    let world = with_a_file();
    let before = world.snapshot();
    for arguments in [&["--dry-run"][..], &["--no-such"], &["--once", "--check"], &["surplus"]] {
        let run = world.tidyd(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
    }
    assert_same(&before, &world.snapshot());
}
