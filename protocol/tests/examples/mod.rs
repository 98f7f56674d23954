//! One of everything that travels. The values never change: their bytes are kept.

use tidy_protocol::*;

fn path(path: &str) -> WirePath {
    WirePath(path.into())
}

pub(crate) fn requests() -> Vec<(&'static str, Request)> {
    let cursor = || Some("c".to_owned());
    vec![
        ("bare", Request::Status),
        ("bare", Request::Health),
        ("bare", Request::StoreVerify),
        ("bare", Request::Errors),
        ("bare", Request::Metrics),
        ("all", Request::Pause { root: None }),
        ("one", Request::Pause { root: Some(path("/r")) }),
        ("all", Request::Resume { root: None }),
        ("bare", Request::Reload),
        ("one", Request::Rescan { paths: vec![path("/r")] }),
        ("bare", Request::Shutdown),
        ("ms", Request::Wait { timeout_ms: 500 }),
        ("dry", Request::Organize { paths: vec![path("/r/\u{e9}")], dry_run: true }),
        ("all", Request::Organize { paths: Vec::new(), dry_run: false }),
        ("bare", Request::Jobs),
        ("id", Request::Job { id: 3 }),
        ("id", Request::JobFollow { id: 3 }),
        ("id", Request::Cancel { id: 3 }),
        ("empty", Request::Log(LogQuery::default())),
        (
            "full",
            Request::Log(LogQuery {
                state: Some("done".into()),
                rule: Some("r".into()),
                path: Some(path("/r")),
                kind: Some("move".into()),
                since_ns: Some(-1),
                until_ns: Some(1),
                cursor: cursor(),
                limit: Some(10),
            }),
        ),
        ("page", Request::Batches { cursor: cursor(), limit: Some(10) }),
        ("operation", Request::Show { operation: Some(1), batch: None, cursor: None, limit: None }),
        ("batch", Request::Show { operation: None, batch: Some(1), cursor: None, limit: None }),
        (
            "page",
            Request::Show { operation: None, batch: Some(1), cursor: cursor(), limit: Some(10) },
        ),
        ("operation", rollback(Selector::Operation(1))),
        ("batch", rollback(Selector::Batch(1))),
        ("rule", rollback(Selector::Rule("r".into()))),
        ("path", rollback(Selector::Path(path("/r")))),
        ("since", rollback(Selector::Since(-1))),
        ("to", rollback(Selector::To(1))),
        ("last", rollback(Selector::Last(1))),
        ("last", Request::Redo { selector: Selector::Last(1), dry_run: true }),
        ("empty", Request::Files(FileQuery::default())),
        (
            "search",
            Request::Files(FileQuery {
                fuzzy: Some("anual reprt".into()),
                condition: Some("artist = \"Nina*\"".into()),
                sort: Some("size".into()),
                reverse: true,
                ..FileQuery::default()
            }),
        ),
        ("one", Request::File { path: path("/r/f") }),
        ("one", Request::Explain { path: path("/r/f"), as_path: None }),
        ("as", Request::Explain { path: path("/r/f"), as_path: Some(path("/r/g")) }),
        ("page", Request::Duplicates { cursor: cursor(), limit: None }),
        (
            "full",
            Request::Resolve {
                which: ResolveQuery {
                    action: "trash".into(),
                    folder: Some(path("/r/d")),
                    keep: Some("newest".into()),
                    prefer: vec!["/p".into()],
                    protect: vec!["/q".into()],
                    under: Some(path("/r")),
                    digest: Some("00".into()),
                    min_size: Some(1),
                },
                dry_run: true,
            },
        ),
        ("bare", Request::Categories),
        ("bare", Request::Rules),
        ("bare", Request::Suggest),
        ("times", Request::Report { since_ns: Some(-1), until_ns: Some(1) }),
        ("bare", Request::Subscribe),
    ]
}

fn rollback(selector: Selector) -> Request {
    Request::Rollback { selector, dry_run: false }
}

fn operation() -> OperationInfo {
    OperationInfo {
        id: 9,
        batch: 8,
        trigger: "watch".into(),
        kind: "move".into(),
        state: "done".into(),
        time_ns: 1_700_000_000_000_000_000,
        rule: "photos".into(),
        why: "it has a date".into(),
        src: Some(path("/r/a")),
        dst: Some(path("/r/b")),
        size: Some(5),
        digest: Some("00".into()),
        tags: Some(tags()),
        inverse_of: Some(7),
        undo: true,
        undone_by: Some(10),
        error: Some("e".into()),
        considered: Some(Considered { rules: vec![rule_check()], more: 1 }),
    }
}

fn rule_check() -> RuleCheck {
    RuleCheck {
        rule: "photos".into(),
        matched: "true".into(),
        checks: vec![Check { test: "kind".into(), truth: "true".into(), seen: "image".into() }],
    }
}

fn left() -> LeftFile {
    LeftFile {
        path: path("/r/f"),
        reason: "no-rule".into(),
        text: "no rule matches it".into(),
        rule: Some("r".into()),
        detail: Some("d".into()),
    }
}

