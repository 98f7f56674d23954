//! `tidyd@.service` under the manager of a running system: systemd as process 1, in namespaces of its own.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "writes into a home in memory")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use tidy_tests::files::Sample;
use tidy_tests::{SystemManager, eventually};

const USER: &str = "tidy-server";
const UNIT: &str = "tidyd@tidy-server.service";
const CONFIG: &str = "watch = [\"~/Inbox\"]\nsettle = \"50ms\"\ndefault = {}\n[[rule]]\nname = \"papers\"\n\
                      when = { name = \"*.pdf\" }\nmove = \"~/Papers/\"\n";

/// A system with one user, who has never logged in, and a configuration of that user's.
struct Server(SystemManager);

impl Server {
    fn new() -> Option<Self> {
        let server = Self(SystemManager::boot()?);
        server.0.run(&["useradd", "--create-home", "--shell", "/bin/sh", USER]).ok();
        let places = ["Inbox", "Papers", ".config/tidyd"].map(|dir| format!("/home/{USER}/{dir}"));
        let mut make = vec!["mkdir", "-p"];
        make.extend(places.iter().map(String::as_str));
        server.user(&make).ok();
        server.configure(CONFIG);
        Some(server)
    }

    fn user(&self, line: &[&str]) -> tidy_tests::Run {
        self.0.run_as(USER, line)
    }

    fn ctl(&self, verb: &[&str]) -> tidy_tests::Run {
        self.user(&[&["tidyctl"], verb].concat())
    }

    fn systemctl(&self, line: &[&str]) -> tidy_tests::Run {
        self.0.run(&[&["systemctl"], line].concat())
    }

    fn configure(&self, text: &str) {
        let file = self.0.path(&format!("/home/{USER}/.config/tidyd/config.toml"));
        fs::write(file, text).unwrap();
    }

    fn property(&self, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, UNIT]).ok().trim().to_owned()
    }

    /// A file comes, and its inode.
    fn arrives(&self, name: &str, n: u32) -> u64 {
        let inbox = self.0.path(&format!("/home/{USER}/Inbox"));
        let file = inbox.join(name);
        fs::write(&file, Sample::Pdf.content(n)).unwrap();
        let user = inbox.metadata().unwrap();
        std::os::unix::fs::chown(&file, Some(user.uid()), Some(user.gid())).unwrap();
        file.metadata().unwrap().ino()
    }

    #[track_caller]
    fn is_filed(&self, name: &str, inode: u64) {
        self.ctl(&["wait", "--timeout", "60s"]).ok();
        let filed = self.0.path(&format!("/home/{USER}/Papers/{name}"));
        let filed = filed.metadata().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(filed.ino(), inode, "renamed, not copied: no mount is in between");
    }

    /// The number of its process, once it is another one than `before`.
    #[track_caller]
    fn started_anew(&self, before: &str) -> String {
        eventually("the service to be started anew", || {
            let pid = self.property("MainPID");
            (self.property("ActiveState") == "active" && pid != before).then_some(pid)
        })
    }
}

