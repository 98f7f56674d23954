//! From what was seen to findings. Pure: the numbers at which something is said stand here.

use std::path::{Path, PathBuf};

use tidy_protocol::{ClientError, HealthCheck, Status};

use super::limits::Limit;
use super::privacy;
use super::seen::{Configured, Running, Seen, Service, Space, State};
use super::{Finding, Level};
use crate::render::{Look, count, size, time};
use crate::verbs::install::ended;

/// Free bytes below which tidyd stops filing, and below which it is time to say so.
const NO_SPACE: u64 = 64 << 20;
const LOW_SPACE: u64 = 512 << 20;

/// Free inodes below which a file system is as good as full.
const LOW_INODES: u64 = 1_000;

/// A clock that shows an earlier time has never been set: this version did not exist then (2026-01-01).
const EARLIEST_NS: i64 = 1_767_225_600_000_000_000;

/// How far in the future the past may lie: clocks of file servers differ a little.
const TOLERANCE_NS: i64 = 120_000_000_000;

/// Problems younger than this are worth a look.
const RECENT_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// A service that was started anew as often by its manager does not run well.
const RESTARTS: u64 = 3;

const START: &str = if cfg!(target_os = "macos") {
    "tidyctl service install, or in a terminal: tidyd"
} else {
    "systemctl --user start tidyd, or in a terminal: tidyd"
};

/// Collects findings.
struct Findings<'l> {
    look: &'l Look,
    all: Vec<Finding>,
}

impl Findings<'_> {
    fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.all.push(Finding { name, level: Level::Ok, detail: detail.into(), fix: None });
    }

    fn warn(&mut self, name: &'static str, detail: impl Into<String>, fix: impl Into<String>) {
        self.add(name, Level::Warning, detail.into(), fix.into());
    }

    fn bad(&mut self, name: &'static str, detail: impl Into<String>, fix: impl Into<String>) {
        self.add(name, Level::Bad, detail.into(), fix.into());
    }

    fn add(&mut self, name: &'static str, level: Level, detail: String, fix: String) {
        let fix = Some(fix).filter(|f| !f.is_empty());
        self.all.push(Finding { name, level, detail, fix });
    }

    fn path(&self, path: &Path) -> String {
        self.look.path(path)
    }

    fn paths(&self, paths: &[PathBuf]) -> String {
        paths.iter().map(|p| self.path(p)).collect::<Vec<_>>().join(" ")
    }
}

/// Everything there is to say, in the order in which one would mend it.
pub(super) fn judge(look: &Look, seen: &Seen) -> Vec<Finding> {
    let mut f = Findings { look, all: Vec::new() };
    config(&mut f, seen);
    match &seen.daemon {
        Ok(running) => daemon(&mut f, running),
        Err(error) => not_running(&mut f, error),
    }
    service(&mut f, &seen.service, seen.daemon.is_ok());
    state(&mut f, &seen.state);
    journal(&mut f, &seen.state);
    for (place, space) in &seen.spaces {
        free_space(&mut f, place, *space);
    }
    clock(&mut f, seen);
    limit(
        &mut f,
        "watches",
        "directories can be watched by you",
        seen.inotify.watches,
        WATCHES_FIX,
    );
    limit(
        &mut f,
        "watchers",
        "watchers can be started by you",
        seen.inotify.instances,
        WATCHERS_FIX,
    );
    limit(&mut f, "open-files", "files can be open in tidyd", seen.open_files, OPEN_FILES_FIX);
    problems(&mut f, seen);
    f.all
}

fn config(f: &mut Findings<'_>, seen: &Seen) {
    match &seen.config {
        // Started with --watch, it needs none.
        Configured::None(file) if seen.daemon.is_ok() => {
            f.ok("config", format!("there is none at {}: built-in rules", f.path(file)));
        }
        Configured::None(file) => {
            f.bad("config", format!("there is none at {}", f.path(file)), "tidyctl init");
        }
        Configured::Bad(file, why) => {
            let first = why.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
            let detail = format!("{}: {first}", f.path(file));
            f.bad("config", detail, "tidyctl config check shows all of it");
        }
        Configured::Good { file, roots, rules, problems } => {
            let (roots, rules) =
                (count(roots.len() as u64, "folder"), count(*rules as u64, "rule"));
            f.ok("config", format!("{}: {roots}, {rules}", f.path(file)));
            for (path, message, hint) in problems {
                let hint = hint.clone().unwrap_or_else(|| "tidyctl config check".to_owned());
                f.bad("folder", format!("{}: {message}", f.path(path)), hint);
            }
        }
    }
}

fn not_running(f: &mut Findings<'_>, error: &ClientError) {
    let fix = match error {
        ClientError::NotRunning(_) => START.to_owned(),
        other => other.hint().unwrap_or_default(),
    };
    f.bad("daemon", error.to_string(), fix);
}

