//! Long work: it goes on without whoever asked for it, can be come back to, and can be stopped.

use std::fs::File;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tidy_tests::{Binary, Run, World, binary, eventually, files};

/// More than any machine files before it is stopped in the middle of it.
const FILES: u32 = 3_000;

/// Whether a process has a handler of its own for SIGINT (proc(5), `SigCgt`).
fn hears_ctrl_c(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & (1 << (Signal::INT.as_raw() - 1)) != 0)
}

fn running(world: &World) -> Option<Value> {
    let jobs = world.ctl_json(["jobs"]);
    jobs.as_array().expect("a list").iter().find(|j| j["state"] == "running").cloned()
}

#[test]
fn ctrl_c_leaves_a_job_running_and_says_how_to_come_back() {
    if !std::path::Path::new("/proc/self/status").exists() {
        eprintln!("skipped, because there is no /proc here that says when to press Ctrl-C");
        return;
    }
    let world = World::new();
    let daemon = world.start();
    world.ctl(["pause"]).ok();
    files::make(&world.downloads(), FILES);
    let said = world.home().join("said");
    let mut command: Command = world.command(binary(Binary::Tidyctl));
    let output = File::create(&said).unwrap();
    let mut child = command
        .arg("organize")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .unwrap();
    eventually("the job to be followed", || hears_ctrl_c(child.id()).then_some(()));
    let job = eventually("it to run", || running(&world));
    // It cannot end before the key is pressed.
    daemon.signal(Signal::STOP);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let code = child.wait().unwrap().code();
    daemon.signal(Signal::CONT);
    let text = std::fs::read_to_string(&said).unwrap();
    assert_eq!(code, Some(130), "{text}");
    let id = job["id"].to_string();
    for part in ["goes on", &format!("tidyctl jobs --follow {id}"), &format!("tidyctl cancel {id}")]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Back, until the end.
    let followed = world.ctl_json(["jobs", "--follow", &id]);
    assert_eq!(
        (&followed[0]["id"], &followed[0]["state"]),
        (&job["id"], &"done".into()),
        "{followed}"
    );
    assert_eq!(followed[0]["outcome"]["organize"]["filed"], FILES, "{followed}");
    assert_eq!(world.ctl(["jobs", "--follow", "999"]).code, 1);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_job_that_is_cancelled_keeps_what_it_did() {
    let world = World::new();
    let daemon = world.start();
    world.ctl(["pause"]).ok();
    files::make(&world.downloads(), FILES);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| world.ctl(["organize"]));
        let job = eventually("it to run", || running(&world));
        let cancelled = world.ctl(["cancel", &job["id"].to_string()]).ok();
        assert!(cancelled.contains("stops after the file it is at"), "{cancelled}");
        let run: Run = asked.join().unwrap();
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.stdout.contains("cancelled before its end"), "{run:?}");
        let filed = world.log(&["--kind", "move", "--state", "done"]).len();
        let filed = u32::try_from(filed).unwrap();
        assert!(filed < FILES, "{filed}");
        let again = world.ctl_json(["organize"]);
        assert_eq!(again["filed"], FILES - filed, "the rest");
    });
    assert_eq!(daemon.stop(), 0);
}
