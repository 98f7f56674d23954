//! The roots that were stopped, kept across restarts, and why in sentences for people.
//!
//! One small file in the state directory, replaced as a whole and synced: not in sled, which is not proof
//! against power cuts and may be set aside as damaged, and not in the journal, whose records are about
//! operations. A service manager that starts a crashed tidyd again must not start the rule gone wild again.
#![expect(
    clippy::disallowed_methods,
    reason = "replaces and removes its own file in the state directory, and nothing else"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tidy_core::breaker::{Trip, Why};
use tidy_core::{UnixNanos, count, were};

use super::publish;
use crate::filing::Setup;

/// Larger than any list of roots; what is larger is damaged.
const MAX: u64 = 1 << 20;

/// A list of plain values.
const DEPTH: usize = 16;

/// The file, version 1. **Frozen**: these names are bytes on people's disks.
#[derive(Debug, Serialize, Deserialize)]
struct StopsV1 {
    v: u8,
    stops: Vec<StopV1>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StopV1 {
    #[serde(with = "serde_bytes")]
    root: Vec<u8>,
    time: i64,
    rules: u64,
    /// `share`, `first`, `rate`; anything else: not known.
    why: String,
    files: u64,
    lying: u64,
    limit: u64,
}

/// Where they are kept.
#[derive(Debug, Clone)]
pub(super) struct Stops(PathBuf);

impl Stops {
    pub(super) fn new(state: &Path) -> Self {
        Self(state.join("stopped"))
    }

    /// What was kept.
    ///
    /// # Errors
    /// The file is there and cannot be read, or makes no sense.
    pub(super) fn load(&self) -> io::Result<BTreeMap<PathBuf, Trip>> {
        let mut bytes = Vec::new();
        match File::open(&self.0) {
            Ok(file) => file.take(MAX).read_to_end(&mut bytes)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(e) => return Err(e),
        };
        let mut rest = &bytes[..];
        let stored: StopsV1 = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH)
            .map_err(|_| io::Error::other("it is damaged"))?;
        if stored.v != 1 || !rest.is_empty() {
            return Err(io::Error::other("it is of another version, or damaged"));
        }
        Ok(stored.stops.into_iter().map(StopV1::trip).collect())
    }

    /// The roots that were stopped before this start. Where that cannot be told, all are: nothing is filed
    /// until somebody has looked.
    pub(super) fn still_stopped(
        &self,
        setup: &Setup,
        now: UnixNanos,
        notes: &mut Vec<String>,
    ) -> BTreeMap<PathBuf, Trip> {
        let trips = self.load().unwrap_or_else(|error| {
            let note = format!("which folders were stopped cannot be read: {error}; all are");
            tracing::error!("{note}");
            notes.push(note);
            let trip = Trip { why: Why::Unknown, time: now, fingerprint: 0 };
            setup.roots.iter().map(|r| (r.path.to_path_buf(), trip)).collect()
        });
        for (root, trip) in &trips {
            publish::say_stopped(root, trip);
        }
        trips
    }

    /// Keeps these, durably.
    ///
    /// # Errors
    /// What was kept before is kept still.
    pub(super) fn save(&self, trips: &BTreeMap<PathBuf, Trip>) -> io::Result<()> {
        let stops = trips.iter().map(|(root, trip)| StopV1::of(root, trip)).collect();
        let mut bytes = Vec::new();
        ciborium::into_writer(&StopsV1 { v: 1, stops }, &mut bytes).map_err(io::Error::other)?;
        let new = self.0.with_extension("new");
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        let dir = self.0.parent().unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()
    }
}

impl StopV1 {
    fn of(root: &Path, trip: &Trip) -> Self {
        let (files, lying, limit) = match trip.why {
            Why::Share { files, lying, limit } => (files, lying, limit),
            Why::First { files, limit } => (files, 0, limit),
            Why::Rate { operations, limit } => (operations, 0, limit),
            Why::Unknown => (0, 0, 0),
        };
        Self {
            root: root.as_os_str().as_bytes().to_owned(),
            time: trip.time.0,
            rules: trip.fingerprint,
            why: word(trip.why).to_owned(),
            files,
            lying,
            limit,
        }
    }