fn daemon(f: &mut Findings<'_>, Running { status, health }: &Running) {
    let (theirs, ours) = (&status.version, env!("CARGO_PKG_VERSION"));
    let up = time::span(status.uptime_ms / 1_000);
    let running = format!("tidyd {theirs} is {} (pid {}, up {up})", status.state, status.pid);
    if theirs == ours {
        f.ok("daemon", running);
    } else {
        let detail = format!("{running}; this is tidyctl {ours}");
        f.warn("daemon", detail, "systemctl --user restart tidyd, once both are of one version");
    }
    folders(f, status);
    confinement(f, status);
    let checks = health.iter().flat_map(|h| &h.checks);
    // Folders and space are looked at here, too.
    for check in checks.filter(|c| !matches!(c.name.as_str(), "root" | "space")) {
        let name = check_name(check);
        let detail = match name {
            "health" => format!("{}: {}", check.name, check.detail),
            _ => check.detail.clone(),
        };
        match check.ok {
            true => f.ok(name, detail),
            false => f.bad(name, detail, check.hint.clone().unwrap_or_default()),
        }
    }
    for warning in &status.warnings {
        f.warn("warning", warning.clone(), "");
    }
}

/// Names of findings are a closed set; what a newer daemon looks at comes under one of them.
fn check_name(check: &HealthCheck) -> &'static str {
    match check.name.as_str() {
        "journal" => "journal",
        "operations" => "operations",
        "index" => "index",
        "catalog" => "catalog",
        _ => "health",
    }
}

fn folders(f: &mut Findings<'_>, status: &Status) {
    for root in &status.roots {
        let path = f.path(&root.path.0);
        if let Some(stopped) = &root.stopped {
            let detail = format!("{path} is stopped, because {}", stopped.text);
            f.bad("folder", detail, "tidyctl status shows what to do; tidyctl resume goes on");
            continue;
        }
        match root.state.as_str() {
            "missing" => {
                f.bad("folder", format!("{path} is not there"), "make it, or mount its disk")
            }
            "unreadable" => {
                let home = f.look.home.as_deref();
                let fix = privacy::hint(&root.path.0, home, cfg!(target_os = "macos"))
                    .unwrap_or("give tidyd permission to read and write it");
                f.bad("folder", format!("{path} cannot be read"), fix);
            }
            "paused" => f.warn("folder", format!("{path} is paused"), "tidyctl resume"),
            "scan-only" => {
                let detail = format!("{path} cannot be watched, only looked at now and then");
                f.warn("folder", detail, WATCHES_FIX);
            }
            state => f.ok("folder", format!("{path} is {state}")),
        }
    }
}

fn confinement(f: &mut Findings<'_>, status: &Status) {
    if status.confinement.is_empty() {
        return;
    }
    if status.confined_to.is_empty() {
        let fix = "take out `confine = false` and --no-confine; Landlock needs Linux 5.13 with lsm=…,landlock";
        f.warn("confinement", status.confinement.clone(), fix);
    } else {
        f.ok("confinement", status.confinement.clone());
    }
}

fn service(f: &mut Findings<'_>, service: &Service, running: bool) {
    let by_hand = if running { "tidyd was started by hand" } else { "nothing starts tidyd" };
    let (service, runnable) = match service {
        Service::NoManager(why) => return f.ok("service", format!("{why}: {by_hand}")),
        Service::NotInstalled => {
            let detail = format!("tidyd is no service: {by_hand}");
            return f.warn(
                "service",
                detail,
                "tidyctl service install, so that it starts at login",
            );
        }
        Service::Found { service, runnable } => (service, *runnable),
    };
    let starts = if service.enabled { "starts at login" } else { "does not start at login" };
    let state = format!("the service is {}, and {starts}", service.active);
    if let Some(program) = service.program.as_deref().filter(|_| !runnable) {
        let detail = format!("the service runs {}, which is not there", f.path(program));
        return f.bad("service", detail, "tidyctl service install");
    }
    match (service.active.as_str(), &service.last_end) {
        ("failed" | "restarting", Some(end)) => {
            f.bad("service", format!("{state}: {}", ended::words(end)), ended::fix(end));
        }
        ("failed" | "restarting", None) => f.bad("service", state, ended::LOOK),
        ("active" | "activating" | "reloading" | "inactive" | "deactivating" | "unknown", _) => {
            if service.restarts >= RESTARTS {
                let detail =
                    format!("{state}; it was started anew {}", count(service.restarts, "time"));
                f.warn("service", detail, ended::LOOK);
            } else if service.enabled {
                f.ok("service", state);
            } else {
                f.warn("service", state, "tidyctl service install");
            }
        }
        _ => f.bad("service", state, "systemctl --user status tidyd says what is wrong in it"),
    }
}

fn state(f: &mut Findings<'_>, s: &State) {
    let path = f.path(&s.path);
    let fix = |command: &str| format!("{command} {path}");
    if !s.exists {
        f.ok("state", format!("{path} is not there yet; tidyd makes it"));
    } else if !s.ours {
        let detail = format!("{path} belongs to another user");
        f.bad("state", detail, "run tidyctl as that user, or move the state with --state");
    } else if !s.writable {
        f.bad("state", format!("{path} cannot be written"), fix("chmod u+rwx"));
    } else if s.mode & 0o077 != 0 {
        let detail =
            format!("{path} is open to others (mode {:o}): names of files stand in it", s.mode);
        f.warn("state", detail, fix("chmod 700"));
    } else {
        f.ok("state", format!("{path} is ours alone"));
    }
}

