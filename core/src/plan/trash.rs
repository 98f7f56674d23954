//! The way into the trash.

use std::ffi::OsStr;
use std::path::Path;

use super::claim::MAX_NUMBER;
use super::planner::{Because, Planner, Refusal};
use super::{Lookup, Place, StepKind, Twin};
use crate::facts::{Digest, Stat};
use crate::name;
use crate::rules::LeaveReason;

impl Planner<'_> {
    /// Plans the way into the trash under a name that both of its directories have free.
    pub(crate) fn trash(
        &mut self,
        src: &Place,
        stat: &Stat,
        twin: Option<&Twin>,
        digest: Option<Digest>,
        because: &Because,
    ) -> Result<Place, Refusal> {
        let refuse = |why: String| (LeaveReason::BadDestination, Some(why));
        let trash = self.world.trash_for(src, stat.dev).map_err(refuse)?;
        for n in 1..=MAX_NUMBER {
            let file = trash_name(src.file_name(), n);
            let places = [trash_file(&trash, &file), trash_info(&trash, &file)];
            let [Some(dst), Some(info)] = places else {
                return Err(refuse("the name cannot be used in the trash".into()));
            };
            if [&dst, &info].iter().all(|p| self.lookup(p) == Lookup::Absent) {
                self.push(StepKind::Trash, src, &dst, stat, twin, digest, because);
                self.overlay.set(info.path(), Lookup::File(*stat));
                return Ok(dst);
            }
        }
        Err(refuse(format!("{MAX_NUMBER} files have that name in the trash already")))
    }
}

/// The `n`th name to try in the trash: with room for `.trashinfo` after it, so that the file and its
/// information go by one name.
fn trash_name(name: &OsStr, n: u32) -> std::ffi::OsString {
    let room = name::NAME_MAX - ".trashinfo".len();
    match n {
        1 => name::fit(name, room),
        // The number goes to the end of the stem, so it must be added after the shortening.
        n => name::numbered(&name::fit(name, room - " (10000)".len()), n),
    }
}

/// Where the trash keeps a file (freedesktop.org Trash specification 1.0).
fn trash_file(trash: &std::sync::Arc<Path>, file: &OsStr) -> Option<Place> {
    Place::new(trash.clone(), Path::new("files").join(file))
}

/// Where the trash keeps what is known of it.
fn trash_info(trash: &std::sync::Arc<Path>, file: &OsStr) -> Option<Place> {
    Place::new(trash.clone(), Path::new("info").join(name::with_suffix(file, ".trashinfo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_trash_leave_room_for_their_information() {
        for name in ["a.jpg".to_owned(), "x".repeat(255), format!("{}.tar.gz", "ä".repeat(120))] {
            let names: Vec<_> =
                [1, 2, 999, MAX_NUMBER].map(|n| trash_name(OsStr::new(&name), n)).into();
            assert!(names.iter().all(|n| n.len() <= 245), "{names:?}");
            assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
        }
        assert_eq!(trash_name(OsStr::new("a.jpg"), 2), OsStr::new("a (2).jpg"));
    }
}