    fn trip(self) -> (PathBuf, Trip) {
        let Self { root, time, rules, why, files, lying, limit } = self;
        let why = match why.as_str() {
            "share" => Why::Share { files, lying, limit },
            "first" => Why::First { files, limit },
            "rate" => Why::Rate { operations: files, limit },
            _ => Why::Unknown,
        };
        let trip = Trip { why, time: UnixNanos(time), fingerprint: rules };
        (OsString::from_vec(root).into(), trip)
    }
}

/// The reason as a word.
pub(super) fn word(why: Why) -> &'static str {
    match why {
        Why::Share { .. } => "share",
        Why::First { .. } => "first",
        Why::Rate { .. } => "rate",
        Why::Unknown => "unknown",
    }
}

/// The reason as a sentence, to follow "stopped, because".
pub(super) fn text(why: Why) -> String {
    match why {
        Why::Share { files, lying, limit } => format!(
            "the rules would file {files} of the {lying} files that were left there before, and \
             more than {limit} a minute are not filed unasked"
        ),
        Why::First { files, limit } => format!(
            "the rules would file {} that lay there before tidyd first looked, and more \
             than {limit} are not filed unasked",
            count(files, "file")
        ),
        Why::Rate { operations, limit } => format!(
            "{} filed within a minute and there are more, and more than {limit} are not filed unasked",
            were(operations, "file")
        ),
        Why::Unknown => {
            "it is not known whether it was stopped before: the note of that cannot be \
                         read"
                .to_owned()
        }
    }
}

/// How many files it is about, and how many are allowed.
pub(super) fn numbers(why: Why) -> (u64, u64) {
    match why {
        Why::Share { files, limit, .. } | Why::First { files, limit } => (files, limit),
        Why::Rate { operations, limit } => (operations, limit),
        Why::Unknown => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trip(why: Why) -> Trip {
        Trip { why, time: UnixNanos(5), fingerprint: u64::MAX }
    }

    #[test]
    fn what_is_kept_comes_back_and_nothing_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let stops = Stops::new(dir.path());
        assert!(stops.load().unwrap().is_empty());
        let trips: BTreeMap<PathBuf, Trip> = [
            ("/a".into(), trip(Why::Share { files: 9, lying: 10, limit: 5 })),
            (
                OsString::from_vec(b"/\xff\n".to_vec()).into(),
                trip(Why::First { files: 9, limit: 5 }),
            ),
            ("/c".into(), trip(Why::Rate { operations: 9, limit: 8 })),
            ("/d".into(), trip(Why::Unknown)),
        ]
        .into();
        stops.save(&trips).unwrap();
        assert_eq!(stops.load().unwrap(), trips);
        stops.save(&BTreeMap::new()).unwrap();
        assert!(stops.load().unwrap().is_empty());
    }

    /// Bytes as version 1 wrote them.
    #[test]
    fn version_1_stays_readable() {
        let dir = tempfile::tempdir().unwrap();
        let stops = Stops::new(dir.path());
        let why = Why::Share { files: 9, lying: 10, limit: 5 };
        let hex = "a261760165 73746f7073 81 a7 64726f6f74 422f61 6474696d65 05 6572756c6573 \
                   1bffffffffffffffff 63776879 657368617265 6566696c6573 09 656c79696e67 0a \
                   656c696d6974 05";
        let hex: String = hex.split_whitespace().collect();
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect();
        fs::write(&stops.0, &bytes).unwrap();
        assert_eq!(stops.load().unwrap(), [("/a".into(), trip(why))].into());
        stops.save(&stops.load().unwrap()).unwrap();
        assert_eq!(fs::read(&stops.0).unwrap(), bytes);
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let stops = Stops::new(dir.path());
        stops.save(&[("/a".into(), trip(Why::Unknown))].into()).unwrap();
        let whole = fs::read(&stops.0).unwrap();
        for damaged in [&whole[..0], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            fs::write(&stops.0, damaged).unwrap();
            assert!(stops.load().is_err());
        }
        fs::remove_file(&stops.0).unwrap();
        fs::create_dir(&stops.0).unwrap();
        assert!(stops.load().is_err());
    }
}
