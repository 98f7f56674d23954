//! How a service ended, in words, and what to do about it. Pure.

use super::manager::End;

/// What to do where nothing better is known.
pub(crate) const LOOK: &str = "tidyctl service logs; tidyctl errors";

/// One clause.
pub(crate) fn words(end: &End) -> String {
    let how = match (end.exit, end.signal) {
        (Some(78), _) => "the configuration is missing or wrong (exit code 78)".to_owned(),
        (Some(5), _) => "it was refused (exit code 5): another tidyd, or a permission".to_owned(),
        (Some(203), _) => "its program cannot be run (exit code 203)".to_owned(),
        (Some(0), _) => "it ended by itself".to_owned(),
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => String::new(),
    };
    let why = match end.why.as_str() {
        // These say what the codes say.
        "" | "success" | "exit-code" | "signal" | "core-dump" => "",
        "watchdog" => "it hung, and did not feed its watchdog",
        "oom-kill" => "the system had no memory left for it",
        "start-limit-hit" => "it failed too often in a short time, and is not started any more",
        "timeout" => "it took too long to start or to stop",
        "protocol" => "it ended before it was ready",
        "resources" => "the service manager lacked something to start it",
        other => other,
    };
    match (why, how.is_empty()) {
        ("", true) => "nobody knows why".to_owned(),
        ("", false) => how,
        (why, true) => why.to_owned(),
        (why, false) => format!("{why} ({how})"),
    }
}

/// What to do.
pub(crate) fn fix(end: &End) -> &'static str {
    match (end.why.as_str(), end.exit) {
        (_, Some(78)) => "tidyctl config check, then: tidyctl service install",
        (_, Some(5)) => {
            "tidyctl status says whether another one runs; tidyctl service logs says what was refused"
        }
        (_, Some(203)) => "tidyctl service install, if the programs were moved",
        ("oom-kill", _) => "free some memory, then: tidyctl service install",
        _ => LOOK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_words_and_a_way_on() {
        let end = |why: &str, exit, signal| End { why: why.into(), exit, signal };
        let table = [
            (end("exit-code", Some(78), None), "configuration", "config check"),
            (end("exit-code", Some(1), None), "exit code 1", "service logs"),
            (end("exit-code", Some(203), None), "cannot be run", "service install"),
            (end("watchdog", None, Some(6)), "watchdog (it was ended by signal 6)", "errors"),
            (end("start-limit-hit", Some(78), None), "too often", "config check"),
            (end("oom-kill", None, Some(9)), "memory", "memory"),
            (end("", None, Some(9)), "signal 9", "logs"),
            (end("new-word", None, None), "new-word", "logs"),
        ];
        for (end, in_words, in_fix) in table {
            assert!(words(&end).contains(in_words), "{end:?}: {}", words(&end));
            assert!(fix(&end).contains(in_fix), "{end:?}: {}", fix(&end));
        }
    }
}
