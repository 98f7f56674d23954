//! What launchd is told, with a stand-in for launchctl.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::launchd::Launchd;
use super::manager::{Job, Manager as _};

/// Keeps what is loaded in a file, and prints as launchctl does.
const LAUNCHCTL: &str = r#"#!/bin/sh
dir=$(dirname "$0")
echo "$*" >> "$dir/told"
case $1 in
print) [ -e "$dir/loaded" ] || { echo "Could not find service" >&2; exit 113; }
    printf 'x = {\n\tpath = %s\n\tstate = running\n\tpid = 7\n\truns = 1\n}\n' "$(cat "$dir/loaded")" ;;
bootstrap) [ ! -e "$dir/loaded" ] || { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
    printf %s "$3" > "$dir/loaded" ;;
bootout) rm "$dir/loaded" ;;
esac
"#;

fn launchd() -> (tempfile::TempDir, Launchd) {
    let dir = tempfile::tempdir().unwrap();
    let launchctl = dir.path().join("launchctl");
    write(&launchctl, LAUNCHCTL);
    let launchd = Launchd { launchctl, home: dir.path().to_owned(), uid: 501 };
    (dir, launchd)
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own scratch files")]
fn write(file: &PathBuf, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_agent_is_loaded_exchanged_and_taken_out_as_launchd_wants_it() {
    let (dir, launchd) = launchd();
    let read = Cell::new(0);
    let told = || {
        let all = fs::read_to_string(dir.path().join("told")).unwrap_or_default();
        let lines: Vec<String> = all.lines().map(str::to_owned).collect();
        let from = read.replace(lines.len());
        let told = lines[from..].iter().filter(|l| !l.starts_with("print"));
        told.map(|l| l.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(launchd.look().unwrap(), None);
    let file = launchd.own_file().unwrap();
    let job = Job {
        tidyd: "/bin/true".into(),
        tidyctl: "/bin/true".into(),
        environment: Vec::new(),
        home: dir.path().to_owned(),
    };
    write(&file, &launchd.text(&job).unwrap());
    assert_eq!(launchd.look().unwrap().unwrap().active, "inactive");
    launchd.enable(true).unwrap();
    launchd.start(true).unwrap();
    assert_eq!(told(), ["enable", "bootstrap"]);
    let found = launchd.look().unwrap().unwrap();
    assert_eq!((found.active.as_str(), found.pid, found.file), ("active", Some(7), Some(file)));

    // As it is: nothing is taken out. Another text: it is, since launchd does not read it again.
    launchd.enable(false).unwrap();
    launchd.start(false).unwrap();
    assert_eq!(told(), ["enable", "kickstart"]);
    launchd.enable(true).unwrap();
    launchd.start(true).unwrap();
    assert_eq!(told(), ["bootout", "enable", "bootstrap"]);
    launchd.stop().unwrap();
    assert_eq!(told(), ["bootout"]);
    launchd.stop().unwrap();
    assert_eq!(told(), [] as [String; 0]);
}

#[test]
fn where_there_is_no_launchd_it_says_what_to_do() {
    let (_dir, launchd) = launchd();
    let none = Launchd { launchctl: "/no/such/launchctl".into(), ..launchd };
    let error = none.look().unwrap_err();
    assert!(error.why.contains("no launchd") && error.hint.contains("tidyd"), "{error:?}");
}
