//! Which candidates are decided about at all: those that the gate lets through, and that nobody has put where they are.

use tidy_core::operation::OpId;
use tidy_core::rules::LeaveReason;

use super::batch::{Candidate, Filing, Left, Mode, Report, Watcher, tell_left};
use super::tally::Became;
use super::{Setup, gate, gather, record};
use crate::catalog::Outcome;
use crate::journal::{JournalError, Put};
use crate::scan;

impl Filing {
    /// Sets aside the files no rule is asked about, with their reasons.
    pub(super) fn let_through(
        &self,
        setup: &Setup,
        candidates: Vec<Candidate>,
        mode: Mode,
        report: &mut Report,
        watcher: Watcher<'_>,
    ) -> Result<Vec<Candidate>, JournalError> {
        let mut through = Vec::with_capacity(candidates.len());
        let (mut left, mut filed, mut unread) = (Vec::new(), Vec::new(), 0);
        // A project may have shown itself while its first files were settling.
        let mut units = scan::Units::default();
        for c in candidates {
            let path = c.path();
            let above = if c.in_unit { Ok(true) } else { units.contain(&c.root, &c.rel) };
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
