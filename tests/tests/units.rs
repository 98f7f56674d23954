//! The files for the service managers, as the service managers read them.
#![expect(clippy::disallowed_methods, reason = "writes into its own scratch directory")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidy_tests::{Run, works};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// `systemd-analyze verify` leaves with 0 on unknown keys, so it must also have nothing to say. It wants the programs to
/// exist: `true` stands in for them.
#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    if !works(&["systemd-analyze", "--version"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(project("systemd/tidyd.service")).unwrap();
    let stand_in =
        unit.replace("/usr/bin/tidyctl", "/bin/true").replace("/usr/bin/tidyd", "/bin/true");
    let file = dir.path().join("tidyd.service");
    let verify = |content: &str| {
        fs::write(&file, content).unwrap();
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--user", "--man=no"]).arg(&file);
        Run::of(command.env("XDG_RUNTIME_DIR", dir.path()))
    };
    let run = verify(&stand_in);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    // The check is one: a key that does not exist is told.
    assert!(verify(&stand_in.replace("Slice=", "Slize=")).stderr.contains("Slize"));
}

#[test]
fn the_agent_is_a_property_list_with_the_keys_that_matter() {
    if !works(&["python3", "--version"]) {
        return;
    }
    let script =
        "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(project("launchd/dev.tidyd.agent.plist"));
    let agent: serde_json::Value = serde_json::from_str(&Run::of(&mut command).ok()).unwrap();
    assert_eq!(agent["Label"], "dev.tidyd.agent");
    assert_eq!(agent["KeepAlive"]["SuccessfulExit"], false);
    assert_eq!(agent["ProcessType"], "Background");
    assert_eq!(agent["Umask"], 0o077);
    // Nobody expands `~` or variables here: only what the installer puts in may be left open.
    for path in [&agent["ProgramArguments"][0], &agent["StandardErrorPath"]] {
        let path = path.as_str().unwrap();
        assert!(path.starts_with("@HOME@/") || path == "@TIDYD@", "{path}");
    }
}
