//! What people read: paths, times, sizes, tables and the lines of plans and operations.
//!
//! In: answers of the daemon and a [`Look`]. Out: text, with ANSI colours that the output strips where they do not
//! belong. May not know: the socket, the command line. Everything that came from a file name or from the daemon is
//! escaped here before it is text.

pub(crate) mod fold;
pub(crate) mod operation;
pub(crate) mod path;
pub(crate) mod reason;
pub(crate) mod report;
pub(crate) mod size;
pub(crate) mod table;
pub(crate) mod time;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
pub(crate) use tidy_config::count;
use tidy_protocol::WirePath;

/// Whom the text is for.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// A person sits before it: relative times, `~`, wrapped columns. Otherwise text is for other programs.
    pub(crate) terminal: bool,
    /// Columns of the terminal.
    pub(crate) width: Option<u16>,
    /// Rows of the terminal.
    pub(crate) height: Option<u16>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) now: Timestamp,
    pub(crate) tz: TimeZone,
}

impl Look {
    /// A path, escaped; below the home directory with `~` on a terminal.
    pub(crate) fn path(&self, path: &Path) -> String {
        match self.home.as_deref().filter(|_| self.terminal) {
            Some(home) => path::below_home(path, home),
            None => path::shown(path.as_os_str()),
        }
    }

    /// A path of the wire that may be missing.
    pub(crate) fn maybe_path(&self, path: Option<&WirePath>) -> String {
        path.map(|p| self.path(p.as_path())).unwrap_or_default()
    }

    /// Text of a person's, with no line longer than the terminal where words allow it.
    pub(crate) fn fold(&self, text: &str) -> String {
        let folded = self.width.filter(|_| self.terminal).map(|width| fold::fold(text, width));
        folded.as_deref().unwrap_or(text).replace(reason::UNBROKEN, " ")
    }

    /// A moment: `3 min ago` on a terminal, else local time with its offset.
    pub(crate) fn moment(&self, ns: i64) -> String {
        if self.terminal { time::ago(ns, self.now, &self.tz) } else { time::absolute(ns, &self.tz) }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A terminal of 80 columns, at 2026-11-21 12:00:00 in UTC, with the home directory `/home/a`.
    pub(crate) fn terminal() -> Look {
        Look {
            terminal: true,
            width: Some(80),
            height: Some(24),
            home: Some("/home/a".into()),
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
            tz: TimeZone::UTC,
        }
    }

    pub(crate) fn piped() -> Look {
        Look { terminal: false, width: None, ..terminal() }
    }

    /// That many seconds before the look's now, in nanoseconds.
    pub(crate) fn before(seconds: i64) -> i64 {
        (terminal().now.as_second() - seconds) * 1_000_000_000
    }

    pub(crate) fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }
}
