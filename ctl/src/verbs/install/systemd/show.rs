//! What `systemctl show` prints, and what it means. Pure.

use std::path::PathBuf;

use super::super::manager::{End, Found};

/// What is asked for.
pub(super) const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,UnitFileState,FragmentPath,\
     ExecStart,MainPID,NRestarts,ActiveEnterTimestampMonotonic,Result,ExecMainCode,ExecMainStatus";

/// The two clocks at one moment, in nanoseconds: times of systemd count from the boot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) wall_ns: i64,
    pub(super) since_boot_ns: i64,
}

/// `NAME=VALUE` lines. `None`: there is no such unit.
pub(super) fn found(text: &str, clocks: Clocks) -> Option<Found> {
    let value = |name: &str| {
        let lines = text.lines().filter_map(|l| l.split_once('='));
        lines.filter(|(n, _)| *n == name).map(|(_, v)| v).find(|v| !v.is_empty()).unwrap_or("")
    };
    let load = value("LoadState");
    if matches!(load, "" | "not-found") {
        return None;
    }
    let number = |name: &str| value(name).parse::<i64>().ok().filter(|n| *n > 0);
    let active = match (load, value("ActiveState"), value("SubState")) {
        ("loaded", _, "auto-restart") => "restarting",
        ("loaded", active, _) => active,
        // `masked`, `bad-setting`, `error`: whatever it says besides, it does not start.
        (load, ..) => load,
    };
    let since_ns = number("ActiveEnterTimestampMonotonic").and_then(|us| {
        let ago = clocks.since_boot_ns.checked_sub(us.checked_mul(1_000)?)?;
        clocks.wall_ns.checked_sub(ago)
    });
    Some(Found {
        file: Some(value("FragmentPath")).filter(|p| !p.is_empty()).map(PathBuf::from),
        program: program(value("ExecStart")),
        // `static` and `indirect` have no say of their own; `enabled-runtime` is gone at the next boot.
        enabled: value("UnitFileState") == "enabled",
        active: active.to_owned(),
        since_ns: since_ns.filter(|_| active == "active"),
        pid: number("MainPID").and_then(|pid| u32::try_from(pid).ok()),
        restarts: number("NRestarts").and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        last_end: end(value("Result"), value("ExecMainCode"), value("ExecMainStatus")),
    })
}

/// Of `{ path=/usr/bin/tidyd ; argv[]=/usr/bin/tidyd ; … }`. Behind `env` it is the argument.
fn program(start: &str) -> Option<PathBuf> {
    let (path, rest) = start.strip_prefix("{ path=")?.split_once(" ; argv[]=")?;
    if path != "/usr/bin/env" {
        return Some(path.into());
    }
    let (line, _) = rest.split_once(" ; ")?;
    Some(line.strip_prefix("/usr/bin/env ")?.into())
}

/// `Result` is why the unit is as it is, the others how its process ended last (systemd.exec(5), waitid(2)).
fn end(result: &str, code: &str, status: &str) -> Option<End> {
    let status: i32 = status.parse().unwrap_or(0);
    let (exit, signal) = match code {
        "1" => (Some(status), None),
        "2" | "3" => (None, Some(status)),
        _ => (None, None),
    };
    let failed = !matches!(result, "" | "success");
    (failed || exit.is_some() || signal.is_some()).then(|| End {
        why: result.to_owned(),
        exit,
        signal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: Clocks = Clocks { wall_ns: 1_000_000_000_000, since_boot_ns: 60_000_000_000 };

    /// As systemd 252 prints it.
    const RUNNING: &str = "\
Result=success
NRestarts=2
MainPID=61
ExecMainCode=0
ExecMainStatus=0
ExecStart={ path=/home/a b/tidyd ; argv[]=/home/a b/tidyd ; ignore_errors=no ; start_time=[n/a] ; status=0/0 }
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/home/a/.config/systemd/user/tidyd.service
UnitFileState=enabled
ActiveEnterTimestampMonotonic=50000000
";

    #[test]
    fn a_running_service_is_understood() {
        let found = found(RUNNING, CLOCKS).unwrap();
        let want = Found {
            file: Some("/home/a/.config/systemd/user/tidyd.service".into()),
            program: Some("/home/a b/tidyd".into()),
            enabled: true,
            active: "active".into(),
            since_ns: Some(990_000_000_000),
            pid: Some(61),
            restarts: 2,
            last_end: None,
        };
        assert_eq!(found, want);
    }

    #[test]
    fn why_it_does_not_run_is_understood() {
        let changed = |from: &str, to: &str, active: &str| {
            let text = RUNNING.replace("ActiveState=active", active).replace(from, to);
            found(&text, CLOCKS)
        };
        let failed = changed(
            "Result=success\nNRestarts=2\nMainPID=61\nExecMainCode=0\nExecMainStatus=0",
            "Result=exit-code\nNRestarts=0\nMainPID=0\nExecMainCode=1\nExecMainStatus=78",
            "ActiveState=failed",
        );
        let failed = failed.unwrap();
        assert_eq!((failed.active.as_str(), failed.pid, failed.since_ns), ("failed", None, None));
        let end = End { why: "exit-code".into(), exit: Some(78), signal: None };
        assert_eq!(failed.last_end, Some(end));
        let killed = changed(
            "Result=success\nNRestarts=2\nMainPID=61\nExecMainCode=0\nExecMainStatus=0",
            "Result=watchdog\nExecMainCode=3\nExecMainStatus=6",
            "ActiveState=activating",
        );
        let killed = killed.unwrap();
        assert_eq!(killed.active, "activating");
        let end = End { why: "watchdog".into(), exit: None, signal: Some(6) };
        assert_eq!(killed.last_end, Some(end));
        let again = changed("SubState=running", "SubState=auto-restart", "ActiveState=activating");
        assert_eq!(again.unwrap().active, "restarting");
        let masked = changed("LoadState=loaded", "LoadState=masked", "ActiveState=inactive");
        assert_eq!(masked.unwrap().active, "masked");
    }

    #[test]
    fn no_unit_is_none_and_nonsense_is_no_panic() {
        assert_eq!(found("LoadState=not-found\nActiveState=inactive\n", CLOCKS), None);
        assert_eq!(found("", CLOCKS), None);
        let odd = "LoadState=loaded\nExecStart={ path=\nMainPID=-1\nNRestarts=x\n\
                   ActiveEnterTimestampMonotonic=9223372036854775807\n";
        let found = found(odd, CLOCKS).unwrap();
        assert_eq!((found.program, found.pid, found.restarts), (None, None, 0));
        let env = "{ path=/usr/bin/env ; argv[]=/usr/bin/env /o'b/tidyd ; ignore_errors=no }";
        assert_eq!(program(env), Some("/o'b/tidyd".into()));
    }
}
