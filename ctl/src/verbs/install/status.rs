//! `service status`.

use owo_colors::OwoColorize;
use serde::Serialize;
use tidy_protocol::{ExitCode, WirePath};

use super::file;
use super::manager::Manager;
use super::seal::Whose;
use super::{answering_already, ended};
use crate::render::path::one_line;
use crate::render::{Look, count};
use crate::run::{Ended, Session};

/// Everything about it.
#[derive(Debug, Serialize)]
struct ServiceStatus {
    /// `None`: there is none to ask, and why.
    manager: Option<&'static str>,
    no_manager: Option<String>,
    installed: bool,
    /// It starts at login.
    enabled: bool,
    active: String,
    unit: Option<WirePath>,
    /// Who wrote the unit: `tidyctl`, `person`, `package`.
    whose: Option<&'static str>,
    program: Option<WirePath>,
    since_ns: Option<i64>,
    pid: Option<u32>,
    restarts: u64,
    last_end: Option<LastEnd>,
    socket: WirePath,
    /// The process that answers there, whoever started it.
    answers: Option<u32>,
}

#[derive(Debug, Serialize)]
struct LastEnd {
    text: String,
    exit: Option<i32>,
    signal: Option<i32>,
}

/// Shows it.
pub(super) fn status(s: &mut Session, manager: &dyn Manager) -> Ended {
    let (found, no_manager) = match manager.look() {
        Ok(found) => (found, None),
        Err(none) => (None, Some(none)),
    };
    let answers = answering_already(s, manager, found.as_ref());
    let installed = found.is_some();
    let found = found.unwrap_or_default();
    let whose = found.file.as_deref().and_then(|unit| match manager.is_foreign(unit) {
        true => Some(Whose::Package),
        false => file::whose(unit).ok().flatten(),
    });
    let status = ServiceStatus {
        manager: no_manager.is_none().then(|| manager.name()),
        no_manager: no_manager.map(|n| n.why),
        installed,
        enabled: found.enabled,
        active: if installed { found.active } else { "inactive".to_owned() },
        unit: found.file.as_deref().map(Into::into),
        whose: whose.map(Whose::word),
        program: found.program.as_deref().map(Into::into),
        since_ns: found.since_ns,
        pid: found.pid,
        restarts: found.restarts,
        last_end: found.last_end.map(|end| LastEnd {
            text: ended::words(&end),
            exit: end.exit,
            signal: end.signal,
        }),
        socket: s.socket()?.as_path().into(),
        answers,
    };
    s.out.show(&status, text)?;
    Ok(if status.answers.is_some() { ExitCode::Ok } else { ExitCode::NotRunning })
}

fn text(look: &Look, s: &ServiceStatus) -> String {
    let mut out = String::new();
    match (s.manager, s.installed) {
        (None, _) => {
            let why = s.no_manager.as_deref().unwrap_or_default();
            out.push_str(&format!("{}\n", one_line(why)));
        }
        (Some(manager), false) => {
            out.push_str(&format!(
                "tidyd is no service of {manager}; install it with: tidyctl service install\n"
            ));
        }
        (Some(manager), true) => {
            let active = one_line(&s.active);
            let active = match s.active.as_str() {
                "active" => active.green().to_string(),
                "failed" | "restarting" => active.red().bold().to_string(),
                _ => active.yellow().to_string(),
            };
            let enabled = if s.enabled { "starts at login" } else { "does not start at login" };
            out.push_str(&format!("the service of {manager} is {active}, and {enabled}\n"));
        }
    }
    let mut line = |name: &str, value: String| out.push_str(&format!("  {name:<8} {value}\n"));
    if let Some(unit) = &s.unit {
        let whose = match s.whose {
            Some("tidyctl") => " (written by tidyctl service install)",
            Some("person") => " (written or changed by hand)",
            Some("package") => " (of a package)",
            _ => "",
        };
        line("unit", format!("{}{whose}", look.path(unit.as_path())));
    }
    if let Some(program) = &s.program {
        line("program", look.path(program.as_path()));
    }
    if let Some(pid) = s.pid {
        let since = s.since_ns.map(|ns| format!(", since {}", look.moment(ns))).unwrap_or_default();
        line("process", format!("{pid}{since}"));
    }
    if s.restarts > 0 {
        line("anew", format!("started {} by {}", times(s.restarts), s.manager.unwrap_or("it")));
    }
    if let Some(end) = &s.last_end {
        line("last end", one_line(&end.text));
    }
    let socket = look.path(s.socket.as_path());
    line(
        "socket",
        match s.answers {
            Some(pid) if s.pid.is_some_and(|own| own != pid) => {
                format!("{socket}: another process answers ({pid})")
            }
            Some(pid) if s.pid.is_none() => {
                format!("{socket}: process {pid} answers, started by hand")
            }
            Some(_) => format!("{socket}: it answers"),
            None => format!("{socket}: nobody answers"),
        },
    );
    out
}

fn times(n: u64) -> String {
    count(n, "time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{before, plain, terminal};

    fn running() -> ServiceStatus {
        let path = |p: &str| WirePath(p.into());
        ServiceStatus {
            manager: Some("systemd"),
            no_manager: None,
            installed: true,
            enabled: true,
            active: "active".into(),
            unit: Some(path("/home/a/.config/systemd/user/tidyd.service")),
            whose: Some("tidyctl"),
            program: Some(path("/home/a/.cargo/bin/tidyd")),
            since_ns: Some(before(180)),
            pid: Some(42),
            restarts: 1,
            last_end: Some(LastEnd { text: "it hung".into(), exit: None, signal: Some(6) }),
            socket: path("/run/user/1000/tidyd/control.sock"),
            answers: Some(42),
        }
    }

    #[test]
    fn it_says_what_runs_since_when_and_how_it_ended_before() {
        insta::assert_snapshot!(plain(&text(&terminal(), &running())), @r"
        the service of systemd is active, and starts at login
          unit     ~/.config/systemd/user/tidyd.service (written by tidyctl service install)
          program  ~/.cargo/bin/tidyd
          process  42, since 3 min ago
          anew     started 1 time by systemd
          last end it hung
          socket   /run/user/1000/tidyd/control.sock: it answers
        ");
    }

    #[test]
    fn who_answers_is_told_from_who_should() {
        let shown = |change: fn(&mut ServiceStatus)| {
            let mut status = running();
            change(&mut status);
            plain(&text(&terminal(), &status))
        };
        assert!(shown(|s| s.answers = Some(7)).contains("another process answers (7)"));
        assert!(shown(|s| s.answers = None).contains("nobody answers"));
        let by_hand = shown(|s| {
            (s.installed, s.unit, s.program, s.pid, s.restarts, s.last_end) =
                (false, None, None, None, 0, None);
        });
        assert!(
            by_hand.starts_with("tidyd is no service of systemd; install it with"),
            "{by_hand}"
        );
        assert!(by_hand.contains("process 42 answers, started by hand"), "{by_hand}");
        let none = shown(|s| {
            (s.manager, s.installed, s.no_manager) = (None, false, Some("no\x1b[2J".into()));
        });
        assert!(none.starts_with("no\\x1b[2J\n"), "{none}");
    }
}
