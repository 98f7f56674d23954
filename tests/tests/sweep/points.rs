//! Where something can happen: found by looking at a run in which nothing does.

use crate::ground::{Ground, at_hand};
use crate::inject::{self, Scope};
use crate::scenario::SCENARIOS;
use crate::stage::Stage;

/// Calls that change something.
pub(crate) const KILLS: [&str; 22] = [
    "renameat2",
    "rename",
    "linkat",
    "symlinkat",
    "unlinkat",
    "unlink",
    "mkdirat",
    "mkdir",
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "ftruncate",
    "fallocate",
    "fchmod",
    "fchown",
    "utimensat",
    "fsetxattr",
    "fremovexattr",
    "ioctl",
];

/// Calls that change something where recovery settles it.
pub(crate) const SETTLED: [&str; 10] = [
    "renameat2",
    "linkat",
    "symlinkat",
    "unlinkat",
    "mkdirat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "fchmod",
];

/// What can go wrong with which call: on the way to a file, on the disk, for want of space; once, or, with a `+`, from then
/// on.
pub(crate) const ERRORS: [(&str, &[&str]); 32] = [
    (
        "renameat2",
        &["EIO", "EACCES", "ENOSPC", "EROFS", "EXDEV", "EDQUOT", "EINTR", "EINVAL", "EIO+"],
    ),
    ("rename", &["EIO", "EACCES", "ENOSPC", "EROFS"]),
    ("linkat", &["EIO", "EACCES", "ENOSPC", "EROFS", "EXDEV", "EPERM", "EMLINK"]),
    ("symlinkat", &["EIO", "EACCES", "ENOSPC", "EROFS", "EDQUOT"]),
    ("unlinkat", &["EIO", "EACCES", "EROFS", "EIO+"]),
    ("unlink", &["EIO", "EACCES", "EROFS"]),
    ("mkdirat", &["EIO", "EACCES", "ENOSPC", "EROFS", "EDQUOT", "ENOSPC+"]),
    ("mkdir", &["EIO", "EACCES", "ENOSPC"]),
    ("openat", &["EIO", "EACCES", "ENOSPC", "EMFILE"]),
    ("openat2", &["EIO", "EMFILE", "EIO+"]),
    ("write", &["EIO", "ENOSPC", "EDQUOT", "EINTR", "ENOSPC+"]),
    ("pwrite64", &["EIO", "ENOSPC", "EDQUOT", "EINTR", "ENOSPC+"]),
    ("fsync", &["EIO", "ENOSPC", "EDQUOT", "EINTR", "EIO+"]),
    ("fdatasync", &["EIO", "ENOSPC", "EDQUOT", "EINTR", "EIO+"]),
    ("sync_file_range", &["EIO", "ENOSPC"]),
    ("ftruncate", &["EIO", "ENOSPC", "EINTR"]),
    ("fchmod", &["EIO", "EACCES", "EROFS"]),
    ("fchown", &["EIO", "EACCES", "EROFS"]),
    ("utimensat", &["EIO", "EACCES", "EROFS"]),
    ("fsetxattr", &["EIO", "EACCES", "ENOSPC", "EDQUOT"]),
    ("fremovexattr", &["EIO", "EACCES", "ENOSPC"]),
    ("flistxattr", &["EIO", "EACCES"]),
    ("fgetxattr", &["EIO", "EACCES"]),
    ("ioctl", &["EIO", "EXDEV", "ENOSPC"]),
    ("faccessat2", &["EIO", "EACCES", "EROFS"]),
    ("statx", &["EIO"]),
    ("newfstatat", &["EIO"]),
    ("fstat", &["EIO"]),
    ("getdents64", &["EIO"]),
    ("readlink", &["EIO"]),
    ("pread64", &["EIO", "EINTR"]),
    ("read", &["EIO"]),
];

/// The kill before the one at hand.
#[derive(Clone)]
pub(crate) struct First {
    pub(crate) stage: Stage,
    scenario: usize,
    scope: Scope,
    call: String,
    n: usize,
}

impl First {
    pub(crate) fn of(point: &Point) -> Self {
        let Point { stage, scenario, scope, ref call, n, .. } = *point;
        Self { stage, scenario, scope, call: call.clone(), n }
    }
}

/// One system call of one run, and what happens there.
pub(crate) struct Point {
    pub(crate) scenario: usize,
    pub(crate) stage: Stage,
    pub(crate) scope: Scope,
    pub(crate) call: String,
    pub(crate) happens: &'static str,
    pub(crate) n: usize,
    pub(crate) after: Option<First>,
}

impl Point {
    pub(crate) fn name(&self) -> String {
        let first = self.after.as_ref().map_or_else(String::new, |f| {
            format!("{}/{}/{}/{}, ", f.stage.name(), f.scope.name(), f.call, f.n)
        });
        format!(
            "{}/{first}{}/{}/{}/{}/{}",
            SCENARIOS[self.scenario].name,
            self.stage.name(),
            self.scope.name(),
            self.call,
            self.happens,
            self.n
        )
    }

