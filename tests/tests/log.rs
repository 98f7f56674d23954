//! The log as others read it: what stands in it, what must not, and that nobody waits for it.
#![cfg(target_os = "linux")]

use std::fs;

use tidy_tests::files::Sample;
use tidy_tests::{World, works};

/// Names that occur in nothing but the files of this test.
const NAMES: [&str; 5] = [
    "Zanzibar trip, final (2).pdf",
    "quarterly-xylograph: draft.pdf",
    "Ünïque wombat photo.png",
    "plainwordsonlyquokka",
    "brokenlinkaardvark.pdf",
];

/// Parts of them, and of where they lie, that must not be told.
const PARTS: [&str; 8] =
    ["Zanzibar", "xylograph", "wombat", "quokka", "aardvark", "Downloads/", "Okapi", "/home"];

#[test]
fn a_redacted_log_of_a_busy_run_names_no_file() {
    for format in ["text", "json"] {
        let world = World::new();
        world.configure(
            "watch = [\"~/Downloads\", \"~/Okapi\"]\nsettle = \"50ms\"\nlog = { redact = true }\n\
             allow-run = true\n\
             [[rule]]\nname = \"papers\"\nwhen = { name = \"*.pdf\" }\nmove = \"Papers/\"\n\
             run = [\"sh\", \"-c\", \"echo said of $1; exit 3\", \"sh\", \"{path}\"]\n",
        );
        let daemon = world.start_with(&["--log-format", format]);
        for (n, name) in (0..).zip(NAMES) {
            world.write(format!("Downloads/{name}"), Sample::Pdf.content(n));
        }
        world.write(format!("Downloads/copy of {}", NAMES[0]), Sample::Pdf.content(0));
        world.wait();
        world.ctl(["rollback", "--since", "1d", "--yes"]).ok();
        world.ctl(["redo", "--yes"]).ok();
        // What cannot be filed, and what cannot be asked.
        world.write("Downloads/Papers/sub", "in the way");
        world.ctl_at(&["explain"], &world.downloads().join(NAMES[1]));
        world.ctl_at(&["organize"], &world.downloads().join("no quokka"));
        world.configure("watch = [\"~/Downloads\"]\nsetle = \"Zanzibar.pdf\"\n");
        assert_eq!(world.ctl(["reload"]).code, 78);
        let errors = world.ctl(["errors", "--json"]).ok();
        assert!(errors.contains("\"message\""), "something has gone wrong: {errors}");
        assert_eq!(daemon.stop(), 0);
        // What is kept, and asked for without the service.
        let kept = world.ctl(["errors"]).stdout
            + &fs::read_to_string(world.state().join("errors")).unwrap();
        assert!(!kept.is_empty());

        let log = world.said() + &errors + &kept;
        assert!(log.contains("papers") && log.contains(".pdf>"), "{format}: {log}");
        for line in log.lines() {
            let told = PARTS.iter().find(|part| line.contains(**part));
            assert_eq!(told, None, "{format}: {line}");
        }
    }
}

/// journald's socket, bound by a program that never reads, in a /run of our own. Runs the program that it is given.
const STALLED: &str = "mount --make-rprivate / && mount -t tmpfs tmpfs /run || exit 77
export TIDYD_LOG=trace
mkdir -p /run/systemd/journal
python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(\"/run/systemd/journal/socket\")
time.sleep(600)' &
until [ -S /run/systemd/journal/socket ]; do :; done
exec \"$0\" --log-format journald";

#[test]
fn a_journald_that_does_not_read_stops_nobody() {
    let unshare = ["unshare", "-m", "sh", "-c"];
    let private = "mount --make-rprivate / && mount -t tmpfs tmpfs /run";
    if !works(&[&unshare[..], &[private]].concat()) || !works(&["python3", "--version"]) {
        return;
    }
    let world = World::new();
    let daemon = world.start_under(&[&unshare[..], &[STALLED]].concat());
    for n in 0..600 {
        world.write(format!("Downloads/f{n}.pdf"), Sample::Pdf.content(n));
    }
    world.wait_long();
    let status = world.ctl_json(["status"]);
    assert_eq!(status["totals"]["filed"], 600, "{status:#}");
    assert_eq!(world.log(&["--kind", "move"]).len(), 600);
    daemon.kill();
}
