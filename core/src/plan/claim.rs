//! Names at the destination: free, taken, or taken by a file with the same bytes.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::planner::{Because, Handling, Party, Planner, Refusal, is_there};
use super::{Lookup, Place};
use crate::facts::{Facts, Stat};
use crate::name;
use crate::naming::Naming;
use crate::policy::Conflict;
use crate::rules::LeaveReason;

/// Numbered names tried before giving up: past this a person has a folder of thousands of equal
/// names, and each further file would cost as many look-ups.
pub(super) const MAX_NUMBER: u32 = 10_000;

/// A name of so many bytes has room for a number on every file system: " (10000)" fits into 143 with it.
const NUMBERED_ANYWHERE: usize = 143 - 8;

/// A name at the destination.
pub(super) enum Claim {
    Free(Place),
    /// It is taken by a file with the same bytes.
    Same(Place, Stat),
}

impl Planner<'_> {
    /// A name at the destination that is free when its turn comes, for the file and its companions; or
    /// the file there, when it has the `same` bytes.
    pub(super) fn claim(
        &mut self,
        wanted: &Place,
        facts: &Facts,
        party: &Party<'_>,
        handling: Handling<'_>,
        same: bool,
        because: &Because,
    ) -> Result<Claim, Refusal> {
        let stat = &facts.stat;
        let there = match self.lookup(wanted) {
            Lookup::Absent => {
                let taken = self.taken_beside(wanted, party);
                return match (taken, handling.conflict) {
                    (None, _) => Ok(Claim::Free(wanted.clone())),
                    (Some(taken), Conflict::Skip) => {
                        Err((LeaveReason::Conflict, Some(is_there(&taken))))
                    }
                    (Some(_), _) => self.free_names(wanted, party).map(Claim::Free),
                };
            }
            Lookup::Unknown(why) => return Err((LeaveReason::BadDestination, Some(why))),
            Lookup::File(there) => Some(there),
            Lookup::Directory | Lookup::Symlink(_) | Lookup::Other => None,
        };
        if let Some(there) = there.filter(|_| same)
            && self.is_same(&party.start, stat, wanted, &there)
        {
            return Ok(Claim::Same(wanted.clone(), there));
        }
        let taken = || Some(is_there(wanted));
        let replace = match (handling.conflict, there) {
            (Conflict::Skip, _) => return Err((LeaveReason::Conflict, taken())),
            (Conflict::Rename, _) | (_, None) => None,
            (Conflict::KeepNewer, Some(t)) => Some((t, stat.id.mtime > t.id.mtime)),
            (Conflict::KeepLarger, Some(t)) => Some((t, stat.id.size > t.id.size)),
            (Conflict::ReplaceToTrash, Some(t)) => Some((t, true)),
        };
        match replace {
            None => self.free_names(wanted, party).map(Claim::Free),
            Some((_, false)) => Err((LeaveReason::Conflict, taken())),
            Some((there, true)) => {
                let why = format!("replaced by {}", name::shown(wanted.file_name()));
                let because = Because { why, ..because.clone() };
                self.trash(wanted, &there, None, None, &because)?;
                // The companions of what is replaced go with it.
                while let Some(taken) = self.taken_beside(wanted, party) {
                    let Lookup::File(there) = self.lookup(&taken) else {
                        return Err((LeaveReason::Conflict, Some(is_there(&taken))));
                    };
                    self.trash(&taken, &there, None, None, &because)?;
                }
                Ok(Claim::Free(wanted.clone()))
            }
        }
    }

    /// Whether what is at `wanted` is another file with the same bytes. Of empty files nothing is said.
    fn is_same(&self, at: &Place, stat: &Stat, wanted: &Place, there: &Stat) -> bool {
        let one_file = there.id.ino == stat.id.ino && there.dev == stat.dev;
        // The file of an earlier step is not there yet, so nothing can be compared.
        let planned = self.overlay.places.contains_key(&wanted.path());
        stat.id.size > 0
            && stat.id.size == there.id.size
            && !one_file
            && !planned
            && self.world.same_bytes((at, stat), (wanted, there))
    }

    /// A name beside `wanted` that a companion needs and somebody has.
    fn taken_beside(&self, wanted: &Place, party: &Party<'_>) -> Option<Place> {
        let mut ways = party.beside(wanted);
        let taken = ways
            .find(|(at, to)| to == wanted || (**at != *to && self.lookup(to) != Lookup::Absent));
        taken.map(|(_, to)| to)
    }

    /// `wanted`, or the first numbered name beside it that nothing has.
    pub(crate) fn free_name(&self, wanted: &Place) -> Result<Place, Refusal> {
        self.free_names(wanted, &Party::alone(wanted.clone()))
    }

    /// The same when the companions' names must be free too.
    pub(super) fn free_names(&self, wanted: &Place, party: &Party<'_>) -> Result<Place, Refusal> {
        let mut naming = None;
        for n in 1..=MAX_NUMBER {
            let place = match n {
                1 => wanted.clone(),
                n => {
                    let naming = naming.get_or_insert_with(|| self.as_taken(wanted.clone()).1);
                    wanted.with_file_name(&naming.numbered(wanted.file_name(), n))
                }
            };
            match self.lookup(&place) {
                Lookup::Absent if self.taken_beside(&place, party).is_none() => return Ok(place),
                Lookup::Unknown(why) => return Err((LeaveReason::BadDestination, Some(why))),
                _ => {}
            }
        }
        let what = format!("{MAX_NUMBER} files have that name already");
        Err((LeaveReason::Conflict, Some(what)))
    }

    /// The place with names that its file system takes, and what it takes. A directory that is there
    /// already has its name.
    pub(super) fn as_taken(&self, place: Place) -> (Place, Naming) {
        let fits = |name: &OsStr| Naming::STRICTEST.takes(name);
        if place.rel().iter().all(|name| name.len() <= NUMBERED_ANYWHERE && fits(name)) {
            return (place, Naming::default());
        }
        let naming = self.world.naming(&place);
        let mut rel = PathBuf::new();
        let names = place.rel().iter().count();
        for (i, name) in place.rel().iter().enumerate() {
            let as_it_is = Place::new(place.base().clone(), rel.join(name));
            let there = || as_it_is.is_some_and(|dir| self.lookup(&dir) == Lookup::Directory);
            let kept = naming.takes(name) || (i + 1 < names && there());
            rel.push(if kept { name.into() } else { naming.name(name) });
        }
        // Names are made of names, so there is nothing in them that a place refuses.
        (Place::new(place.base().clone(), rel).unwrap_or(place), naming)
    }
}
