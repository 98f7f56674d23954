//! The files for the service managers, as the service managers read them.
#![expect(clippy::disallowed_methods, reason = "writes into its own scratch directory")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tidy_tests::{Run, works};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Every unit, and whether it is for the manager of a user or of the system.
const UNITS: [(&str, bool); 4] = [
    ("tidyd.service", true),
    ("tidyd.socket", true),
    ("tidyd@.service", false),
    ("tidyd@.socket", false),
];

/// Copies of all units in which `true` stands in for the programs: systemd wants them to exist.
fn stand_ins() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (unit, _) in UNITS {
        let text = fs::read_to_string(project("systemd").join(unit)).unwrap();
        let text =
            text.replace("/usr/bin/tidyctl", "/bin/true").replace("/usr/bin/tidyd", "/bin/true");
        fs::write(dir.path().join(unit), text).unwrap();
    }
    dir
}

fn analyze(dir: &Path, user: bool, arguments: &[&str]) -> Command {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).args(user.then_some("--user")).env("XDG_RUNTIME_DIR", dir);
    // Where a socket finds its service.
    command.env("SYSTEMD_UNIT_PATH", format!("{}:", dir.display()));
    command
}

/// What a unit refers to is in the package.
#[test]
fn the_units_name_manual_pages_that_there_are() {
    let pages = ["man:tidyd(8)", "man:tidyctl(1)", "man:tidyd.toml(5)"];
    for (unit, _) in UNITS {
        let text = fs::read_to_string(project("systemd").join(unit)).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix("Documentation=")).expect(unit);
        for page in line.split(' ') {
            assert!(pages.contains(&page), "{unit}: {page}");
        }
    }
}

/// `systemd-analyze verify` leaves with 0 on unknown keys, so it must also have nothing to say.
#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    if !works(&["systemd-analyze", "--version"]) {
        return;
    }
    let dir = stand_ins();
    for (unit, user) in UNITS {
        // A template is looked at as somebody's.
        let name = unit.replace('@', "@root");
        let file = dir.path().join(&name);
        if name != unit {
            fs::copy(dir.path().join(unit), &file).unwrap();
        }
        let verify = || Run::of(analyze(dir.path(), user, &["verify", "--man=no"]).arg(&file));
        let run = verify();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{unit}");
        // The check is one: a key that does not exist is told.
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}\n[Unit]\nSlize=x\n")).unwrap();
        assert!(verify().stderr.contains("Slize"), "{unit}");
        fs::write(&file, text).unwrap();
    }
}

/// As low as moving files allows, by systemd 252's count from 0 (safe) to 10; the reasons stand in the units.
#[test]
fn the_units_are_exposed_no_more_than_they_were() {
    if !works(&["systemd-analyze", "security", "--offline=yes", "--help"]) {
        return;
    }
    let dir = stand_ins();
    for (unit, user, most) in [("tidyd.service", true, "65"), ("tidyd@.service", false, "13")] {
        let file = dir.path().join(unit);
        let exposed = |most: &str| {
            let threshold = format!("--threshold={most}");
            let arguments = ["security", "--offline=yes", "--no-pager", &threshold];
            Run::of(analyze(dir.path(), user, &arguments).arg(&file))
        };
        let run = exposed(most);
        assert_eq!(run.code, 0, "{unit}: {}", run.stdout);
        assert_ne!(exposed("1").code, 0, "{unit}: nothing is that safe");
    }
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
