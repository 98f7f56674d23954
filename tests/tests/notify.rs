//! What is filed is told on the desktop: one notification for a batch, over a real session bus.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "starts a bus of its own")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tidy_tests::{Daemon, World, eventually, works};

/// A bus, and what was sent over it.
struct Bus {
    children: Vec<Child>,
    address: String,
    seen: PathBuf,
}

impl Drop for Bus {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Bus {
    /// `None` where the programs for it are not installed.
    fn new(world: &World) -> Option<Self> {
        let sends = works(&["notify-send", "--version"]) || works(&["busctl", "--version"]);
        if !sends || !works(&["dbus-daemon", "--version"]) || !works(&["dbus-monitor", "--help"]) {
            return None;
        }
        let dir = world.home().with_file_name("bus");
        fs::create_dir_all(&dir).unwrap();
        let address = format!("unix:path={}", dir.join("socket").display());
        let mut bus = Self { children: Vec::new(), address, seen: dir.join("seen") };
        let quiet = |program: &str| {
            let mut command = Command::new(program);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let own = format!("--address={}", bus.address);
        bus.children
            .push(quiet("dbus-daemon").args(["--session", "--nofork", &own]).spawn().unwrap());
        eventually("the bus is there", || dir.join("socket").exists().then_some(()));
        let seen = fs::File::create(&bus.seen).unwrap();
        let wanted = "type='method_call',interface='org.freedesktop.Notifications'";
        let mut monitor = quiet("dbus-monitor");
        monitor.args(["--address", &bus.address, wanted]).stdout(seen);
        bus.children.push(monitor.spawn().unwrap());
        // It says which name it has got when it listens.
        eventually("the monitor listens", || bus.seen().contains("NameAcquired").then_some(()));
        Some(bus)
    }

    fn seen(&self) -> String {
        fs::read_to_string(&self.seen).unwrap_or_default()
    }

    fn told(&self) -> usize {
        self.seen().matches("member=Notify").count()
    }
}

/// A daemon that is told where the bus is.
fn start(world: &World, address: &str) -> Daemon {
    let script = format!("DBUS_SESSION_BUS_ADDRESS='{address}' \"$0\"; exit $?");
    world.start_under(&["sh", "-c", &script])
}

const CONFIG: &str = r#"
watch = ["~/Downloads"]
settle = "300ms"
default = {}

[[rule]]
name = "bills"
when = { name = "bill*" }
move = "~/Bills/"
notify = "{files} <for> the accountant in {folder}"

[[rule]]
name = "silent"
when = { name = "other*" }
move = "~/Other/"
"#;

#[test]
fn a_batch_is_told_once_and_what_a_person_asks_for_is_not() {
    let world = World::new();
    let Some(bus) = Bus::new(&world) else { return };
    world.configure(CONFIG);
    world.write("Downloads/other.txt", "other");
    let daemon = start(&world, &bus.address);
    world.wait();
    for n in 0..20 {
        world.write(format!("Downloads/bill {n}.txt"), format!("{n}"));
    }
    world.wait();
    let seen =
        eventually("it is told", || Some(bus.seen()).filter(|s| s.contains("member=Notify")));
    assert!(seen.contains("&lt;for&gt; the accountant in ~/Bills"), "{seen}");
    assert!(seen.contains("string \"tidyd\""), "{seen}");
    assert!(!seen.contains("silent"), "{seen}");
    // However the files came: not one for each.
    let told = bus.told();
    assert!(told <= 2, "{told}: {seen}");

    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    world.ctl_at(&["organize"], &world.downloads()).ok();
    assert!(bus.told() <= 2, "{}", bus.seen());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn without_a_desktop_nothing_waits_and_nothing_fails() {
    let world = World::new();
    world.configure(&format!("notify = true\n{CONFIG}"));
    world.write("Downloads/bill.txt", "a");
    let daemon = start(&world, "unix:path=/nowhere/at/all");
    world.wait();
    assert!(world.home().join("Bills/bill.txt").exists());
    eventually("the log says so", || {
        daemon.output().contains("nothing can be told on the desktop").then_some(())
    });
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_configuration_says_what_is_wrong_with_its_notifications() {
    let world = World::new();
    for (rest, expected) in [
        ("move = \"a/\"\nnotify = \"{nme}\"", "unknown placeholder `{nme}`"),
        ("move = \"a/\"\nnotify = 3", "true, false or a text"),
        ("leave = true\nnotify = true", "nothing is told of files that are left"),
    ] {
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\n[[rule]]\nname = \"a\"\nwhen = {{}}\n{rest}\n"
        ));
        let run = world.tidyd(&["--check"]);
        assert_eq!(run.code, 78, "{run:?}");
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
}
