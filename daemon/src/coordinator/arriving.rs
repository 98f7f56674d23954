//! Directories that are still arriving: files keep appearing in them.
//!
//! A project that is being copied or unpacked must not be torn apart because the file that makes it
//! one (`package.json`, say) comes last. So while anything new turns up below a directory of a root,
//! nothing below it is filed, for a minute at the most. Files directly in the root do not wait for each
//! other, except that a file waits for its companions (`a.srt` for `a.mkv`) while they arrive.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::companions::{self, Companions};
use tidy_core::settle::Mono;

use super::Now;
use crate::filing::Candidate;

/// After this a directory counts as arrived, however busy it is: somebody works in it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
struct Span {
    since: Mono,
    until: Mono,
}

/// The directories directly below roots that are arriving.
#[derive(Debug, Default)]
pub(super) struct Arriving(HashMap<PathBuf, Span>);

impl Arriving {
    /// A new or changed file was seen.
    pub(super) fn sighted(&mut self, candidate: &Candidate, companions: &Companions, now: Now) {
        let companion = companions.may_be(candidate.file_name());
        for place in top(candidate).into_iter().chain(companion.then(|| party(candidate))) {
            self.arrives(place, candidate, now);
        }
    }

    fn arrives(&mut self, place: PathBuf, candidate: &Candidate, now: Now) {
        let settle = candidate.root.settle;
        let rest = settle.saturating_sub(now.wall.since(candidate.stat.ctime));
        if rest.is_zero() {
            // It has been there for a while.
            return;
        }
        let until = now.mono.plus(rest);
        let span = self.0.entry(place).or_insert(Span { since: now.mono, until });
        span.until = span.until.max(until).min(span.since.plus(PATIENCE));
    }

    /// Whether the file waits for the rest of its directory.
    pub(super) fn holds(&self, candidate: &Candidate) -> bool {
        !self.0.is_empty()
            && (top(candidate).is_some_and(|t| self.0.contains_key(&t))
                || self.0.contains_key(&party(candidate)))
    }

    /// Forgets the directories that have arrived; whether there were any.
    pub(super) fn expire(&mut self, now: Mono) -> bool {
        let before = self.0.len();
        self.0.retain(|_, span| span.until > now);
        self.0.len() < before
    }

    /// When the next one will have arrived.
    pub(super) fn next_end(&self) -> Option<Mono> {
        self.0.values().map(|s| s.until).min()
    }
}

/// The directory directly below the root that the file lies in or beneath.
fn top(candidate: &Candidate) -> Option<PathBuf> {
    let rel: &Path = &candidate.rel;
    let mut parts = rel.components();
    let first = parts.next()?;
    parts.next()?;
    Some(candidate.root.path.join(first))
}

/// Stands for the file and its companions: no path of a file or directory ends in `/`.
fn party(candidate: &Candidate) -> PathBuf {
    let mut key = companions::key(candidate.file_name());
    key.push("/companions");
    candidate.root.path.join(&candidate.rel).with_file_name("").join(key)
}