fn tags() -> TagChange {
    TagChange { before: vec!["a".into()], after: Vec::new() }
}

fn step() -> PlannedStep {
    PlannedStep {
        kind: "move".into(),
        src: Some(path("/r/a")),
        dst: Some(path("/r/b")),
        rule: "photos".into(),
        why: "it has a date".into(),
        size: Some(5),
        tags: Some(tags()),
    }
}

fn job(outcome: Option<Outcome>) -> JobInfo {
    JobInfo {
        id: 3,
        kind: "organize".into(),
        state: if outcome.is_some() { JobState::Done } else { JobState::Running },
        started_ns: 1,
        ended_ns: outcome.as_ref().map(|_| 2),
        done: 4,
        total: 5,
        batch: Some(8),
        outcome,
        error: None,
    }
}

fn stored() -> Stored {
    Stored {
        outcome: "left".into(),
        reason: Some("no-rule".into()),
        text: Some("t".into()),
        rule: Some("r".into()),
        operation: Some(9),
    }
}

fn file() -> FileInfo {
    FileInfo {
        path: path("/r/f"),
        size: 5,
        modified_ns: 1,
        category: Some("image".into()),
        digest: Some("00".into()),
        stored: stored(),
        history: vec![operation()],
    }
}

fn group() -> DuplicateGroup {
    DuplicateGroup {
        digest: "00".into(),
        size: 5,
        wasted: 5,
        paths: vec![path("/r/a"), path("/r/b")],
    }
}

fn batch() -> BatchInfo {
    BatchInfo {
        id: 8,
        trigger: "watch".into(),
        time_ns: 1,
        done: 1,
        failed: 0,
        bytes: 5,
        rules: vec!["photos".into()],
    }
}

fn status() -> Status {
    let stopped = StopInfo {
        reason: "rate".into(),
        text: "t".into(),
        time_ns: 1,
        files: 2,
        limit: 1,
        rules_changed: false,
    };
    Status {
        version: "0.1.0".into(),
        pid: 4,
        uptime_ms: 5,
        state: "running".into(),
        config: Some(path("/c")),
        state_dir: path("/s"),
        roots: vec![RootInfo {
            path: path("/r"),
            given: path("~/r"),
            state: "watching".into(),
            pending: 1,
            stopped: Some(stopped),
        }],
        pending: Pending { dirty: 1, settling: 2, held: 3, in_flight: 4 },
        totals: Totals { filed: 1, duplicates: 2, failed: 3, left: 4 },
        last_batch: Some(batch()),
        watched_dirs: 1,
        files_known: 2,
        open_operations: 3,
        jobs_running: 4,
        waiting: vec![WaitingFiles {
            rule: "r".into(),
            files: 1,
            bytes: 2,
            text: "t".into(),
            path: Some(path("/r/f")),
        }],
        reading: vec![ReadingInfo {
            path: path("/r/f"),
            purpose: "hashing".into(),
            done: 1,
            size: 2,
        }],
        read_bytes: 5,
        confinement: "confined to 1 folder".into(),
        confined_to: vec![path("/r")],
        warnings: vec!["w".into()],
    }
}

fn report() -> RollbackReport {
    RollbackReport {
        batch: Some(8),
        files: vec![UndoneFile {
            operation: 9,
            path: path("/r/f"),
            outcome: "restored-as".into(),
            restored_as: Some(path("/r/f (2)")),
            detail: None,
        }],
        restored: 1,
        not_restored: 0,
        not_reached: 0,
        folders: 1,
        commands: 0,
        stopped: false,
    }
}

fn explanation() -> Explanation {
    Explanation {
        path: path("/r/f"),
        exists: true,
        stored: Some(stored()),
        history: Vec::new(),
        would: Some(Would { steps: vec![step()], left: None }),
        media_type: Some("image/png".into()),
        category: Some("image".into()),
        rules: vec![rule_check()],
        as_path: Some(path("/r/g")),
        waits_for: vec![waits_for()],
        companion_of: Some(CompanionOf {
            path: path("/r/h"),
            left: Some(left()),
            waits_for: vec![waits_for()],
            rules: vec![rule_check()],
        }),
    }
}

fn waits_for() -> WaitsFor {
    WaitsFor {
        what: "held".into(),
        text: "t".into(),
        path: Some(path("/r/f.part")),
        after_ms: Some(5),
    }
}

fn whole_report() -> ReportInfo {
    let sum = ReportSum { files: 1, bytes: 5 };
    let filed = || ReportFiled { category: "image".into(), files: 1, bytes: 5 };
    ReportInfo {
        made_ns: 3,
        since_ns: Some(1),
        until_ns: 2,
        time_zone: "UTC".into(),
        done: ReportDone::default(),
        days: vec![ReportDay {
            day: "2026-11-21".into(),
            done: ReportDone::default(),
            categories: vec![filed()],
        }],
        rules: vec![ReportRule { rule: "r".into(), files: 1, bytes: 5, last_ns: 1, put_back: 0 }],
        errors: vec![ReportError {
            operation: 9,
            time_ns: 1,
            rule: "r".into(),
            path: Some(path("/r/f")),
            error: "e".into(),
        }],
        files: sum,
        categories: vec![ReportCategory {
            category: "image".into(),
            files: 1,
            bytes: 5,
            ages: vec![ReportAge { below_days: Some(30), files: 1, bytes: 5 }],
        }],
        duplicates: ReportDuplicates { groups: 1, wasted: 5, top: vec![group()] },
        biggest: vec![ReportFile {
            path: path("/r/f"),
            bytes: 5,
            modified_ns: 1,
            category: Some("image".into()),
        }],
        oldest: Vec::new(),
    }
}