#[test]
fn a_user_who_is_not_there_is_served_by_the_system() {
    let Some(server) = Server::new() else { return };
    server.systemctl(&["enable", "--now", "tidyd@tidy-server"]).ok();
    let first = server.property("MainPID");
    assert_eq!(server.property("Type"), "notify", "so the start has waited for READY=1");
    eventually("it to say so", || {
        server.property("StatusText").contains("watching 1 folder").then_some(())
    });
    let inode = server.arrives("a.pdf", 1);
    server.is_filed("a.pdf", inode);
    server.ctl(&["health"]).ok();
    server.ctl(&["rollback", "--last", "--yes"]).ok();
    assert!(server.0.path("/home/tidy-server/Inbox/a.pdf").exists());

    // What it was denied.
    let status = server.0.run(&["cat", &format!("/proc/{first}/status")]).ok();
    for line in ["CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(line), "{line} in {status}");
    }
    let mounts = server.0.run(&["cat", &format!("/proc/{first}/mounts")]).ok();
    let options = |at: &str| {
        let line = mounts.lines().find(|l| l.split(' ').nth(1) == Some(at));
        line.and_then(|l| l.split(' ').nth(3)).unwrap_or_else(|| panic!("{at} in {mounts}"))
    };
    for read_only in ["/usr", "/etc"] {
        assert!(options(read_only).split(',').any(|o| o == "ro"), "{read_only} in {mounts}");
    }
    assert!(options("/home").split(',').any(|o| o == "rw"), "{mounts}");
    let confined = server.ctl(&["status", "--json"]).ok();
    assert!(confined.contains("\"confinement\""), "{confined}");
    let socket = server.0.path("/run/tidyd/tidy-server").metadata().unwrap();
    assert_eq!(socket.mode() & 0o777, 0o700);
    let stranger = server.0.run_as("nobody", &["tidyctl", "--socket", SOCKET, "status"]);
    assert_eq!(stranger.code, 5, "{stranger:?}");

    // A reload returns when it is in force, and fails when it is refused.
    server.configure(&CONFIG.replace("*.pdf", "b*"));
    server.systemctl(&["reload", UNIT]).ok();
    let (kept, inode) = (server.arrives("kept.pdf", 2), server.arrives("b.pdf", 3));
    server.is_filed("b.pdf", inode);
    assert_eq!(server.0.path("/home/tidy-server/Inbox/kept.pdf").metadata().unwrap().ino(), kept);
    server.configure("watch = 7\n");
    assert_ne!(server.systemctl(&["reload", UNIT]).code, 0);
    assert_eq!(server.property("MainPID"), first);
    server.configure(CONFIG);

    // A crash, and a hang that the watchdog finds.
    server.systemctl(&["kill", "--signal=KILL", UNIT]).ok();
    let second = server.started_anew(&first);
    let dropin = server.0.path("/etc/systemd/system/tidyd@.service.d");
    fs::create_dir_all(&dropin).unwrap();
    fs::write(dropin.join("test.conf"), "[Service]\nWatchdogSec=5s\n").unwrap();
    server.systemctl(&["daemon-reload"]).ok();
    server.systemctl(&["restart", UNIT]).ok();
    let third = server.started_anew(&second);
    server.systemctl(&["kill", "--signal=STOP", UNIT]).ok();
    let fourth = server.started_anew(&third);
    let inode = server.arrives("c.pdf", 4);
    server.is_filed("c.pdf", inode);

    server.systemctl(&["disable", "--now", UNIT]).ok();
    assert_eq!(
        (server.property("ActiveState"), server.property("Result")),
        ("inactive".into(), "success".into())
    );
    assert!(!server.0.path(&format!("/proc/{fourth}")).exists());
    assert_eq!(server.ctl(&["status"]).code, 4);
}

const SOCKET: &str = "/run/tidyd/tidy-server/control.sock";

#[test]
fn whoever_asks_first_starts_it() {
    let Some(server) = Server::new() else { return };
    server.systemctl(&["start", "tidyd@tidy-server.socket"]).ok();
    assert_eq!(server.property("ActiveState"), "inactive");
    let socket = server.0.path(SOCKET).metadata().unwrap();
    let user = server.0.path("/home/tidy-server").metadata().unwrap();
    assert_eq!((socket.uid(), socket.mode() & 0o777), (user.uid(), 0o600));
    // It answers a moment before it says that all is being watched.
    let is_active = || (server.property("ActiveState") == "active").then_some(());
    server.ctl(&["status"]).ok();
    eventually("the service to be ready", is_active);
    // The socket outlives the service, and the next question starts that again.
    server.systemctl(&["stop", UNIT]).ok();
    server.ctl(&["status"]).ok();
    eventually("the service to be ready again", is_active);
}
