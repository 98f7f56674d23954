//! A client in another language, written from `docs/protocol.md` alone, does what a person would.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidy_tests::files::Sample;
use tidy_tests::{Run, World, works};

/// A Python that has the package: the one that is there, or one of our own with the package from the registry. `None`,
/// having said why, where neither can be had.
fn python() -> Option<PathBuf> {
    let has_it = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", "import cbor2"]).stdin(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    let system = PathBuf::from("python3");
    if has_it(&system) {
        return Some(system);
    }
    // Kept for the next run.
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = own.join("bin/python");
    if has_it(&python) {
        return Some(python);
    }
    let own = own.to_str()?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "cbor2==5.*"];
    let pip = [&["timeout", "180", python.to_str()?], &install[..]].concat();
    let made = works(&["timeout", "120", "python3", "-m", "venv", own]) && works(&pip);
    (made && has_it(&python)).then_some(python)
}

#[test]
fn a_client_in_python_files_a_file_and_puts_it_back() {
    let Some(python) = python() else { return };
    let world = World::new();
    world.configure(
        "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n\
         duplicates = { scope = [\"~/Downloads\"], others = \"report\" }\n[default]\ndocument = \"Documents/\"\n",
    );
    for name in ["one", "two"] {
        world.write(format!("Downloads/{name}.bin"), [7, 0, 250].repeat(5_000));
    }
    let daemon = world.start();
    world.wait();
    world.ctl(["pause"]).ok();
    let file = world.write("Downloads/caf\u{e9} 1.pdf", Sample::Pdf.content(1));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("client.py");
    let mut command = world.command(python);
    command.arg(script).arg(world.socket()).arg(&file);
    let said = Run::of(&mut command).ok();
    let found: serde_json::Value = serde_json::from_str(&said).expect("one object");
    assert_eq!((&found["filed"], &found["restored"]), (&1.into(), &1.into()), "{found}");
    assert!(file.exists());
    assert_eq!(daemon.stop(), 0);
}
