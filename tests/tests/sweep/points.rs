//! Where something can happen: found by looking at a run in which nothing does.

use crate::ground::Ground;
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
    for (scenario, what) in SCENARIOS.iter().enumerate() {
        let ground = Ground::new(what);
        ground.prepare(stage);
        let ended = ground.carry_out(stage, scope, &calls, None);
        assert_eq!(ended.run.code, 0, "{:?}", ended.run);
        let counts = inject::counts(&ended.trace);
        let idle = if stage == Stage::File { ground.idle(&calls) } else { Default::default() };
        for &(call, happens) in wanted {
            if scope == Scope::Linking && call == "renameat2" {
                continue;
            }
            // What the loader of programs does comes first.
            let from = if scope == Scope::All { idle.get(call).copied().unwrap_or(0) } else { 0 };
            // A process that is asked writes to its clients and to itself, and the journal's files have a
            // scope of their own; where nothing can be written any more, nobody can be told either.
            let own = scope == Scope::All && call == "write";
            if own && stage != Stage::File && happens != ["KILL"] {
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

/// Every point of the start after a kill.
pub(crate) fn in_recovery(first: &First) -> Vec<Point> {
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
    calls.flat_map(|(call, most)| (1..=*most).map(move |n| point(call, n))).collect()
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
