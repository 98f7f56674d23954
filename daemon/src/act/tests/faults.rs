//! Errors from the system at every call of a step, injected by `strace` into a process of its own.

use std::process::{Command, Stdio};

use super::*;

const DIRECTORY: &str = "TIDYD_TEST_FAULT_DIRECTORY";
const KIND: &str = "TIDYD_TEST_FAULT_KIND";
/// Set to any value: every single fault instead of every fifth (a minute instead of seconds).
const ALL: &str = "TIDYD_TEST_ALL_FAULTS";
const KINDS: [StepKind; 5] =
    [StepKind::Move, StepKind::Copy, StepKind::Trash, StepKind::Restore, StepKind::Tag];

/// Calls that look, and calls that change.
const CALLS: [&str; 16] = [
    "openat",
    "openat2",
    "statx",
    "newfstatat",
    "renameat2",
    "linkat",
    "unlinkat",
    "mkdirat,mkdir",
    "fsync",
    "pread64",
    "pwrite64",
    "write",
    "fchmod",
    "utimensat",
    "fgetxattr",
    "fsetxattr",
];

/// The operation of one run, from what is on the disk.
fn operation(kind: StepKind, from: &Path, to: &Path) -> Operation {
    let place = |base: &Path, rel: &str| Place::new(Arc::from(base), rel.into()).unwrap();
    let trash = to.join("Trash");
    if kind == StepKind::Tag {
        return tags::tagging(&place(from, "f"), None, Some("invoice"));
    }
    let (src, dst) = match kind {
        StepKind::Trash => (place(from, "f"), place(&trash, "files/f")),
        StepKind::Restore => (place(&trash, "files/f"), place(from, "f")),
        _ => (place(from, "f"), place(to, "f")),
    };
    step(kind, Some(&src), Some(&dst))
}

/// Performs one operation and writes down what came of it.
#[test]
#[ignore = "only run by the sweep below, in a process that suffers errors"]
fn one_operation_under_faults() {
    let base = PathBuf::from(std::env::var_os(DIRECTORY).expect("set by the sweep"));
    let kind = std::env::var(KIND).unwrap();
    let kind = *KINDS.iter().find(|k| k.as_str() == kind).unwrap();
    let real = |name: &str| base.join(name).canonicalize().unwrap();
    let mut op = operation(kind, &real("in"), &real("out"));
    let mut unsynced = Unsynced::default();
    let marker = base.join("verified");
    let result = crate::act::perform(&op, &mut unsynced, &mut Marker(marker.clone()));
    // As the journal does it.
    let unsettled = matches!(&result, Err(e) if e.event().is_none());
    if unsettled && marker.exists() {
        op.state = OpState::Verified;
    }
    let settled = unsettled.then(|| recover(&op));
    // What cannot be made durable is told to the journal, and changes nothing about where files are.
    let _ = unsynced.sync();
    let outcome = match settled {
        None => {
            if result.is_ok() {
                "done"
            } else {
                "failed"
            }
        }
        Some(Ok(Recovered::Done(_))) => "done",
        Some(Ok(Recovered::Aborted(_))) => "failed",
        Some(end) => panic!("not settled: {end:?}"),
    };
    fs::write(base.join("outcome"), outcome).unwrap();
}

/// A journal of one bit.
struct Marker(PathBuf);

impl Checkpoint for Marker {
    fn verified(&mut self, _: &Operation) -> Result<(), ActError> {
        fs::write(&self.0, "").map_err(|e| ActError::Journal(e.to_string()))
    }
}

/// Runs one operation with the `n`-th call of a kind failing. Returns whether that call came, and what
/// the process said in the end, if it got there.
fn run(g: &Ground, kind: StepKind, call: &str, error: &str, n: usize) -> (bool, Option<String>) {
    let base = g.from.parent().unwrap();
    let trace = base.join("trace");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o"])
        .arg(&trace)
        .arg(format!("--trace={call}"))
        .arg(format!("--inject={call}:error={error}:when={n}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "act::tests::faults::one_operation_under_faults"])
        .arg("--test-threads=1")
        .env(DIRECTORY, base)
        .env(KIND, kind.as_str())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = {
        let _starting = starting();
        command.spawn()
    };
    child.unwrap().wait().unwrap();
    let hit = fs::read_to_string(trace).unwrap().contains("(INJECTED)");
    (hit, fs::read_to_string(base.join("outcome")).ok())
}

fn strace_works() -> bool {
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "--trace=fsync", "--inject=fsync:error=EIO", "true"])
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|s| s.success())
}

