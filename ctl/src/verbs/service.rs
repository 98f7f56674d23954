//! `status`, `health`, `pause`, `resume`, `reload`, `rescan`, `wait`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use owo_colors::OwoColorize;
use serde_json::json;
use tidy_protocol::{
    ExitCode, Health, Pending, Request, Response, RootInfo, Status, StopInfo, TAKES_A_RESTART,
    WirePath,
};

use super::{directories, expect_answer};
use crate::error::Failure;
use crate::given;
use crate::render::path::one_line;
use crate::render::{Look, count, table, time};
use crate::run::{Ended, Session};

/// What went before a stop within a minute led to it.
const MINUTE_NS: i64 = 60_000_000_000;

/// How everything stands.
pub(crate) fn status(s: &mut Session) -> Ended {
    let status = expect_answer!(s.ask(&Request::Status)?, Status);
    s.out.show(&*status, status_text)?;
    Ok(ExitCode::Ok)
}

fn status_text(look: &Look, s: &Status) -> String {
    let (version, state) = (one_line(&s.version), one_line(&s.state));
    let state =
        if state == "running" { state.green().to_string() } else { state.yellow().to_string() };
    let mut out = format!(
        "tidyd {version} is {state} (pid {}, up {})\n",
        s.pid,
        time::span(s.uptime_ms / 1000)
    );
    let mut line = |name: &str, value: String| out.push_str(&format!("  {name:<8} {value}\n"));
    if let Some(config) = &s.config {
        line("config", look.path(&config.0));
    }
    line("state", look.path(&s.state_dir.0));
    line(
        "known",
        format!("{}, {} watched", count(s.files_known, "file"), count(s.watched_dirs, "directory")),
    );
    line("pending", pending(&s.pending).unwrap_or_else(|| "nothing".into()));
    let t = &s.totals;
    let copies = count(t.duplicates, "copy");
    line(
        "so far",
        format!("{} filed ({copies} put aside), {} left, {} failed", t.filed, t.left, t.failed),
    );
    if !s.confinement.is_empty() {
        line("safety", one_line(&s.confinement));
    }
    if s.jobs_running > 0 {
        line("jobs", format!("{} running; see: tidyctl jobs", s.jobs_running));
    }
    if let Some(b) = &s.last_batch {
        let files = count(b.done, "file");
        let (what, verb) = match b.trigger.as_str() {
            // A rollback is not rolled back but taken back.
            "rollback" => ("put back; take that back", "redo"),
            _ => ("put back", "rollback"),
        };
        let undo = format!("tidyctl {verb} batch:{}", b.id);
        line("last", format!("{files}, {}; {what} with: {}", look.moment(b.time_ns), undo.bold()));
    }
    out.push('\n');
    out.push_str(&roots(look, s));
    for root in &s.roots {
        out.extend(root.stopped.iter().map(|stop| stopped(look, root, stop)));
    }
    for warning in &s.warnings {
        out.push_str(&format!("{} {}\n", "warning:".yellow().bold(), one_line(warning)));
    }
    out
}

fn roots(look: &Look, s: &Status) -> String {
    let mut table = table::table(look, ["FOLDER", "STATE", "PENDING"]);
    for root in &s.roots {
        table.add_row([
            table::path(look.path(&root.path.0)),
            table::state(&root.state),
            table::number(root.pending),
        ]);
    }
    table.text()
}

/// Why tidyd stopped a folder by itself, and what to do about it.
fn stopped(look: &Look, root: &RootInfo, stop: &StopInfo) -> String {
    let folder = look.path(&root.path.0);
    let given = command_word(&root.path);
    let mut out = format!(
        "\n{} {folder} was stopped {}, because {}.\n",
        "stopped:".yellow().bold(),
        look.moment(stop.time_ns),
        one_line(&stop.text)
    );
    let mut way = |what: &str, command: String| {
        out.push_str(&format!("  {what:<34} {}\n", command.bold()));
    };
    if stop.reason == "rate" {
        let since = time::for_since(stop.time_ns.saturating_sub(MINUTE_NS), &look.tz);
        way("what was done:", format!("tidyctl log --since '{since}'"));
        way("put it back:", format!("tidyctl rollback --since '{since}'"));
    }
    way("what would be done now:", format!("tidyctl organize --dry-run {given}"));
    if stop.rules_changed {
        way("the rules were changed, try them:", format!("tidyctl resume {given}"));
    } else {
        way("it is what you want, go on:", format!("tidyctl resume {given}"));
        way("it is not, change the rules and:", "tidyctl reload && tidyctl resume".to_owned());
    }
    out
}

/// The path as it can be typed behind a command; one that cannot be is left to the reader.
fn command_word(path: &WirePath) -> String {
    let shown = one_line(&path.0.to_string_lossy());
    let exact = path.0.to_str() == Some(shown.as_str());
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,=".contains(c);
    match exact {
        true if shown.chars().all(plain) => shown,
        true => format!("'{}'", shown.replace('\'', "'\\''")),
        false => "FOLDER".to_owned(),
    }
}

