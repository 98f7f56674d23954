use tidy_protocol::{Health, ProblemInfo, RootInfo, StopInfo, WirePath};

use super::super::limits::Inotify;
use super::*;
use crate::render::testing::{before, terminal};
use crate::verbs::install::manager::{End, Found};

fn root(path: &str, state: &str) -> RootInfo {
    let path = WirePath(path.into());
    RootInfo { given: path.clone(), path, state: state.into(), pending: 0, stopped: None }
}

/// A machine on which all is well.
fn well() -> Seen {
    let status = Status {
        version: env!("CARGO_PKG_VERSION").into(),
        state: "running".into(),
        roots: vec![root("/home/a/Downloads", "watching")],
        confinement: "confined to 1 folder (Landlock ABI 6)".into(),
        confined_to: vec![WirePath("/home/a/Downloads".into())],
        ..Status::default()
    };
    let check =
        |name: &str| HealthCheck { name: name.into(), ok: true, detail: "fine".into(), hint: None };
    let checks = ["journal", "operations", "index", "catalog", "root", "space"].map(check).into();
    let space = Space {
        device: 1,
        free: 1 << 40,
        total: 1 << 41,
        free_inodes: Some(1 << 20),
        read_only: false,
    };
    let half = Some(Limit { used: 50, limit: 100 });
    Seen {
        config: Configured::Good {
            file: "/home/a/.config/tidyd/config.toml".into(),
            roots: vec!["/home/a/Downloads".into()],
            rules: 2,
            problems: Vec::new(),
        },
        daemon: Ok(Running { status, health: Some(Health { ok: true, checks }) }),
        state: State {
            path: "/home/a/.local/state/tidyd".into(),
            exists: true,
            ours: true,
            mode: 0o700,
            writable: true,
            newest_ns: Some(before(60)),
            ..State::default()
        },
        spaces: vec![("/home/a".into(), space)],
        inotify: Inotify { watches: half, instances: half },
        open_files: half,
        service: service_in("active", |_| ()),
        problems: Vec::new(),
    }
}

fn service_in(active: &str, change: impl FnOnce(&mut Found)) -> Service {
    let mut service = Found {
        file: Some("/usr/lib/systemd/user/tidyd.service".into()),
        program: Some("/usr/bin/tidyd".into()),
        enabled: true,
        active: active.into(),
        ..Found::default()
    };
    change(&mut service);
    Service::Found { service, runnable: true }
}

fn status(seen: &mut Seen) -> &mut Status {
    &mut seen.daemon.as_mut().expect("it runs").status
}

#[test]
fn where_all_is_well_nothing_is_to_be_done() {
    let findings = judge(&terminal(), &well());
    assert!(findings.iter().all(|f| f.level == Level::Ok && f.fix.is_none()), "{findings:#?}");
    for name in [
        "config",
        "daemon",
        "folder",
        "confinement",
        "journal",
        "operations",
        "index",
        "catalog",
        "service",
        "state",
        "space",
        "clock",
        "watches",
        "watchers",
        "open-files",
        "errors",
    ] {
        assert!(findings.iter().any(|f| f.name == name), "{name} was looked at");
    }
}

/// What is wrong, as a change to [`well`], and the finding it makes.
type Case = (&'static str, Level, &'static str, fn(&mut Seen));

