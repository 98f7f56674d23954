//! `metrics`: where what is counted can be read, beside the control socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::quantity;
use crate::read::folder;
use crate::walk::{At, Keys, Table, Walk, quoted};

const METRICS: Keys = Keys::of(&["textfile", "every", "listen"]);

/// How often the file is written when nothing is said: as often as most scrapers come.
const EVERY: Duration = Duration::from_secs(60);

/// Scrapers come every 10 s or more; a day is as good as never.
const OFTEN: Duration = Duration::from_secs(10);
const SELDOM: Duration = Duration::from_secs(24 * 3600);

/// What node_exporter's textfile collector reads.
const EXTENSION: &str = "prom";

/// Where metrics can be read. Nowhere: only `tidyctl metrics` tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsConfig {
    /// A file for node_exporter's textfile collector, absolute.
    pub textfile: Option<PathBuf>,
    /// How often it is written.
    pub every: Duration,
    /// Where `/metrics` and `/health` are served over HTTP: on this machine.
    pub listen: Option<SocketAddr>,
}

/// As the file has it.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) textfile: Option<At<PathBuf>>,
    pub(crate) every: Duration,
    pub(crate) listen: Option<SocketAddr>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { textfile: None, every: EVERY, listen: None }
    }
}

/// What is wrong is reported.
pub(crate) fn read(walk: &mut Walk<'_>, top: &Table<'_, '_>) -> Metrics {
    let mut metrics = Metrics::default();
    let Some(value) = top.get("metrics") else { return metrics };
    let Some(table) = walk.table(value, "metrics", "a table") else { return metrics };
    walk.check_keys(&table, &METRICS);
    metrics.textfile = textfile(walk, &table);
    if let Some(value) = table.get("every") {
        let key = table.path("every");
        if let Some(text) = walk.string(value, &key, "a duration such as \"1m\"") {
            match quantity::duration(&text.value) {
                Ok(every) if (OFTEN..=SELDOM).contains(&every) => metrics.every = every,
                Ok(_) => walk.findings.add(text.span, &key, "`every` can be \"10s\" to \"1d\""),
                Err(why) => walk.findings.add(text.span, &key, why),
            }
        }
    }
    if let Some(value) = table.get("listen") {
        let key = table.path("listen");
        if let Some(text) = walk.string(value, &key, "an address such as \"127.0.0.1:9427\"") {
            match loopback(&text.value) {
                Ok(address) => metrics.listen = Some(address),
                Err((why, hint)) => walk.findings.add_with_hint(text.span, &key, why, hint),
            }
        }
    }
    metrics
}

fn textfile(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<At<PathBuf>> {
    let value = table.get("textfile")?;
    let key = table.path("textfile");
    let text = walk.string(value, &key, "a path")?;
    let file = folder(walk, &key, &text)?;
    if file.value.extension().is_none_or(|extension| extension != EXTENSION) {
        let message = "node_exporter reads files that end in `.prom`, and no others";
        walk.findings.add_with_hint(file.span, &key, message, "textfile = \"…/tidyd.prom\"");
        return None;
    }
    Some(file)
}

/// An address of this machine alone, or what is wrong with it and what to do.
fn loopback(text: &str) -> Result<SocketAddr, (String, &'static str)> {
    let shown = text.escape_debug();
    let Ok(address) = text.trim().parse::<SocketAddr>() else {
        let message = format!("`{shown}` is not an address with a port");
        return Err((
            message,
            "write \"127.0.0.1:9427\" or \"[::1]:9427\"; names are not looked up",
        ));
    };
    if !address.ip().is_loopback() {
        let message = format!(
            "`{shown}` can be reached from other machines, and nobody is asked who they are"
        );
        let hint = "use \"127.0.0.1:9427\", and a proxy that asks for a password before it where others must read it";
        return Err((message, hint));
    }
    Ok(address)
}

/// The lines of `[metrics]` as they are written in a file; `path` quotes a path. None where nothing was written.
pub(crate) fn shown(
    metrics: &Metrics,
    path: impl Fn(&std::path::Path) -> String,
    duration: impl Fn(Duration) -> String,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(file) = &metrics.textfile {
        lines.push(("textfile", path(&file.value)));
    }
    if metrics.every != EVERY {
        lines.push(("every", duration(metrics.every)));
    }
    lines.extend(metrics.listen.map(|address| ("listen", quoted(&address.to_string()))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Config;
    use crate::testing;

    fn config(lines: &str) -> Result<Config, String> {
        testing::config(&format!("[metrics]\n{lines}"))
    }

    #[test]
    fn what_is_written_is_read_and_shown() {
        let none = Config::parse("watch = [\"~/D\"]", "test").unwrap();
        assert!(!none.show().contains("metrics"));
        let lines = "textfile = \"~/x/tidyd.prom\"\nevery = \"30s\"\nlisten = \"[::1]:9427\"";
        let read = config(lines).unwrap();
        let of = &read.metrics;
        assert_eq!(of.textfile.as_ref().unwrap().value, PathBuf::from("~/x/tidyd.prom"));
        assert_eq!((of.every, of.listen), (Duration::from_secs(30), "[::1]:9427".parse().ok()));
        assert!(read.show().contains(&format!("[metrics]\n{lines}\n")), "{}", read.show());
        assert_eq!(config("").unwrap().metrics.every, EVERY);
    }

    #[test]
    fn what_others_could_reach_or_nobody_would_read_is_an_error() {
        for (line, what) in [
            ("listen = \"0.0.0.0:9427\"", "can be reached from other machines"),
            ("listen = \"[::]:9427\"", "can be reached from other machines"),
            ("listen = \"192.168.1.2:80\"", "use \"127.0.0.1:9427\""),
            ("listen = \"localhost:9427\"", "names are not looked up"),
            ("listen = \"127.0.0.1\"", "not an address with a port"),
            ("listen = 9427", "an address such as"),
            ("textfile = \"relative.prom\"", "must be absolute"),
            ("textfile = \"/x/metrics.txt\"", "end in `.prom`"),
            ("every = \"1s\"", "\"10s\" to \"1d\""),
            ("every = \"2d\"", "\"10s\" to \"1d\""),
            ("every = 60", "a duration such as"),
            ("listne = \"127.0.0.1:1\"", "did you mean `listen`"),
        ] {
            let error = config(line).unwrap_err();
            assert!(error.contains(what), "{line}: {error}");
        }
    }
}
