//! What goes to a package or an image, as far as it can be told without building one. `packaging/check` does the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidy_tests::{Run, World, works};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn the_changelogs_are_about_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let debian = text("packaging/debian/changelog");
    let newest = debian.lines().next().expect("an entry");
    assert!(newest.starts_with(&format!("tidyd ({version}-")), "{newest}");
    let ours = text("CHANGELOG.md");
    assert!(ours.contains("## [Unreleased]") || ours.contains(&format!("## [{version}]")));
}

/// The files of the project that go into the package as they are.
#[test]
fn what_the_package_takes_is_there() {
    let manifest = text("packaging/Cargo.toml");
    let assets = manifest.split("assets = [").nth(1).expect("a list").lines();
    let sources: Vec<&str> = assets
        .filter(|line| line.trim().starts_with('['))
        .filter_map(|line| line.split('"').nth(1))
        .filter(|source| !source.starts_with("target/"))
        .collect();
    assert!(sources.len() > 5, "{sources:?}");
    for source in sources {
        let place = project("packaging").join(source.replace("/*.toml", ""));
        assert!(place.exists(), "{source}");
    }
}

#[test]
fn the_scripts_are_shell() {
    for script in
        ["deb", "check", "container-check", "debian/postinst", "debian/prerm", "debian/postrm"]
    {
        let file = project("packaging").join(script);
        let first = text(&format!("packaging/{script}")).lines().next().map(str::to_owned);
        let shell = if first.as_deref() == Some("#!/bin/sh") { "sh" } else { "bash" };
        let run = Run::of(Command::new(shell).arg("-n").arg(&file));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{script}");
        if works(&["shellcheck", "--version"]) {
            Run::of(Command::new("shellcheck").arg(&file)).ok();
        }
    }
}

/// The instructions of the Containerfile, continued lines as one.
fn instructions() -> Vec<(String, String)> {
    let file = text("packaging/Containerfile").replace("\\\n", " ");
    let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once(' ').expect("an instruction and its arguments"));
    pairs.map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

#[test]
fn the_image_runs_the_programs_as_an_ordinary_user_and_asks_for_their_health() {
    let all = instructions();
    let last =
        |word: &str| all.iter().rev().find(|(w, _)| w == word).map(|(_, rest)| rest.as_str());
    assert_eq!(all.iter().filter(|(word, _)| word == "FROM").count(), 2, "one builds, one runs");
    // By number: who runs it can tell then that it is not root, before it runs.
    assert_eq!(last("USER"), Some("1000:1000"));
    assert_eq!(last("ENTRYPOINT"), Some("[\"tidyd\"]"));
    assert!(last("HEALTHCHECK").is_some_and(|check| check.ends_with("[\"tidyctl\", \"health\"]")));
    let volumes = last("VOLUME").expect("what outlives the container");
    for (_, copied) in all.iter().filter(|(word, rest)| word == "COPY" && !rest.contains("--from"))
    {
        let source = copied.split_whitespace().next().expect("what is copied");
        assert!(project(source).exists(), "{source}");
    }
    // It is asked for the configuration and the state in volumes, under names that the programs know.
    let environment = last("ENV").expect("where everything is");
    for assignment in environment.split_whitespace() {
        let (name, value) = assignment.split_once('=').expect("an assignment");
        let volume = value.split('/').nth(1).expect("an absolute path");
        assert!(volumes.contains(&format!("\"/{volume}\"")), "{assignment}");
        assert!(["HOME", "TIDYD_CONFIG", "TIDYD_STATE", "TIDYD_SOCKET"].contains(&name), "{name}");
    }
}

/// The same environment, configuration and arguments, with the volumes in a scratch directory.
#[test]
fn tidyd_does_its_work_with_what_the_image_gives_it() {
    let world = World::new();
    let volumes = world.home();
    let config = text("packaging/container.toml");
    world.write(
        "config/config.toml",
        config.replace("/data", &volumes.join("data").to_string_lossy()),
    );
    world.write("data/report.pdf", "%PDF-1.4\n");
    world.write("state/.keep", "");
    let environment = instructions().into_iter().find(|(word, _)| word == "ENV").expect("one").1;
    let mut tidyd = world.installed("tidyd");
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        tidyd.env_remove(name);
    }
    for (name, value) in environment.split_whitespace().filter_map(|a| a.split_once('=')) {
        tidyd.env(name, volumes.join(value.trim_start_matches('/')));
    }
    let run = Run::of(tidyd.arg("--once"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(volumes.join("data/Documents/report.pdf").exists());
    assert!(volumes.join("state/tidyd/journal").exists());
}

#[test]
fn the_service_of_the_example_is_built_from_the_image_and_reaches_no_network() {
    if !works(&["python3", "-c", "import yaml"]) {
        return;
    }
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let read = |path: &str| -> serde_json::Value {
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(project(path));
        serde_json::from_str(&Run::of(&mut command).ok()).expect("JSON")
    };
    let compose = read("packaging/compose.yaml");
    let service = &compose["services"]["tidyd"];
    let file = service["build"]["dockerfile"].as_str().expect("a path");
    assert!(project(file).exists(), "{file}");
    assert_eq!(service["network_mode"], "none");
    // An image in the OCI format, which podman builds unless it is told otherwise, has none.
    assert_eq!(service["healthcheck"]["test"], serde_json::json!(["CMD", "tidyctl", "health"]));
    for volume in service["volumes"].as_array().expect("a list") {
        let name = volume.as_str().and_then(|v| v.split(':').next()).expect("a name");
        assert!(compose["volumes"].get(name).is_some(), "{name}");
    }
    // Each job of the workflow that another one needs is there.
    let workflow = read(".github/workflows/ci.yml");
    let jobs = workflow["jobs"].as_object().expect("jobs");
    for (name, job) in jobs {
        let needs = job["needs"].as_array().into_iter().flatten();
        for needed in needs {
            assert!(jobs.contains_key(needed.as_str().expect("a name")), "{name} needs {needed}");
        }
    }
}
