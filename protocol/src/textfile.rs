//! Metrics as a file for node_exporter's textfile collector, which both ends write: the service on its own every while,
//! `tidyctl` when it is asked to.
//!
//! The collector reads the older text format (Prometheus, version 0.0.4), in which counters are declared with their
//! `_total` and nothing has a unit, and it refuses names that node_exporter uses for itself: what is `process_…` elsewhere
//! is `tidyd_process_…` here.

use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The first line: by it a file is known to be ours.
const MARK: &str = "# Metrics of tidyd.\n";

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TextfileError {
    #[error("something else has this name, and nothing is overwritten but metrics of tidyd")]
    NotOurs,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the file, readable by everybody. It is whole at any moment: a reader finds the one before or the new one.
///
/// # Errors
/// What is there is not ours, or it cannot be written.
#[expect(
    clippy::disallowed_methods,
    reason = "replaces a file that tidyd has written itself, and only that"
)]
pub fn write(path: &Path, openmetrics: &str) -> Result<(), TextfileError> {
    if !may_be_replaced(path)? {
        return Err(TextfileError::NotOurs);
    }
    // In the same directory, so that it can take the place of the old one, and with a name that no collector reads.
    let new = path.with_file_name(format!(".tidyd-metrics-{}", std::process::id()));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        // At most one that was left by a process that had our number.
        _ => {}
    }
    let written =
        OpenOptions::new().write(true).create_new(true).open(&new).and_then(|mut file| {
            file.write_all(of(openmetrics).as_bytes())?;
            // Whatever the umask says: another user reads it.
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.sync_all()?;
            std::fs::rename(&new, path)
        });
    if written.is_err() {
        // What could not be finished is of no use; the error before it is the one to be told.
        let _ = std::fs::remove_file(&new);
    }
    Ok(written?)
}

/// Whether nothing is there, or metrics of ours.
fn may_be_replaced(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => return Ok(false),
        Ok(found) if found.len() == 0 => return Ok(true),
        Ok(_) => {}
    }
    let mut start = Vec::new();
    std::fs::File::open(path)?.take(MARK.len() as u64).read_to_end(&mut start)?;
    Ok(start == MARK.as_bytes())
}

/// The same metrics in the older format.
fn of(openmetrics: &str) -> String {
    let mut out = String::with_capacity(MARK.len() + openmetrics.len());
    out.push_str(MARK);
    let mut help = "";
    for line in openmetrics.lines() {
        let word = |n: usize| line.split(' ').nth(n).unwrap_or_default();
        let result = if line.starts_with("# HELP ") {
            // Its name depends on the type, which comes next.
            help = line.splitn(4, ' ').nth(3).unwrap_or_default();
            Ok(())
        } else if line.starts_with("# TYPE ") {
            let (name, kind) = (word(2), word(3));
            let (own, total) = (ours(name), if kind == "counter" { "_total" } else { "" });
            let help = std::mem::take(&mut help);
            writeln!(out, "# HELP {own}{name}{total} {help}\n# TYPE {own}{name}{total} {kind}")
        } else if line.starts_with('#') {
            Ok(())
        } else {
            writeln!(out, "{}{line}", ours(line))
        };
        // Writing to a String does not fail.
        debug_assert!(result.is_ok());
    }
    out
}

fn ours(name: &str) -> &'static str {
    if name.starts_with("process_") { "tidyd_" } else { "" }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make and look at their own files")]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    const TEXT: &str = "\
# HELP tidyd_files Files, by what became of them.
# TYPE tidyd_files counter
tidyd_files_total{outcome=\"filed\"} 7
# HELP process_cpu_seconds Time on the processor.
# TYPE process_cpu_seconds counter
# UNIT process_cpu_seconds seconds
process_cpu_seconds_total 0.5
# HELP tidyd_clients Connections.
# TYPE tidyd_clients gauge
tidyd_clients 1
# EOF
";

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("tidy-textfile-{}-{name}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn the_collector_gets_the_format_and_the_names_that_it_reads() {
        assert_eq!(
            of(TEXT),
            "# Metrics of tidyd.\n\
             # HELP tidyd_files_total Files, by what became of them.\n\
             # TYPE tidyd_files_total counter\n\
             tidyd_files_total{outcome=\"filed\"} 7\n\
             # HELP tidyd_process_cpu_seconds_total Time on the processor.\n\
             # TYPE tidyd_process_cpu_seconds_total counter\n\
             tidyd_process_cpu_seconds_total 0.5\n\
             # HELP tidyd_clients Connections.\n\
             # TYPE tidyd_clients gauge\n\
             tidyd_clients 1\n"
        );
    }

    #[test]
    fn it_is_replaced_as_a_whole_and_readable_by_everybody() {
        let dir = scratch("replaced");
        let file = dir.join("tidyd.prom");
        for _ in 0..2 {
            write(&file, TEXT).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), of(TEXT));
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_is_not_ours_stays() {
        let dir = scratch("stays");
        let (mine, link) = (dir.join("mine.prom"), dir.join("link.prom"));
        fs::write(&mine, "my own metrics\n").unwrap();
        let target = dir.join("target.prom");
        write(&target, TEXT).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for path in [&mine, &link, &dir] {
            assert!(matches!(write(path, TEXT), Err(TextfileError::NotOurs)), "{path:?}");
        }
        assert_eq!(fs::read_to_string(&mine).unwrap(), "my own metrics\n");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 3);
        assert!(matches!(write(&dir.join("none/x.prom"), TEXT), Err(TextfileError::Io(_))));
        fs::remove_dir_all(dir).unwrap();
    }
}
