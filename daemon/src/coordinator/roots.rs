//! The areas that are watched, each with its state and its next reconcile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::breaker::Trip;
use tidy_core::settle::Mono;

use super::event::RootStatus;
use crate::filing::Setup;

/// Between two walks of an area that is watched: hints may be lost.
const RECONCILE: Duration = Duration::from_secs(3600);

/// The same for an area, or part of one, that cannot be watched.
const RECONCILE_UNWATCHED: Duration = Duration::from_secs(300);

/// Between two looks for a root that is missing or unreadable, should nothing announce its return.
const RETRY: Duration = Duration::from_secs(60);

/// How an area is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RootState {
    /// Its first walk is not over.
    Scanning,
    Watching,
    /// It cannot be watched (network file system, watch limit): walked every five minutes.
    ScanOnly,
    Paused,
    Missing,
    Unreadable,
}

impl RootState {
    /// Every state.
    pub const ALL: &'static [Self] = &[
        Self::Scanning,
        Self::Watching,
        Self::ScanOnly,
        Self::Paused,
        Self::Missing,
        Self::Unreadable,
    ];

    /// The word used in JSON and by `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scanning => "scanning",
            Self::Watching => "watching",
            Self::ScanOnly => "scan-only",
            Self::Paused => "paused",
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
        }
    }
}

#[derive(Debug)]
struct Area {
    state: RootState,
    /// A root, not only part of the duplicates' scope.
    is_root: bool,
    next_walk: Mono,
}

/// All areas by path.
#[derive(Debug, Default)]
pub(super) struct Roots(BTreeMap<PathBuf, Area>);

impl Roots {
    pub(super) fn new(setup: &Setup, now: Mono) -> Self {
        let mut me = Self::default();
        me.reload(setup, now);
        me
    }

    /// Takes over a new configuration; a root that was paused stays paused.
    pub(super) fn reload(&mut self, setup: &Setup, now: Mono) {
        let mut old = std::mem::take(&mut self.0);
        for path in setup.areas() {
            let is_root = setup.root(path).is_some();
            let paused = old.remove(path).is_some_and(|a| a.state == RootState::Paused);
            let state = if paused { RootState::Paused } else { RootState::Scanning };
            self.0.insert(path.to_owned(), Area { state, is_root, next_walk: now.plus(RECONCILE) });
        }
    }

    /// A walk of `dir` is over.
    pub(super) fn walked(
        &mut self,
        dir: &Path,
        problem: Option<RootState>,
        unwatched: bool,
        now: Mono,
    ) {
        let Some(area) = self.0.get_mut(dir).filter(|a| a.state != RootState::Paused) else {
            return;
        };
        let (state, pause) = match problem {
            Some(state) => (state, RETRY),
            None if unwatched => (RootState::ScanOnly, RECONCILE_UNWATCHED),
            None => (RootState::Watching, RECONCILE),
        };
        area.state = state;
        area.next_walk = now.plus(pause);
    }

    /// Something at or near `dir` could not be watched: its area is walked more often.
    pub(super) fn unwatched(&mut self, dir: &Path, now: Mono) {
        let Some(path) = self.area_of(dir).map(Path::to_owned) else { return };
        if let Some(area) = self.0.get_mut(&path).filter(|a| a.state == RootState::Watching) {
            area.state = RootState::ScanOnly;
            area.next_walk = area.next_walk.min(now.plus(RECONCILE_UNWATCHED));
        }
    }

    /// The innermost area that `path` is in or is.
    pub(super) fn area_of(&self, path: &Path) -> Option<&Path> {
        path.ancestors().find_map(|p| self.0.get_key_value(p)).map(|(p, _)| &**p)
    }

    pub(super) fn is_paused(&self, path: &Path) -> bool {
        self.0.iter().any(|(p, a)| a.state == RootState::Paused && path.starts_with(p))
    }

    /// Pauses one root or all; `Err` names a path that is none.
    pub(super) fn pause(&mut self, which: Option<&Path>) -> Result<Vec<PathBuf>, PathBuf> {
        self.change(which, |a| a.state = RootState::Paused)
    }

    /// Ends the pause of one root or of all.
    pub(super) fn resume(&mut self, which: Option<&Path>) -> Result<Vec<PathBuf>, PathBuf> {
        self.change(which, |a| {
            if a.state == RootState::Paused {
                a.state = RootState::Scanning;
            }
        })
    }

    fn change(
        &mut self,
        which: Option<&Path>,
        f: impl Fn(&mut Area),
    ) -> Result<Vec<PathBuf>, PathBuf> {
        let mut changed = Vec::new();
        for (path, area) in self.0.iter_mut().filter(|(_, a)| a.is_root) {
            if which.is_none_or(|w| w == path) {
                f(area);
                changed.push(path.clone());
            }
        }
        match which {
            Some(w) if changed.is_empty() => Err(w.to_owned()),
            _ => Ok(changed),
        }
    }

    fn in_state(&self, states: &[RootState]) -> Vec<PathBuf> {
        let wanted = self.0.iter().filter(|(_, a)| states.contains(&a.state));
        wanted.map(|(p, _)| p.clone()).collect()
    }

    pub(super) fn none_is_scanning(&self) -> bool {
        self.0.values().all(|a| a.state != RootState::Scanning)
    }

    pub(super) fn with_problems(&self) -> Vec<PathBuf> {
        self.in_state(&[RootState::Missing, RootState::Unreadable])
    }

    pub(super) fn scan_only(&self) -> Vec<PathBuf> {
        self.in_state(&[RootState::ScanOnly])
    }

    /// Missing roots that may have appeared in `dir`.
    pub(super) fn missing_below(&self, dir: &Path) -> Vec<PathBuf> {
        let mut missing = self.in_state(&[RootState::Missing]);
        missing.retain(|p| p.starts_with(dir));
        missing
    }

    /// Areas whose next walk is due; their clocks start again.
    pub(super) fn due(&mut self, now: Mono) -> Vec<PathBuf> {
        let due = self.0.iter_mut().filter(|(_, a)| a.next_walk <= now);
        due.map(|(p, a)| {
            a.next_walk = now.plus(RECONCILE);
            p.clone()
        })
        .collect()
    }

    pub(super) fn next_due(&self) -> Option<Mono> {
        let running = self.0.values().filter(|a| a.state != RootState::Paused);
        running.map(|a| a.next_walk).min()
    }

    pub(super) fn status(
        &self,
        trips: &BTreeMap<PathBuf, Trip>,
        pending: impl Fn(&Path) -> usize,
    ) -> Vec<RootStatus> {
        let roots = self.0.iter().filter(|(_, a)| a.is_root);
        roots
            .map(|(p, a)| RootStatus {
                path: p.clone(),
                state: a.state,
                pending: pending(p),
                trip: trips.get(p).copied(),
            })
            .collect()
    }
}
