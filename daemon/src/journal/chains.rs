//! Files that one plan takes further than one step.
//!
//! What goes to another device is another inode there, with an identity that no plan can know. So a step on such a file
//! begins in a chunk after the one that brings it across, and expects what that one has made of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tidy_core::facts::Identity;
use tidy_core::operation::{OpState, Operation};
use tidy_core::plan::{Place, Step};

/// How many of these steps may begin together: those before the first one on a file that `crosses` says an earlier one
/// of them brings to another device. At least one.
pub(super) fn together(steps: &[Step], crosses: impl Fn(&Step) -> bool) -> usize {
    // By inode, so that plans without chains cost a look each.
    let mut brought: HashMap<u64, &Step> = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        let across = |id: Identity, leads: &dyn Fn(&Place) -> bool| {
            let earlier = brought.get(&id.ino);
            let earlier = earlier.filter(|e| e.dst.as_ref().is_some_and(leads));
            earlier.is_some_and(|e| !stays_beside(e) && crosses(e))
        };
        let source = step.src.as_ref().zip(step.expect);
        let source = source.is_some_and(|(src, id)| across(id, &|dst| dst.path() == src.path()));
        let twin = step.twin.as_ref();
        if source || twin.is_some_and(|t| across(t.id, &|dst| dst.path() == t.path)) {
            return number;
        }
        if let Some(id) = step.expect.filter(|_| step.kind.relocates()) {
            brought.insert(id.ino, step);
        }
    }
    steps.len()
}

/// A new name in the same directory leads nowhere else.
fn stays_beside(step: &Step) -> bool {
    let dir =
        |place: &Option<Place>| place.as_ref().and_then(|p| p.path().parent().map(Path::to_owned));
    dir(&step.src) == dir(&step.dst)
}

/// Where files are that have become others on their way: what the plan takes them for, and what they are.
#[derive(Debug, Default)]
pub(super) struct Landed(HashMap<PathBuf, (Identity, Identity)>);

impl Landed {
    /// These steps of the plan have become these operations, those of them that have ended.
    pub(super) fn note(&mut self, steps: &[Step], ended: &[Operation]) {
        let mut ended = ended.iter().peekable();
        for step in steps {
            let is_of = |op: &&Operation| (op.step.kind, &op.step.dst) == (step.kind, &step.dst);
            let Some(op) = ended.next_if(is_of).filter(|op| op.state == OpState::Done) else {
                continue;
            };
            if let (true, Some(dst), Some(planned), Some(landed)) =
                (step.kind.relocates(), &step.dst, step.expect, op.landed)
                && planned != landed
            {
                self.0.insert(dst.path(), (planned, landed));
            }
        }
    }

    /// The step, of the files as they are by now. They must come in the order of the plan.
    pub(super) fn known(&mut self, step: &Step) -> Step {
        let (planned, mut step) = (step.expect, step.clone());
        if self.0.is_empty() {
            return step;
        }
        let by_now = |path: &Path, id: Identity| match self.0.get(path) {
            Some((planned, landed)) if *planned == id => *landed,
            _ => id,
        };
        if let (Some(src), Some(id)) = (&step.src, step.expect) {
            step.expect = Some(by_now(&src.path(), id));
        }
        if let Some(twin) = &mut step.twin {
            twin.id = by_now(&twin.path, twin.id);
        }
        // The next step may begin together with this one.
        if let (true, Some(dst), Some(planned), Some(id)) =
            (step.kind.relocates() && planned != step.expect, &step.dst, planned, step.expect)
        {
            self.0.insert(dst.path(), (planned, id));
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::move_step;
    use super::*;

    fn across(step: &Step) -> bool {
        step.dst.as_ref().unwrap().rel().starts_with("disk")
    }

    #[test]
    fn what_lands_elsewhere_is_waited_for() {
        let mut steps = vec![
            move_step("in/a", "in/b", 1),
            move_step("in/b", "disk/b", 1),
            move_step("in/x", "disk/x", 2),
            move_step("disk/b", "disk/c", 1),
            move_step("disk/x", "out/x", 2),
        ];
        assert_eq!(together(&steps, across), 3);
        assert_eq!(together(&steps[3..], across), 2);
        assert_eq!(together(&steps, |_| false), 5);
        // A file of that number on another device is another file.
        steps[3] = move_step("in/c", "in/d", 1);
        assert_eq!(together(&steps, across), 4);
    }
}