/// What is pending in words; `None` when nothing is.
pub(super) fn pending(p: &Pending) -> Option<String> {
    let parts = [
        (p.dirty, "directory", "to be read"),
        (p.settling, "file", "settling"),
        (p.held, "file", "held back by an unfinished download"),
        (p.in_flight, "file", "being filed"),
    ];
    let words: Vec<_> = parts
        .iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, what, how)| format!("{} {how}", count(*n, what)))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Whether it can do its work.
pub(crate) fn health(s: &mut Session) -> Ended {
    let health = expect_answer!(s.ask(&Request::Health)?, Health);
    s.out.show(&health, health_text)?;
    Ok(if health.ok { ExitCode::Ok } else { ExitCode::Failed })
}

fn health_text(_: &Look, health: &Health) -> String {
    let mut out = String::new();
    for c in &health.checks {
        let mark = if c.ok { "ok  ".green().to_string() } else { "BAD ".red().to_string() };
        out.push_str(&format!("{mark} {}: {}\n", one_line(&c.name), one_line(&c.detail)));
        if let Some(hint) = c.hint.as_ref().filter(|_| !c.ok) {
            out.push_str(&format!("     hint: {}\n", one_line(hint)));
        }
    }
    out
}

/// Stops filing.
pub(crate) fn pause(s: &mut Session, root: Option<&Path>) -> Ended {
    let request = Request::Pause { root: one_root(root)? };
    roots_concerned(s, &request, "paused", "go on with: tidyctl resume")
}

/// Goes on filing.
pub(crate) fn resume(s: &mut Session, root: Option<&Path>) -> Ended {
    roots_concerned(s, &Request::Resume { root: one_root(root)? }, "resumed", "")
}

/// Looks again.
pub(crate) fn rescan(s: &mut Session, paths: &[PathBuf]) -> Ended {
    let request = Request::Rescan { paths: directories(paths)? };
    roots_concerned(s, &request, "looked at again", "wait for the end with: tidyctl wait")
}

fn one_root(root: Option<&Path>) -> Result<Option<WirePath>, Failure> {
    root.map(given::directory).transpose().map_err(Failure::from_cwd)
}

fn roots_concerned(s: &mut Session, request: &Request, done: &str, next: &str) -> Ended {
    let roots = expect_answer!(s.ask(request)?, Roots);
    s.out.show(&roots, |look, roots| {
        roots.iter().map(|root| format!("{done}: {}\n", look.path(&root.0))).collect()
    })?;
    if !next.is_empty() && !roots.is_empty() && s.out.look.terminal {
        s.out.remark(next)?;
    }
    Ok(ExitCode::Ok)
}

/// Reads the configuration again.
pub(crate) fn reload(s: &mut Session) -> Ended {
    done(s, &Request::Reload, "the configuration was read again and is in force")?;
    // What is not, because the service would have to be started anew for it, is among its warnings.
    if let Ok(Response::Status(status)) = s.ask(&Request::Status) {
        for waits in status.warnings.iter().filter(|text| text.ends_with(TAKES_A_RESTART)) {
            s.out.remark(&one_line(waits))?;
        }
    }
    Ok(ExitCode::Ok)
}

/// Something with nothing to tell but that it was done.
pub(super) fn done(s: &mut Session, request: &Request, text: &str) -> Ended {
    match s.ask(request)? {
        Response::Done if s.out.json => s.out.json(&json!({ "done": true }))?,
        Response::Done => s.out.line(text)?,
        _ => return Err(Failure::Unexpected),
    }
    Ok(ExitCode::Ok)
}

/// Waits until nothing is pending.
pub(crate) fn wait(s: &mut Session, timeout: Duration) -> Ended {
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let info = expect_answer!(s.ask(&Request::Wait { timeout_ms })?, Wait);
    if let Some(trouble) = info.trouble.as_deref().filter(|_| !info.drained) {
        if s.out.json {
            s.out.json(&info)?;
        }
        let message = format!("nothing can be filed: {}", one_line(trouble));
        let hint = "`tidyctl health` says what is wrong and what to do";
        return Err(Failure::new(ExitCode::Unwell, message, hint));
    }
    if !info.stopped.is_empty() {
        s.out.show(&info, |look, info| {
            let stopped = info.stopped.iter().map(|root| {
                let folder = look.path(&root.0);
                format!("stopped, and not waited for: {folder}; tidyctl status says why\n")
            });
            let pending = pending(&info.pending).map(|p| format!("still pending: {p}\n"));
            stopped.chain(pending).collect()
        })?;
        return Ok(ExitCode::Partly);
    }
    s.out.show(&info, |_, info| match (info.drained, pending(&info.pending)) {
        (true, None) => "everything is filed\n".to_owned(),
        (true, Some(held)) => format!("everything is filed but {held}\n"),
        (false, pending) => {
            format!("still pending: {}\n", pending.unwrap_or_else(|| "the last look around".into()))
        }
    })?;
    Ok(if info.drained { ExitCode::Ok } else { ExitCode::Failed })
}