    /// Kill after kill.
    pub(crate) fn strokes(&self) -> Vec<(Stage, Scope, &str, usize)> {
        let first = self.after.iter().map(|f| (f.stage, f.scope, f.call.as_str(), f.n));
        first.chain([(self.stage, self.scope, self.call.as_str(), self.n)]).collect()
    }
}

/// Every point of a stage, in all scenarios.
pub(crate) fn of(
    stage: Stage,
    scope: Scope,
    wanted: &[(&'static str, &'static [&'static str])],
) -> Vec<Point> {
    let mut points = Vec::new();
    let calls = wanted.iter().map(|w| w.0).collect::<Vec<_>>().join(",");
    for (scenario, what) in at_hand() {
        let ground = Ground::new(what);
        ground.prepare(stage);
        let ended = ground.carry_out(stage, scope, &calls, None);
        assert!(ended.went_well(scope), "{:?}", ended.run);
        let counts = inject::counts(&ended.trace);
        let alone = ground.is_alone(stage);
        let idle = if alone { ground.idle(&calls) } else { Default::default() };
        for &(call, happens) in wanted {
            if scope == Scope::Linking && call == "renameat2" {
                continue;
            }
            // What the loader of programs does comes first.
            let from = if scope == Scope::All { idle.get(call).copied().unwrap_or(0) } else { 0 };
            // A process that is asked writes to its clients and to itself, and the journal's files have a
            // scope of their own; where nothing can be written any more, nobody can be told either.
            let own = scope == Scope::All && call == "write";
            if own && !alone && happens != ["KILL"] {
                continue;
            }
            let on = |h: &&&str| !(own && h.ends_with('+'));
            for n in from + 1..=counts.get(call).copied().unwrap_or(0) {
                points.extend(happens.iter().filter(on).map(|happens| Point {
                    scenario,
                    stage,
                    scope,
                    call: call.to_owned(),
                    happens,
                    n,
                    after: None,
                }));
            }
        }
    }
    points
}

/// The start after a kill, as far as it can be told from another: the calls it makes and the names in them.
pub(crate) type Recovery = (usize, Vec<String>);

fn recovery(first: &First, trace: &str) -> Recovery {
    let plain = |line: &str| {
        let (_, call) = line.split_once(' ')?;
        let (call, arguments) = call.trim_start().split_once('(')?;
        // What is written says when that was, and whole paths lead to another scratch directory each time.
        let names = if call.contains("write") { "" } else { arguments };
        let names = names.split('"').skip(1).step_by(2).filter(|name| !name.starts_with('/'));
        Some([call].into_iter().chain(names).collect::<Vec<_>>().join(" "))
    };
    let mut calls: Vec<_> = trace.lines().filter_map(plain).collect();
    calls.sort();
    (first.scenario, calls)
}

/// Every point of the start after a kill.
pub(crate) fn in_recovery(first: &First) -> (Recovery, Vec<Point>) {
    let ground = Ground::new(&SCENARIOS[first.scenario]);
    ground.prepare(first.stage);
    let calls = if first.scope == Scope::Linking {
        format!("{},renameat2", first.call)
    } else {
        first.call.clone()
    };
    let what = Some((&*first.call, "signal=KILL", first.n));
    ground.carry_out(first.stage, first.scope, &calls, what);
    let scope = if first.scope == Scope::Linking { Scope::Linking } else { Scope::All };
    let ended = ground.carry_out(Stage::Recover, scope, &SETTLED.join(","), None);
    assert_eq!(ended.run.code, 0, "{:?}", ended.run);
    let counts = inject::counts(&ended.trace);
    let point = |call: &str, n| Point {
        scenario: first.scenario,
        stage: Stage::Recover,
        scope,
        call: call.to_owned(),
        happens: "KILL",
        n,
        after: Some(first.clone()),
    };
    let calls = counts.iter().filter(|(call, _)| scope == Scope::All || *call != "renameat2");
    let points = calls.flat_map(|(call, most)| (1..=*most).map(move |n| point(call, n))).collect();
    (recovery(first, &ended.trace), points)
}

/// The crash points of `act`, each for the first and the second time.
pub(crate) fn crash_points() -> Vec<Point> {
    let source = include_str!("../../../daemon/src/act/crash.rs");
    let (_, table) = source.split_once("CRASH_POINTS: &[&str] = &[").expect("the table");
    let (table, _) = table.split_once("];").expect("the end of the table");
    let names = table.split('"').skip(1).step_by(2);
    let stages = [Stage::File, Stage::Rollback, Stage::Redo];
    let points = names.flat_map(|name| {
        stages.into_iter().flat_map(move |stage| {
            [1, 2, 5].map(|n| Point {
                scenario: 0,
                stage,
                scope: Scope::All,
                call: name.to_owned(),
                happens: "abort",
                n,
                after: None,
            })
        })
    });
    points.collect()
}