fn journal(f: &mut Findings<'_>, s: &State) {
    if !s.damaged.is_empty() {
        let segments = count(s.damaged.len() as u64, "segment");
        let detail =
            format!("{segments} of the journal had damaged records, which were passed over");
        let fix = format!("check the disk; what was left is in {}", f.paths(&s.damaged));
        f.warn("journal", detail, fix);
    }
    if !s.set_aside.is_empty() {
        let detail = format!(
            "{} was set aside as damaged, and built anew",
            count(s.set_aside.len() as u64, "index")
        );
        f.warn(
            "index",
            detail,
            format!("check the disk; it is not needed any more: rm -r {}", f.paths(&s.set_aside)),
        );
    }
}

fn free_space(f: &mut Findings<'_>, place: &Path, s: Space) {
    let path = f.path(place);
    let free = format!(
        "{} of {} are free on the disk of {path}",
        size::readable(s.free),
        size::readable(s.total)
    );
    if s.read_only {
        f.bad("space", format!("the disk of {path} is mounted read-only"), "mount it for writing");
    } else if s.free < NO_SPACE {
        f.bad("space", free, "free some: nothing is moved when the journal cannot be written");
    } else if s.free_inodes.is_some_and(|n| n < LOW_INODES) {
        let detail =
            format!("no more files can be made on the disk of {path}: it has no inodes left");
        f.bad("space", detail, "remove files there, many small ones first");
    } else if s.free < LOW_SPACE {
        f.warn("space", free, "free some before it is full");
    } else {
        f.ok("space", free);
    }
}

fn clock(f: &mut Findings<'_>, seen: &Seen) {
    let now = i64::try_from(f.look.now.as_nanosecond()).unwrap_or(i64::MAX);
    let shown = time::absolute(now, &f.look.tz);
    let last =
        seen.daemon.as_ref().ok().and_then(|r| r.status.last_batch.as_ref()).map(|b| b.time_ns);
    let newest = last.into_iter().chain(seen.state.newest_ns).max();
    let fix = "set the clock: timedatectl set-ntp true";
    match newest {
        _ if now < EARLIEST_NS => f.bad("clock", format!("it says {shown}"), fix),
        Some(then) if then > now.saturating_add(TOLERANCE_NS) => {
            let detail = format!(
                "it says {shown}, but something was done at {}: it was set back; ages and --since are wrong until then",
                time::absolute(then, &f.look.tz)
            );
            f.warn("clock", detail, fix);
        }
        _ => f.ok("clock", shown),
    }
}

const WATCHES_FIX: &str = "echo fs.inotify.max_user_watches=1048576 | sudo tee /etc/sysctl.d/60-tidyd.conf && sudo sysctl --system";
const WATCHERS_FIX: &str = "echo fs.inotify.max_user_instances=1024 | sudo tee /etc/sysctl.d/61-tidyd.conf && sudo sysctl --system";
const OPEN_FILES_FIX: &str =
    "LimitNOFILE=65536 in the unit (systemctl --user edit tidyd), or ulimit -n 65536 before tidyd";

/// Where little of a limit is left.
fn limit(f: &mut Findings<'_>, name: &'static str, what: &str, limit: Option<Limit>, fix: &str) {
    let Some(Limit { used, limit }) = limit else { return };
    let detail = match limit {
        u64::MAX => format!("{used} in use, without limit"),
        _ => format!("{used} in use; {limit} {what}"),
    };
    if used >= limit {
        f.bad(name, detail, fix);
    } else if used >= limit / 5 * 4 {
        f.warn(name, detail, fix);
    } else {
        f.ok(name, detail);
    }
}

fn problems(f: &mut Findings<'_>, seen: &Seen) {
    let now = i64::try_from(f.look.now.as_nanosecond()).unwrap_or(i64::MAX);
    let recent = seen.problems.iter().filter(|p| now.saturating_sub(p.time_ns) < RECENT_NS);
    let n = recent.clone().count() as u64;
    let panicked = recent.clone().any(|p| p.source == "tidyd::panic");
    match recent.clone().next() {
        None => f.ok("errors", "none in the last day"),
        Some(newest) => {
            let defect = if panicked { ", a defect of tidyd among them" } else { "" };
            let detail = format!(
                "{} in the last day{defect}; the newest, {}: {}",
                count(n, "error"),
                f.look.moment(newest.time_ns),
                newest.message
            );
            let home = f.look.home.as_deref();
            let guarded = recent.clone().find_map(|p| privacy::of_problem(p, home));
            let guarded = guarded.filter(|_| cfg!(target_os = "macos"));
            f.warn("errors", detail, guarded.unwrap_or("tidyctl errors"));
        }
    }
}

#[cfg(test)]
mod tests;
