//! What is wrong, told with and without the service, and how a client that cannot be served is told why.
#![expect(clippy::disallowed_methods, reason = "makes and removes its own scratch files")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use serde_json::Value;
use tidy_tests::files::Sample;
use tidy_tests::{Binary, Run, World, binary, eventually};

/// The findings of a run, and its exit code.
fn findings(world: &World) -> (i32, Vec<Value>) {
    let run = world.ctl(["doctor", "--json"]);
    let answer: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:?}"));
    assert_eq!(answer["ok"], run.code == 0, "{run:?}");
    (run.code, answer["findings"].as_array().expect("a list").clone())
}

fn level(findings: &[Value], name: &str) -> String {
    let rank = |f: &&Value| ["ok", "warning", "bad"].iter().position(|l| f["level"] == *l);
    let worst = findings.iter().filter(|f| f["name"] == name).max_by_key(rank);
    worst.map(|f| f["level"].as_str().expect("a word").to_owned()).unwrap_or_default()
}

#[test]
fn with_the_service_all_of_it_is_looked_at() {
    let world = World::new();
    world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let daemon = world.start();
    world.wait();
    let (code, found) = findings(&world);
    assert_eq!(code, 0, "{found:#?}");
    let names = [
        "config",
        "daemon",
        "folder",
        "confinement",
        "journal",
        "operations",
        "index",
        "catalog",
        "service",
        "state",
        "space",
        "clock",
        "errors",
    ];
    for name in names {
        assert!(["ok", "warning"].contains(&&*level(&found, name)), "{name}: {found:#?}");
    }
    if cfg!(target_os = "linux") {
        let watches = found.iter().find(|f| f["name"] == "watches").expect("looked at");
        let used = watches["detail"].as_str().unwrap().split(' ').next().unwrap();
        assert!(used.parse::<u64>().unwrap() > 0, "tidyd watches something: {watches}");
    }
    for f in &found {
        assert!(f["level"] == "ok" || f["name"] == "warning" || f["fix"].is_string(), "{f}");
    }
    let text = world.ctl(["doctor"]).ok();
    assert!(text.contains("ok    daemon       tidyd"), "{text}");

    // A folder that goes is found, and what to do.
    fs::remove_dir_all(world.downloads()).unwrap();
    eventually("the loss to be found", || {
        (level(&findings(&world).1, "folder") == "bad").then_some(())
    });
    assert_eq!(world.ctl(["doctor"]).code, 1);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn without_the_service_it_says_how_to_start_it_and_looks_at_the_rest() {
    let world = World::new();
    let (code, found) = findings(&world);
    assert_eq!((code, &*level(&found, "daemon")), (1, "bad"), "{found:#?}");
    assert_eq!(level(&found, "config"), "ok");
    let daemon = found.iter().find(|f| f["name"] == "daemon").unwrap();
    assert!(daemon["fix"].as_str().unwrap().contains("systemctl --user start tidyd"), "{daemon}");

    world.configure("watch = [\"~/Downloads\"]\nsetle = \"1s\"\n");
    assert_eq!(level(&findings(&world).1, "config"), "bad");
    world.configure("watch = [\"~/Downloads\", \"~/not there\"]\n");
    assert_eq!(level(&findings(&world).1, "folder"), "bad");
    fs::remove_file(world.config_file()).unwrap();
    let found = findings(&world).1;
    let config = found.iter().find(|f| f["name"] == "config").unwrap();
    assert_eq!((&config["level"], &config["fix"]), (&"bad".into(), &"tidyctl init".into()));

    // What an earlier run left.
    let state = world.state();
    fs::create_dir_all(state.join("journal")).unwrap();
    fs::write(state.join("journal/00000001.damaged"), "x").unwrap();
    fs::create_dir(state.join("store.corrupt-1")).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let found = findings(&world).1;
    for name in ["journal", "index", "state"] {
        assert_eq!(level(&found, name), "warning", "{name}: {found:#?}");
    }
}

#[test]
fn what_went_wrong_outlives_the_service() {
    let world = World::new();
    let daemon = world.start();
    world.configure("watch = [\"~/Downloads\"]\nsetle = \"1s\"\n");
    assert_eq!(world.ctl(["reload"]).code, 78);
    let told = world.ctl_json(["errors"]);
    let told = told.as_array().expect("a list");
    let about =
        |list: &[Value]| list.iter().any(|p| p["message"].as_str().unwrap().contains("setle"));
    assert!(about(told), "{told:#?}");
    assert!(told[0]["context"].as_array().expect("a list").iter().any(|c| c["name"] == "hint"));
    assert!(world.ctl(["errors"]).ok().contains("setle"));
    assert_eq!(world.ctl_json(["errors", "--limit", "1"]).as_array().unwrap().len(), 1);
    assert_eq!(level(&findings(&world).1, "errors"), "warning");
    world.configure("watch = [\"~/Downloads\"]\n");

    // Written down soon, so that it is there whatever comes next.
    let kept = world.state().join("errors");
    eventually("it to be written", || {
        fs::read_to_string(&kept).is_ok_and(|t| t.contains("setle")).then_some(())
    });
    daemon.kill();
    let run = world.ctl(["errors", "--json"]);
    let left: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(left.len(), told.len());
    assert!(about(&left), "{left:#?}");
    assert!(world.ctl(["errors"]).stderr.contains("not running"));
    let daemon = world.start();
    let list = world.ctl_json(["errors"]);
    assert!(about(list.as_array().unwrap()), "the next one has them, too: {list:#}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_client_that_is_not_served_is_told_why_and_what_to_do() {
    let world = World::new();
    let refused = |world: &World, code: i32, error: &str, hint: &str| {
        let run = world.ctl(["status"]);
        assert_eq!(run.code, code, "{run:?}");
        assert!(
            run.stderr.contains(error) && run.stderr.contains(hint),
            "{error}, {hint}: {run:?}"
        );
        // Doctor says the same.
        let found = findings(world).1;
        let daemon = found.iter().find(|f| f["name"] == "daemon").expect("looked at");
        assert!(daemon["detail"].as_str().unwrap().contains(error), "{daemon}");
        assert!(daemon["fix"].is_string(), "{daemon}");
    };
    refused(&world, 4, "nothing listens on", "systemctl --user start tidyd");

    // A daemon that was killed leaves its socket.
    world.start().kill();
    refused(&world, 4, "left its socket", "start it again");
    let daemon = world.start();
    world.ctl(["status"]).ok();
    assert_eq!(daemon.stop(), 0);

    // A newer and an older one.
    for (protocol, error, hint) in [
        (2, "tidyd speaks protocol 2 (version 9.9)", "upgrade tidyctl"),
        (0, "tidyd speaks protocol 0", "restart tidyd"),
    ] {
        let stranger = stranger(&world, protocol);
        refused(&world, 1, error, hint);
        drop(stranger);
    }
}

/// Something that speaks another version of the protocol.
struct Stranger(std::path::PathBuf);

fn stranger(world: &World, protocol: u8) -> Stranger {
    let listener = UnixListener::bind(world.socket()).unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            // {"protocol": N, "version": "9.9"}
            let hello = [&b"\xa2\x68protocol"[..], &[protocol], b"\x67version\x639.9"].concat();
            let frame = [&u32::try_from(hello.len()).unwrap().to_be_bytes()[..], &hello].concat();
            let _ = socket.write_all(&frame).and_then(|()| socket.read(&mut [0; 256]));
        }
    });
    Stranger(world.socket())
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The socket of another user.
#[test]
fn another_users_service_is_not_ours_to_ask() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped, because only root can be two users");
        return;
    }
    let world = World::new();
    let daemon = world.start();
    world.ctl(["status"]).ok();
    // The way there is open, the socket is not.
    let dir = world.socket().parent().unwrap().to_owned();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = world.command(binary(Binary::Tidyctl));
    std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    command.arg("status").env("HOME", "/").current_dir("/");
    if let Err(error) = command.output() {
        eprintln!("skipped, because another user cannot run the programs: {error}");
        return;
    }
    let run = Run::of(&mut command);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(
        run.stderr.contains("not allowed to use") && run.stderr.contains("as that user"),
        "{run:?}"
    );
    // Nor is it when the socket lets everybody in: the daemon looks at who asks.
    fs::set_permissions(world.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let run = Run::of(&mut command);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stderr.contains("serves another user"), "{run:?}");
    assert_eq!(daemon.stop(), 0);
}