#[cfg(test)]
mod tests {
    use tidy_protocol::{BatchInfo, RootInfo, Totals};

    use super::*;
    use crate::render::testing::{before, plain, terminal};

    #[test]
    fn status_says_what_is_watched_what_was_done_and_how_to_undo_it() {
        let root = WirePath("/home/a/Downloads".into());
        let status = Status {
            version: "0.1.0".into(),
            pid: 42,
            uptime_ms: 7_500_000,
            state: "running".into(),
            config: Some(Path::new("/home/a/.config/tidyd/config.toml").into()),
            state_dir: Path::new("/home/a/.local/state/tidyd").into(),
            roots: vec![RootInfo {
                path: root.clone(),
                given: root,
                state: "watching".into(),
                pending: 3,
                stopped: None,
            }],
            pending: Pending { settling: 2, held: 1, ..Pending::default() },
            totals: Totals { filed: 12, duplicates: 1, failed: 0, left: 4 },
            last_batch: Some(BatchInfo {
                id: 5,
                done: 2,
                time_ns: before(180),
                ..BatchInfo::default()
            }),
            files_known: 1,
            watched_dirs: 7,
            confinement: "confined to 2 folders (Landlock ABI 6)".into(),
            warnings: vec!["the disk\x1b[2J is full".into()],
            ..Status::default()
        };
        insta::assert_snapshot!(plain(&status_text(&terminal(), &status)), @r"
        tidyd 0.1.0 is running (pid 42, up 2 h 5 min)
          config   ~/.config/tidyd/config.toml
          state    ~/.local/state/tidyd
          known    1 file, 7 directories watched
          pending  2 files settling, 1 file held back by an unfinished download
          so far   12 filed (1 copy put aside), 4 left, 0 failed
          safety   confined to 2 folders (Landlock ABI 6)
          last     2 files, 3 min ago; put back with: tidyctl rollback batch:5

        FOLDER       STATE     PENDING
        ~/Downloads  watching        3
        warning: the disk\x1b[2J is full
        ");
        let rolled_back = BatchInfo { id: 6, trigger: "rollback".into(), ..BatchInfo::default() };
        let shown = Status { last_batch: Some(rolled_back), ..status };
        assert!(plain(&status_text(&terminal(), &shown)).contains("tidyctl redo batch:6\n"));
    }

    #[test]
    fn a_stopped_folder_says_why_and_shows_the_ways_out() {
        let path = WirePath("/home/a/My Downloads".into());
        let stop = StopInfo {
            reason: "share".into(),
            text: "the rules would file 900 of 1000".into(),
            time_ns: before(180),
            files: 900,
            limit: 500,
            rules_changed: false,
        };
        let shown = |stop: StopInfo| {
            let (given, state) = (path.clone(), "paused".into());
            let root = RootInfo { path: path.clone(), given, state, pending: 0, stopped: None };
            plain(&stopped(&terminal(), &root, &stop)).trim_start().to_owned()
        };
        insta::assert_snapshot!(shown(stop.clone()), @r"
        stopped: ~/My Downloads was stopped 3 min ago, because the rules would file 900 of 1000.
          what would be done now:            tidyctl organize --dry-run '/home/a/My Downloads'
          it is what you want, go on:        tidyctl resume '/home/a/My Downloads'
          it is not, change the rules and:   tidyctl reload && tidyctl resume
        ");
        let changed = shown(StopInfo { rules_changed: true, ..stop.clone() });
        assert!(changed.contains("the rules were changed") && !changed.contains("go on"));
        let rate = shown(StopInfo { reason: "rate".into(), ..stop });
        assert!(rate.contains("tidyctl rollback --since '2026-"), "{rate}");
    }

    #[test]
    fn folders_are_quoted_as_a_shell_wants_them() {
        let word = |path: &[u8]| {
            use std::os::unix::ffi::OsStrExt as _;
            command_word(&Path::new(std::ffi::OsStr::from_bytes(path)).into())
        };
        assert_eq!(word(b"/a/B-1.x"), "/a/B-1.x");
        assert_eq!(word(b"/a b"), "'/a b'");
        assert_eq!(word(b"/it's $HOME"), "'/it'\\''s $HOME'");
        assert_eq!(word(b"/a\n"), "FOLDER");
        assert_eq!(word(b"/\xff"), "FOLDER");
    }

    #[test]
    fn nothing_pending_is_nothing_to_say() {
        assert_eq!(pending(&Pending::default()), None);
        let some = Pending { dirty: 1, in_flight: 2, ..Pending::default() };
        assert_eq!(pending(&some).unwrap(), "1 directory to be read, 2 files being filed");
    }
}