#[test]
fn no_failing_call_loses_a_file() {
    if !strace_works() {
        eprintln!("skipped, because strace cannot be used here");
        return;
    }
    let mut faults = 0;
    for two in [false, true] {
        for kind in KINDS {
            for (i, call) in CALLS.into_iter().enumerate() {
                // Which error it is hardly matters, but "no such call" must not be among them.
                let error = ["EIO", "EACCES", "ENOSPC"][i % 3];
                let every = if std::env::var_os(ALL).is_some() { 1 } else { 5 };
                for n in (1 + i % every..).step_by(every) {
                    let g = if two { across() } else { Some(Ground::quick()) };
                    let Some(g) = g else { break };
                    put(&g.src("f"), "hello");
                    if kind == StepKind::Restore {
                        perform(&operation(StepKind::Trash, &g.from, &g.to)).unwrap();
                    }
                    if kind == StepKind::Tag && tags::ground(None).is_none() {
                        break;
                    }
                    let mut op = operation(kind, &g.from, &g.to);
                    let (hit, outcome) = run(&g, kind, call, error, n);
                    if !hit {
                        break;
                    }
                    faults += 1;
                    let at = format!("{} two={two} {call}:{error}:{n}: {outcome:?}", kind.as_str());
                    check(&g, &mut op, outcome.as_deref(), &at);
                }
            }
        }
    }
    assert!(faults > 100, "only {faults} faults");
}

/// `in` on one device and, through a symlink that nothing follows, `out` on another.
fn across() -> Option<Ground> {
    let g = Ground::two()?;
    let base = g.from.join("base");
    let (from, to): (Arc<Path>, Arc<Path>) = (Arc::from(base.join("in")), g.to.clone());
    fs::create_dir_all(&from).unwrap();
    std::os::unix::fs::symlink(&to, base.join("out")).unwrap();
    Some(Ground { _dirs: g._dirs, from, to })
}

#[track_caller]
fn check(g: &Ground, op: &mut Operation, outcome: Option<&str>, at: &str) {
    if op.step.kind == StepKind::Tag {
        return check_tags(op, outcome, at);
    }
    let (src, dst) = (op.step.src.clone().unwrap(), op.step.dst.clone().unwrap());
    let there = |p: &Place| fs::read(p.path()).is_ok_and(|c| c == b"hello");
    assert!(there(&src) || there(&dst) || !g.leftovers().is_empty(), "{at}: lost");
    match outcome {
        Some("done") => {
            assert!(there(&dst), "{at}");
            assert_eq!(there(&src), op.step.kind == StepKind::Copy, "{at}");
            assert!(g.leftovers().is_empty(), "{at}: {:?}", g.leftovers());
        }
        Some(_) => {
            assert!(there(&src), "{at}: failed, and the source is gone: {:?}", g.files());
            assert!(g.leftovers().is_empty(), "{at}: {:?}", g.leftovers());
        }
        None => {
            if g.from.with_file_name("verified").exists() {
                op.state = OpState::Verified;
            }
            let end = recover(op).expect(at);
            let done = matches!(end, Recovered::Done(_));
            assert!(if done { there(&dst) } else { there(&src) }, "{at}: {end:?}");
        }
    }
}

/// The tags are those of before or those of after, as was told.
#[track_caller]
fn check_tags(op: &Operation, outcome: Option<&str>, at: &str) {
    let done = match outcome {
        Some(outcome) => outcome == "done",
        None => matches!(recover(op).expect(at), Recovered::Done(_)),
    };
    let src = op.step.src.as_ref().unwrap();
    let expected = done.then(|| b"invoice".to_vec());
    assert_eq!((tags::tags(src), text(src).as_str()), (expected, "hello"), "{at}");
}
