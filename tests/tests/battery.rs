//! Files that wait while the machine runs on its battery.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "makes scratch files of its own")]

use std::fs;
use std::path::Path;

use tidy_tests::files::Sample;
use tidy_tests::{Mounts, World};

/// What Linux tells of a notebook.
fn notebook(at: &Path, plugged_in: bool) {
    let says = |path: &str, text: &str| {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    };
    says("AC/type", "Mains");
    says("AC/online", if plugged_in { "1" } else { "0" });
    says("BAT0/type", "Battery");
    says("BAT0/status", if plugged_in { "Charging" } else { "Discharging" });
}

#[test]
fn what_arrives_on_the_battery_is_filed_when_it_is_plugged_in() {
    let supplies = Path::new("/sys/class/power_supply");
    if !supplies.is_dir() {
        eprintln!("skipped, because nobody tells of batteries here");
        return;
    }
    let Some(mut mounts) = Mounts::private() else { return };
    if !mounts.tmpfs(supplies, "size=64k") {
        return;
    }
    notebook(supplies, false);
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"50ms\"\nlimits = { pause-on-battery = true }\n",
    );
    let daemon = world.start();
    let file = world.write("Downloads/a.pdf", Sample::Pdf.content(1));
    let waiting = || world.ctl(["status"]).ok().contains("on battery: 1 file").then_some(());
    tidy_tests::eventually("the file waits", waiting);
    let explained = world.ctl_at(&["explain"], &file).ok();
    assert!(explained.contains("runs on its battery"), "{explained}");
    assert!(file.exists());

    // Who asks for it does not wait.
    world.ctl_at(&["organize"], &file).ok();
    assert!(world.downloads().join("Documents/a.pdf").exists());

    let second = world.write("Downloads/b.pdf", Sample::Pdf.content(2));
    tidy_tests::eventually("the next one waits", waiting);
    assert!(second.exists());
    notebook(supplies, true);
    world.wait();
    assert!(!second.exists() && world.downloads().join("Documents/b.pdf").exists());
    assert_eq!(daemon.stop(), 0);
}
