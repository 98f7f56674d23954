//! Which candidates are decided about at all: those that the gate lets through, and that nobody has put where they are.

use std::io;
use std::path::{Path, PathBuf};

use tidy_core::UnixNanos;
use tidy_core::operation::OpId;
use tidy_core::policy::RootPolicy;
use tidy_core::rules::LeaveReason;

use super::batch::{Candidate, Filing, Left, Mode, Report, Watcher, tell_left};
use super::tally::Became;
use super::{Setup, gate, gather, may_be_unpacked, record};
use crate::catalog::Outcome;
use crate::journal::{JournalError, Put};
use crate::scan;
use crate::unpacked::Asked;

impl Filing {
    /// Sets aside the files no rule is asked about, with their reasons.
    pub(super) fn let_through(
        &self,
        setup: &Setup,
        candidates: Vec<Candidate>,
        (mode, now): (Mode, UnixNanos),
        report: &mut Report,
        watcher: Watcher<'_>,
    ) -> Result<Vec<Candidate>, JournalError> {
        let mut through = Vec::with_capacity(candidates.len());
        let (mut left, mut filed, mut unread) = (Vec::new(), Vec::new(), 0);
        // A project may have shown itself while its first files were settling.
        let (mut units, mut asked) = (scan::Units::default(), Asked::default());
        for c in candidates {
            let path = c.path();
            let above = match c.in_unit {
                true => Ok(true),
                false => units.contain(&c.root, &c.rel).and_then(|is| {
                    Ok(is
                        || self.unpacked_above(setup, &c.root, &c.rel, &mut asked, now)?.is_some())
                }),
            };
            let in_unit = match above {
                Ok(in_unit) => in_unit,
                // Of a project nothing may be taken. It is found again at the next look.
                Err(e) => {
                    let why = format!("whether a folder above it is one thing cannot be read: {e}");
                    let reason = LeaveReason::Unreadable;
                    tell_left(
                        Left { path, reason, rule: None, detail: Some(why) },
                        report,
                        watcher,
                    );
                    unread += 1;
                    continue;
                }
            };
            let (mut put_back, mut restless) = (None, None);
            if !mode.asked {
                // Who cannot tell what was put back must not take it away again.
                let past = self.journal.past_of(&path, c.stat.id)?;
                match past.put {
                    Some((Put::Filed, op)) => {
                        filed.push((c, op));
                        continue;
                    }
                    Some((Put::Back, _)) => put_back = Some(LeaveReason::RolledBack),
                    Some((Put::ByHand, _)) => put_back = Some(LeaveReason::PlacedByHand),
                    None if self.is_restless(&path, &c.stat.id, past.last) => {
                        restless = Some(LeaveReason::Restless);
                    }
                    None => {}
                }
            }
            let gate = gate(setup, &c.root, &c.rel, &c.stat, in_unit);
            let reason = gate.or(put_back).or(restless);
            match reason {
                None => through.push(c),
                Some(reason) => {
                    tell_left(Left { path, reason, rule: None, detail: None }, report, watcher);
                    left.push((c, reason));
                }
            }
        }
        if !mode.dry_run {
            self.tally.became(Became::Left, None, left.len() + unread);
            record::left_at_the_gate(&self.catalog, &left);
            self.remember_filed(setup, &filed);
        }
        Ok(through)
    }

    /// The directory between the root and `rel` that an archive was unpacked into, if there is one.
    ///
    /// # Errors
    /// One of those on the way cannot be read.
    pub(super) fn unpacked_above(
        &self,
        setup: &Setup,
        root: &RootPolicy,
        rel: &Path,
        asked: &mut Asked,
        now: UnixNanos,
    ) -> io::Result<Option<PathBuf>> {
        let Some(unpacked) = &self.unpacked else { return Ok(None) };
        let may_be = |dir: &Path| may_be_unpacked(setup, root, dir);
        asked.above(unpacked, &root.path, rel, may_be, now)
    }

    /// Files that the journal knows to be where a rule has put them. The run that did it tells the catalog,
    /// unless a crash came in between.
    fn remember_filed(&self, setup: &Setup, filed: &[(Candidate, OpId)]) {
        let known = |c: &Candidate| {
            let entry = record::known(&self.catalog, &c.path());
            entry.is_some_and(|e| e.id == c.stat.id && matches!(e.outcome, Outcome::Filed { .. }))
        };
        let lost = filed.iter().filter(|(c, _)| !known(c));
        record::filed_before(&self.catalog, lost, |c| gather::category(setup, c));
    }
}
