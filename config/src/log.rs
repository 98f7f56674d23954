//! `log`: what the service's log tells.

use crate::walk::{Keys, Table, Walk};

const KEYS: Keys = Keys::of(&["redact"]);

/// What stands in the log, and what does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// Names and paths of files do not: they become digests.
    pub redact: bool,
}

/// As the file has it; what is wrong is reported.
pub(crate) fn read(walk: &mut Walk<'_>, top: &Table<'_, '_>) -> LogConfig {
    let mut log = LogConfig::default();
    let Some(value) = top.get("log") else { return log };
    let Some(table) = walk.table(value, "log", "a table such as { redact = true }") else {
        return log;
    };
    walk.check_keys(&table, &KEYS);
    if let Some(value) = table.get("redact") {
        log.redact = walk.boolean(value, &table.path("redact")).unwrap_or_default();
    }
    log
}

#[cfg(test)]
mod tests {
    use crate::Config;

    #[test]
    fn the_log_is_plain_unless_it_is_said_otherwise() {
        let config = |line: &str| {
            let text = format!("watch = [\"~/Downloads\"]\n{line}\n");
            Config::parse(&text, "test").map_err(|e| e.to_string())
        };
        assert!(!config("").unwrap().log.redact && !config("log = {}").unwrap().log.redact);
        let redacted = config("log = { redact = true }").unwrap();
        assert!(redacted.log.redact && redacted.show().contains("log = { redact = true }"));
        for (line, what) in [
            ("log = true", "must be a table"),
            ("log = { redcat = true }", "did you mean `redact`"),
            ("log = { redact = 1 }", "true or false"),
        ] {
            let error = config(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
