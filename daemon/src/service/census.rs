//! `tidyd scan`: the duplicates below some directories, without the service and its configuration.
//!
//! What it reads is remembered in the cache directory, in a catalog of its own: that of the service is of the folders it
//! watches, and of one process. Once it knows what to look at, the process can read that, and write its cache.

use std::collections::HashSet;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use tidy_config::Environment;
use tidy_core::{bytes, count, name};
use tidy_protocol::DuplicateGroup;
use tidy_protocol::ExitCode as Code;

use super::{Fatal, open};
use crate::census::{self, Census, Group};
use crate::cli::ScanOptions;
use crate::confine::Reach;
use crate::store::{StateDir, Store, StoreError, StoreOptions};
use crate::telemetry::clock::{Clock, SystemClock};
use crate::telemetry::{self, LogFormat};

/// Runs it.
pub(super) fn run(options: &ScanOptions) -> Result<Code, Fatal> {
    let bases = census::bases(&options.dirs).map_err(|(path, e)| {
        let message = format!("{} cannot be scanned: {e}", name::shown(path.as_os_str()));
        Fatal::new(Code::Usage, message, "name directories that are there")
    })?;
    let cache = if options.fresh { None } else { cache(options)? };
    confine(&bases, cache.as_ref());
    let _log = telemetry::init(LogFormat::default(), None)
        .map_err(|e| Fatal::new(Code::Usage, e.to_string(), "see `tidyd scan --help`"))?;
    // Our own files change while we look at them.
    let own = cache.as_ref().and_then(|s| std::fs::metadata(s.path()).ok());
    let how = census::Options {
        min_size: options.min_size,
        leave_out: own.iter().map(|m| (m.dev(), m.ino())).collect::<HashSet<_>>(),
        now: SystemClock.wall(),
    };
    let census = census::take(&bases, &how, || {
        let Some(cache) = &cache else { return Ok(None) };
        let (store, _) = Store::open(&cache.store(), StoreOptions::default()).map_err(unusable)?;
        open::open_catalog(store, &mut Vec::new()).map(|(store, catalog, _)| {
            // See `House`: it must not be closed.
            std::mem::forget(store);
            Some(catalog)
        })
    })?;
    let shown = if options.json { json(&census.groups) } else { text(&census.groups) };
    match shown {
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
        Err(e) => {
            let message = format!("the list cannot be written: {e}");
            return Err(Fatal::new(Code::Failed, message, "see where standard output goes"));
        }
        Ok(()) => {}
    }
    Ok(summarize(&census))
}

/// The directory to remember in; `None`: another scan is at it.
fn cache(options: &ScanOptions) -> Result<Option<StateDir>, Fatal> {
    let path = match &options.cache {
        Some(path) => path.clone(),
        None => Environment::from_process()
            .map_err(|e| Fatal::new(Code::BadConfig, e.to_string(), "set HOME"))?
            .cache_dir(),
    };
    match StateDir::open(&path) {
        Ok(cache) => Ok(Some(cache)),
        Err(StoreError::InUse { path, .. }) => {
            telemetry::note(&format!(
                "another scan is using {}: this one reads everything anew and remembers nothing",
                name::shown(path.as_os_str())
            ));
            Ok(None)
        }
        Err(e) => Err(unusable(e)),
    }
}

fn unusable(error: StoreError) -> Fatal {
    let hint = "name another directory with --cache, or scan with --fresh, which needs none";
    Fatal { hint: Some(hint.into()), ..open::store_failed(error) }
}

/// Before the first thread. Where that cannot be had the scan is as good.
fn confine(bases: &[PathBuf], cache: Option<&StateDir>) {
    // And what tells whether a disk turns.
    let system = ["/sys/dev/block", "/sys/devices"].map(PathBuf::from);
    let reach = Reach {
        own: cache.iter().map(|cache| cache.path().to_owned()).collect(),
        read: bases.iter().cloned().chain(system).collect(),
        ..Reach::default()
    };
    crate::confine::confine(&reach);
}

/// One array, as of `tidyctl duplicates --json`.
fn json(groups: &[Group]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (at, group) in groups.iter().enumerate() {
        out.write_all(if at == 0 { b"[\n" } else { b",\n" })?;
        let group = DuplicateGroup {
            digest: group.digest.to_string(),
            size: group.size,
            wasted: group.wasted,
            paths: group.paths.iter().map(|p| p.as_path().into()).collect(),
        };
        serde_json::to_writer(&mut out, &group)?;
    }
    out.write_all(if groups.is_empty() { b"[]\n" } else { b"\n]\n" })?;
    out.flush()
}

fn text(groups: &[Group]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for group in groups {
        let (wasted, each) = (bytes(group.wasted), bytes(group.size));
        let files = count(group.paths.len() as u64, "file");
        writeln!(out, "{wasted} wasted  {files} of {each}  {}", group.digest)?;
        for path in &group.paths {
            writeln!(out, "      {}", name::shown(path.as_os_str()))?;
        }
    }
    out.flush()
}

/// The last words, on stderr.
fn summarize(census: &Census) -> Code {
    for (path, why) in &census.problems {
        telemetry::complain(&format!("{}: {why}", name::shown(path.as_os_str())), None);
    }
    if let Some(error) = &census.forgotten {
        let hint = "the list is complete; the next scan has to read these files again";
        telemetry::complain(&format!("what was learnt could not be kept: {error}"), Some(hint));
    }
    let wasted = census.groups.iter().fold(0_u64, |sum, g| sum.saturating_add(g.wasted));
    telemetry::note(&format!(
        "{} in {}, {}: {} of equal files, {} wasted; {} had to be read",
        count(census.files, "file"),
        count(census.directories, "directory"),
        bytes(census.bytes),
        count(census.groups.len() as u64, "group"),
        bytes(wasted),
        count(census.read, "file")
    ));
    match census.problems.is_empty() && census.forgotten.is_none() {
        true => Code::Ok,
        false => Code::Partly,
    }
}
