//! What a hostile machine or neighbour does: system calls that fail, disks that are full, files that change under our
//! hands. Whatever happens, nothing is lost, and tidyd ends with one of its own codes.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tidy_tests::files::Sample;
use tidy_tests::{Binary, Run, World, binary, eventually, works};

/// Runs `tidyd --once` with the `when`-th call of `call` failing; `None` when there are not as many.
fn once_with_fault(world: &World, call: &str, error: &str, when: u32) -> Option<Run> {
    let trace = world.home().join("trace");
    let mut command = world.command("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e"]);
    command.arg(format!("inject={call}:error={error}:when={when}")).arg("-o").arg(&trace);
    let run = Run::of(command.arg(binary(Binary::Tidyd)).arg("--once"));
    let injected = fs::read_to_string(&trace).unwrap().contains("(INJECTED)");
    fs::remove_file(&trace).unwrap();
    injected.then_some(run)
}

/// Makes all calls of one kind fail in a daemon that is running, until it goes out of scope.
struct Faults(Child);

impl Faults {
    fn into(daemon: &ByHand, call: &str, error: &str) -> Self {
        let pid = daemon.0.id().to_string();
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
        command.arg(format!("inject={call}:error={error}")).args(["-p", &pid]);
        let child = command.spawn().expect("strace");
        let tracer = format!("TracerPid:\t{}\n", child.id());
        let tasks = format!("/proc/{pid}/task");
        eventually("strace to have every thread", || {
            let traced = |task: fs::DirEntry| {
                let status = fs::read_to_string(task.path().join("status"));
                status.is_ok_and(|status| status.contains(&tracer))
            };
            fs::read_dir(&tasks).unwrap().flatten().all(traced).then_some(())
        });
        Self(child)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        // It may have ended with what it traced.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon that nobody starts again when it ends, so that it stays as it is.
struct ByHand(Child);

impl ByHand {
    fn start(world: &World) -> Self {
        let mut command = world.command(binary(Binary::Tidyd));
        command.env_remove("NOTIFY_SOCKET").stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Self(command.spawn().expect("own program"));
        eventually("tidyd to answer", || (world.ctl(["status"]).code == 0).then_some(()));
        daemon
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const STRACE: [&str; 5] = ["strace", "-qq", "-o", "/dev/null", "true"];

/// One `fsync` after the other fails: those of the directories, of the journal, and the last one of the store.
#[test]
fn a_failed_sync_is_told_and_is_never_a_panic() {
    if !works(&STRACE) {
        return;
    }
    for when in 1..100 {
        let world = World::new();
        for (n, sample) in Sample::ALL.into_iter().enumerate() {
            let name = format!("Downloads/{n}.{}", sample.extension());
            world.write(name, sample.content(u32::try_from(n).unwrap()));
        }
        let before = world.snapshot();
        let Some(run) = once_with_fault(&world, "fsync", "EIO", when) else {
            assert!(when > 5, "there are some");
            return;
        };
        assert!([0, 1, 3].contains(&run.code), "sync {when}: {run:?}");
        assert!(!run.stderr.contains("panicked"), "sync {when}: {run:?}");
        assert_eq!(before.lost_by(&world.snapshot()), Vec::<PathBuf>::new());

        world.tidyd(&["--once"]).ok();
        let left = fs::read_dir(world.downloads()).unwrap().flatten();
        let files: Vec<_> = left.filter(|e| e.path().is_file()).map(|e| e.file_name()).collect();
        assert!(files.is_empty(), "sync {when}: the next run files what is left: {files:?}");
    }
    panic!("so many syncs for a few files");
}

/// sled refuses everything after one write of its has failed. Only what it holds may be missing from the answers then, and
/// filing and `health` go on.
#[test]
fn when_the_store_cannot_be_written_status_and_health_say_so_and_filing_goes_on() {
    if !works(&STRACE) {
        return;
    }
    let world = World::new();
    let daemon = ByHand::start(&world);
    // The journal appends with write(2), the store writes at places.
    let _faults = Faults::into(&daemon, "pwrite64", "ENOSPC");
    let mut files = 0;
    let health = eventually("the store to be out of order", || {
        files += 1;
        world.write(format!("Downloads/{files}.pdf"), Sample::Pdf.content(files));
        world.wait();
        let health = world.ctl(["health"]);
        health.stdout.contains("BAD  index").then_some(health)
    });
    assert_eq!(health.code, 1, "{health:?}");
    assert!(health.stdout.contains("restart tidyd"), "{health:?}");
    assert!(world.ctl(["status"]).ok().contains("restart tidyd"));

    files += 1;
    world.write(format!("Downloads/{files}.pdf"), Sample::Pdf.content(files));
    world.wait();
    let filed = |n: &u32| world.downloads().join(format!("Documents/{n}.pdf")).exists();
    assert!((1..=files).all(|n| filed(&n)));
    drop(daemon);
    let _daemon = world.start();
    world.ctl(["rollback", "--since", "1h", "--yes"]).ok();
    let back = |n: &u32| world.downloads().join(format!("{n}.pdf")).exists();
    assert!((1..=files).all(|n| back(&n)), "the log knows of all of them");
}

/// A copy to another disk that cannot be given its mode or its times is no copy: the file stays where it was.
#[test]
fn a_copy_without_its_mode_or_times_is_not_made() {
    if !works(&STRACE) {
        return;
    }
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped, because /dev/shm cannot be written");
        return;
    };
    for call in ["fchmod", "utimensat"] {
        let world = World::new();
        let destination = format!("{}/{call}/", other.path().display());
        fs::create_dir(&destination).unwrap();
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\n[[rule]]\nname = \"away\"\nwhen = {{}}\nmove = \"{destination}\"\n"
        ));
        world.write("Downloads/a.txt", "some text");
        let before = world.snapshot();
        let Some(run) = once_with_fault(&world, call, "EIO", 1) else {
            eprintln!("skipped, because /dev/shm is not another file system here");
            return;
        };
        assert_eq!(run.code, 3, "{call}: {run:?}");
        assert_eq!(before.lost_by(&world.snapshot()), Vec::<PathBuf>::new(), "{call}");
        assert_eq!(fs::read_dir(&destination).unwrap().count(), 0, "{call}: no left-overs");
    }
}
