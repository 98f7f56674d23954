//! What a hostile machine or neighbour does: system calls that fail, disks that are full, files that change under our
//! hands. Whatever happens, nothing is lost, and tidyd ends with one of its own codes.
#![expect(clippy::disallowed_methods, reason = "puts its own scratch files where tidyd finds them")]

use std::fs;
use std::path::PathBuf;

use tidy_tests::files::Sample;
use tidy_tests::{Binary, Run, World, binary, works};

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

/// One `fsync` after the other fails: those of the directories, of the journal, and the last one of the store.
#[test]
fn a_failed_sync_is_told_and_is_never_a_panic() {
    if !works(&["strace", "-qq", "-o", "/dev/null", "true"]) {
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
