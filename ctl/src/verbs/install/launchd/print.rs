//! What `launchctl print gui/UID/LABEL` prints, and what it means. Pure.
//!
//! Its format is no interface, says launchctl(1): what is not found here is not known, and nothing else depends on it.

use std::path::PathBuf;

use super::super::manager::{End, Found};

/// `NAME = VALUE` lines of the outermost block, and what has its own meaning in them.
pub(super) fn found(text: &str) -> Found {
    let value = |name: &str| {
        let of_block = |l: &&str| l.starts_with('\t') && !l.starts_with("\t\t");
        let pairs = text.lines().filter(of_block).filter_map(|l| l.trim().split_once(" = "));
        pairs.filter(|(n, _)| *n == name).map(|(_, v)| v.trim()).next()
    };
    let path = |name: &str| value(name).filter(|v| v.starts_with('/')).map(PathBuf::from);
    let last_end = end(value("last exit code"), value("last terminating signal"));
    let active = match (value("state"), &last_end) {
        (Some("running"), _) => "active",
        (Some("spawn scheduled"), _) => "restarting",
        (Some(_), Some(_)) => "failed",
        (Some(_), None) => "inactive",
        (None, _) => "unknown",
    };
    Found {
        file: path("path"),
        program: path("program"),
        enabled: true,
        active: active.to_owned(),
        since_ns: None,
        pid: value("pid").and_then(|pid| pid.parse().ok()),
        // The first start is one of its runs.
        restarts: value("runs").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0).saturating_sub(1),
        last_end,
    }
}

/// `0`, `78: EX_CONFIG`, `(never exited)`; `Killed: 9`. A good end is none to speak of.
fn end(code: Option<&str>, signal: Option<&str>) -> Option<End> {
    let number = |text: &str| text.split([' ', ':']).find_map(|word| word.parse::<i32>().ok());
    let exit = code.and_then(number).filter(|code| *code != 0);
    let signal = signal.and_then(number);
    (exit.is_some() || signal.is_some()).then(|| End { why: String::new(), exit, signal })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As macOS 14 prints it, shortened.
    const RUNNING: &str = "\
gui/501/dev.tidyd.agent = {
\tactive count = 1
\tpath = /Users/a/Library/LaunchAgents/dev.tidyd.agent.plist
\ttype = LaunchAgent
\tstate = running

\tprogram = /Users/a/.cargo/bin/tidyd
\targuments = {
\t\t/Users/a/.cargo/bin/tidyd
\t\t--log-format
\t}

\tdefault environment = {
\t\tstate = not running
\t}

\truns = 3
\tpid = 4711
\tlast exit code = (never exited)
}
";

    #[test]
    fn a_running_agent_is_understood() {
        let want = Found {
            file: Some("/Users/a/Library/LaunchAgents/dev.tidyd.agent.plist".into()),
            program: Some("/Users/a/.cargo/bin/tidyd".into()),
            enabled: true,
            active: "active".into(),
            since_ns: None,
            pid: Some(4711),
            restarts: 2,
            last_end: None,
        };
        assert_eq!(found(RUNNING), want);
    }

    #[test]
    fn how_it_ended_is_understood() {
        let ended = |line: &str| {
            let text = RUNNING.replace("\tstate = running", "\tstate = not running");
            found(&text.replace("\tlast exit code = (never exited)", line))
        };
        let bad = ended("\tlast exit code = 78: EX_CONFIG");
        assert_eq!(bad.active, "failed");
        assert_eq!(bad.last_end.unwrap().exit, Some(78));
        let killed = ended("\tlast terminating signal = Killed: 9");
        assert_eq!(killed.last_end.unwrap().signal, Some(9));
        assert_eq!(ended("\tlast exit code = 0").active, "inactive");
        assert_eq!(found("nonsense = {\n").active, "unknown");
    }
}
