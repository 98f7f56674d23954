//! Steps for copies that a person wants resolved.

use super::planner::{Because, Planned, Planner, Refusal};
use super::{Place, StepKind, Twin};
use crate::duplicates;
use crate::facts::Digest;
use crate::name;
use crate::resolve::{Copy, Replace};
use crate::rules::LeaveReason;

impl Planner<'_> {
    /// Adds the steps for one copy whose bytes stay at the keeper. The first of them compares both
    /// files byte for byte when its turn comes; what stands in for the copy takes its name only when
    /// that has become free.
    pub fn resolve(
        &mut self,
        copy: &Copy,
        keeper: &Copy,
        digest: Digest,
        replace: &Replace,
    ) -> Planned {
        let first = self.begin();
        let steps = self.resolve_copy(copy, keeper, digest, replace);
        match steps {
            Ok(place) => Planned::Steps(place),
            Err((reason, detail)) => {
                self.give_up(first);
                Planned::Left(reason, detail)
            }
        }
    }

    fn resolve_copy(
        &mut self,
        copy: &Copy,
        keeper: &Copy,
        digest: Digest,
        replace: &Replace,
    ) -> Result<Place, Refusal> {
        let path = keeper.place.path();
        let because = Because {
            rule: duplicates::RULE.into(),
            why: format!("same bytes as {}, asked for", name::shown(path.as_os_str())),
            inverse_of: None,
            undo: false,
        };
        let twin = Twin { path, id: keeper.stat.id };
        let kind = match replace {
            Replace::Trash => {
                return self.trash(&copy.place, &copy.stat, Some(&twin), Some(digest), &because);
            }
            Replace::Folder(base, rel) => {
                let wanted = Place::new(base.clone(), rel.join(copy.place.file_name()));
                let wanted = wanted.ok_or((LeaveReason::BadDestination, None))?;
                if wanted.path().parent() == copy.place.path().parent() {
                    return Err((LeaveReason::InPlace, None));
                }
                self.make_parents(&wanted, &because)?;
                let to = self.free_name(&wanted)?;
                let kind = StepKind::Move;
                self.push(kind, &copy.place, &to, &copy.stat, Some(&twin), Some(digest), &because);
                return Ok(to);
            }
            Replace::HardLink => StepKind::HardLink,
            Replace::Reflink => StepKind::Reflink,
            Replace::Symlink => StepKind::Symlink,
        };
        if kind != StepKind::Symlink && copy.stat.dev != keeper.stat.dev {
            let why = format!(
                "{} is on another file system",
                name::shown(keeper.place.path().as_os_str())
            );
            return Err((LeaveReason::BadDestination, Some(why)));
        }
        self.trash(&copy.place, &copy.stat, Some(&twin), Some(digest), &because)?;
        let stat = &keeper.stat;
        self.push(kind, &keeper.place, &copy.place, stat, None, Some(digest), &because);
        Ok(copy.place.clone())
    }
}