#[test]
fn everything_that_is_wrong_is_found_and_its_fix_proposed() {
    let cases: &[Case] = &[
        ("config", Level::Bad, "config check", |s| {
            s.config = Configured::Bad("/c".into(), "\nline 3: what?".into());
        }),
        ("config", Level::Bad, "tidyctl init", |s| {
            s.config = Configured::None("/c".into());
            s.daemon = Err(ClientError::NotRunning("/s".into()));
        }),
        ("folder", Level::Bad, "make it", |s| {
            let Configured::Good { problems, .. } = &mut s.config else { return };
            problems.push(("/x".into(), "it is not there".into(), Some("make it".into())));
        }),
        ("daemon", Level::Bad, "systemctl --user start", |s| {
            s.daemon = Err(ClientError::NotRunning("/s".into()));
        }),
        ("daemon", Level::Bad, "tidyctl errors", |s| {
            s.daemon = Err(ClientError::Stale("/s".into()));
        }),
        ("daemon", Level::Bad, "as that user", |s| {
            s.daemon = Err(ClientError::Permission("/s".into()));
        }),
        ("daemon", Level::Bad, "upgrade tidyctl", |s| {
            s.daemon = Err(ClientError::Version { theirs: 99, version: "9".into() });
        }),
        ("daemon", Level::Bad, "see its log", |s| s.daemon = Err(ClientError::Timeout)),
        ("daemon", Level::Warning, "restart", |s| status(s).version = "0.0.1".into()),
        ("folder", Level::Bad, "mount", |s| status(s).roots[0].state = "missing".into()),
        ("folder", Level::Bad, "", |s| status(s).roots[0].state = "unreadable".into()),
        ("folder", Level::Warning, "resume", |s| status(s).roots[0].state = "paused".into()),
        ("folder", Level::Warning, "max_user_watches", |s| {
            status(s).roots[0].state = "scan-only".into();
        }),
        ("folder", Level::Bad, "tidyctl status", |s| {
            status(s).roots[0].stopped = Some(StopInfo::default());
        }),
        ("confinement", Level::Warning, "Landlock", |s| {
            status(s).confinement = "not confined: --no-confine".into();
            status(s).confined_to.clear();
        }),
        ("journal", Level::Bad, "free space", |s| {
            let health = s.daemon.as_mut().unwrap().health.as_mut().unwrap();
            (health.checks[0].ok, health.checks[0].hint) = (false, Some("free space".into()));
        }),
        ("health", Level::Bad, "", |s| {
            let health = s.daemon.as_mut().unwrap().health.as_mut().unwrap();
            (health.checks[0].ok, health.checks[0].name) = (false, "of a newer one".into());
        }),
        ("warning", Level::Warning, "", |s| status(s).warnings.push("look".into())),
        ("service", Level::Warning, "service install", |s| s.service = Service::NotInstalled),
        ("service", Level::Bad, "config check", |s| {
            let end = End { why: "exit-code".into(), exit: Some(78), signal: None };
            s.service = service_in("failed", |f| f.last_end = Some(end));
        }),
        ("service", Level::Bad, "service logs", |s| s.service = service_in("failed", |_| ())),
        ("service", Level::Bad, "systemctl", |s| s.service = service_in("masked", |_| ())),
        ("service", Level::Bad, "service install", |s| {
            let Service::Found { runnable, .. } = &mut s.service else { return };
            *runnable = false;
        }),
        ("service", Level::Warning, "errors", |s| {
            s.service = service_in("active", |f| f.restarts = 3);
        }),
        ("service", Level::Warning, "service install", |s| {
            s.service = service_in("active", |f| f.enabled = false);
        }),
        ("state", Level::Warning, "chmod 700 ~/.local/state/tidyd", |s| s.state.mode = 0o755),
        ("state", Level::Bad, "chmod u+rwx", |s| s.state.writable = false),
        ("state", Level::Bad, "as that user", |s| s.state.ours = false),
        ("journal", Level::Warning, "/j/1.damaged", |s| {
            s.state.damaged.push("/j/1.damaged".into());
        }),
        ("index", Level::Warning, "/s/store.corrupt-1", |s| {
            s.state.set_aside.push("/s/store.corrupt-1".into());
        }),
        ("space", Level::Bad, "free some", |s| s.spaces[0].1.free = 1 << 20),
        ("space", Level::Warning, "free some", |s| s.spaces[0].1.free = 100 << 20),
        ("space", Level::Bad, "remove files", |s| s.spaces[0].1.free_inodes = Some(3)),
        ("space", Level::Bad, "mount", |s| s.spaces[0].1.read_only = true),
        ("clock", Level::Warning, "timedatectl", |s| s.state.newest_ns = Some(before(-3_600))),
        ("watches", Level::Warning, "max_user_watches", |s| {
            s.inotify.watches = Some(Limit { used: 80, limit: 100 });
        }),
        ("watchers", Level::Bad, "max_user_instances", |s| {
            s.inotify.instances = Some(Limit { used: 128, limit: 128 });
        }),
        ("open-files", Level::Warning, "LimitNOFILE", |s| {
            s.open_files = Some(Limit { used: 900, limit: 1_024 });
        }),
        ("errors", Level::Warning, "tidyctl errors", |s| {
            s.problems.push(ProblemInfo { time_ns: before(60), ..ProblemInfo::default() });
        }),
    ];
    for (n, (name, level, fix, spoil)) in cases.iter().enumerate() {
        let mut seen = well();
        spoil(&mut seen);
        let findings = judge(&terminal(), &seen);
        let found = findings.iter().find(|f| f.level != Level::Ok);
        let found = found.unwrap_or_else(|| panic!("case {n}: {name} is not found"));
        assert_eq!((found.name, found.level), (*name, *level), "case {n}: {findings:#?}");
        assert!(found.fix.as_deref().unwrap_or_default().contains(fix), "case {n}: {found:?}");
    }
}

#[test]
fn a_clock_that_was_never_set_is_found() {
    let look = Look { now: "1970-01-01T00:03:00Z".parse().unwrap(), ..terminal() };
    let mut seen = well();
    seen.state.newest_ns = None;
    let findings = judge(&look, &seen);
    let clock = findings.iter().find(|f| f.name == "clock").unwrap();
    assert_eq!(clock.level, Level::Bad);
}