fn suggestion() -> Suggestion {
    Suggestion {
        kind: "rule".into(),
        text: "t".into(),
        toml: Some("[[rule]]".into()),
        rule: None,
        to: Some(path("/r/d")),
        restart: false,
        times: 3,
        of: None,
        since_ns: 1,
        last_ns: 2,
        files: vec![HandMoved { from: path("/r/a"), to: Some(path("/r/d/a")), time_ns: 2 }],
    }
}

fn page<T>(item: T) -> Page<T> {
    Page { items: vec![item], cursor: Some("c".into()), partial: false }
}

pub(crate) fn responses() -> Vec<(&'static str, Response)> {
    let check = HealthCheck {
        name: "journal".into(),
        ok: true,
        detail: "d".into(),
        hint: Some("h".into()),
    };
    let problem = ProblemInfo {
        time_ns: 1,
        source: "tidyd::act".into(),
        message: "m".into(),
        context: vec![ProblemContext { name: "op".into(), value: "9".into() }],
    };
    let applied =
        Applied { batch: Some(8), filed: 1, left: 2, failed: vec![left()], failed_count: 1 };
    let wait = WaitInfo {
        drained: true,
        pending: Pending::default(),
        stopped: vec![path("/r")],
        trouble: Some("t".into()),
    };
    let rule =
        RuleInfo { rule: "r".into(), configured: true, hits: 1, bytes: 5, last_hit_ns: Some(1) };
    let category = CategoryInfo { category: "image".into(), files: 1, bytes: 5 };
    vec![
        ("done", Response::Done),
        ("status", Response::Status(Box::new(status()))),
        ("health", Response::Health(Health { ok: true, checks: vec![check] })),
        ("errors", Response::Errors(vec![problem])),
        ("metrics", Response::Metrics(Metrics { text: "# EOF\n".into() })),
        ("roots", Response::Roots(vec![path("/r")])),
        ("wait", Response::Wait(wait)),
        ("plan", Response::Plan(Plan { steps: vec![step()], left: vec![left()] })),
        ("job/running", Response::Job(Box::new(job(None)))),
        ("job/organize", Response::Job(Box::new(job(Some(Outcome::Organize(applied)))))),
        ("job/rollback", Response::Job(Box::new(job(Some(Outcome::Rollback(report())))))),
        ("jobs", Response::Jobs(vec![job(None)])),
        ("log", Response::Log(page(operation()))),
        ("batches", Response::Batches(page(batch()))),
        ("show", Response::Show(Shown { operations: vec![operation()], cursor: Some("c".into()) })),
        ("rollback", Response::Rollback(report())),
        (
            "rollback/commands",
            Response::Rollback(RollbackReport { commands: 2, stopped: true, ..report() }),
        ),
        ("files", Response::Files(page(file()))),
        ("file", Response::File(Box::new(file()))),
        ("explain", Response::Explain(Box::new(explanation()))),
        ("duplicates", Response::Duplicates(page(group()))),
        ("categories", Response::Categories(vec![category])),
        ("rules", Response::Rules(vec![rule])),
        ("report", Response::Report(Box::new(whole_report()))),
        ("suggestions", Response::Suggestions(vec![suggestion()])),
        (
            "suggestions/wrong",
            Response::Suggestions(vec![Suggestion {
                kind: "wrong-rule".into(),
                rule: Some("r".into()),
                restart: true,
                of: Some(4),
                ..suggestion()
            }]),
        ),
        ("ended", Response::Ended),
    ]
}

pub(crate) fn events() -> Vec<(&'static str, Event)> {
    let roots = || vec![path("/r")];
    vec![
        ("state", Event::State(Box::new(status()))),
        ("operation", Event::Operation(Box::new(operation()))),
        ("left", Event::Left(left())),
        ("job", Event::Job(Box::new(job(None)))),
        ("warning", Event::Warning { path: Some(path("/r")), text: "t".into() }),
        ("paused", Event::Paused { roots: roots() }),
        ("resumed", Event::Resumed { roots: roots() }),
        ("reloaded", Event::Reloaded),
        ("lagged", Event::Lagged { missed: 40 }),
        ("stopping", Event::Stopping),
    ]
}

pub(crate) fn errors() -> Vec<(&'static str, Error)> {
    let busy = Error::new(ErrorCode::Busy, "too many requests", "try again a little later");
    vec![
        ("plain", Error::new(ErrorCode::NotFound, "m", "")),
        ("busy", Error { retry_after_ms: Some(1), ..busy }),
    ]
}
