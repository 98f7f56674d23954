//! What rules need of a destination, held against the disk as the plan's earlier steps will leave it.

use std::collections::HashMap;

use super::planner::{Party, Planner, Refusal};
use super::{Place, StepKind};
use crate::facts::Stat;
use crate::requirement::Requirement;
use crate::rules::LeaveReason;

/// What files of rules that ask for room will bring to file systems, in bytes, with a log to take back what one file would.
#[derive(Debug, Default)]
pub(super) struct Arriving {
    by_device: HashMap<u64, u64>,
    log: Vec<(u64, u64)>,
}

impl Arriving {
    pub(super) fn begin(&mut self) {
        self.log.clear();
    }

    pub(super) fn take_back(&mut self) {
        for (dev, bytes) in self.log.drain(..) {
            self.by_device.entry(dev).and_modify(|all| *all = all.saturating_sub(bytes));
        }
    }

    fn add(&mut self, dev: u64, bytes: u64) {
        let all = self.by_device.entry(dev).or_default();
        *all = all.saturating_add(bytes);
        self.log.push((dev, bytes));
    }

    fn on(&self, dev: u64) -> u64 {
        self.by_device.get(&dev).copied().unwrap_or(0)
    }
}

impl Planner<'_> {
    /// Whether a file with its companions may go to a place, as far as its rule's requirement goes.
    pub(super) fn require(
        &mut self,
        requirement: &Requirement,
        kind: StepKind,
        wanted: &Place,
        stat: &Stat,
        party: &Party<'_>,
    ) -> Result<(), Refusal> {
        let not_ready = |why: String| (LeaveReason::DestinationNotReady, Some(why));
        let volume = self.world.volume(wanted).map_err(not_ready)?;
        let room = |stat: &Stat| match kind {
            StepKind::Copy => stat.id.size,
            // Within one file system a file takes no more room in another directory.
            StepKind::Move if stat.dev != volume.dev => stat.id.size,
            _ => 0,
        };
        let members = party.members.iter().map(|(member, _)| &member.facts.stat);
        let more = std::iter::once(stat).chain(members).map(room).fold(0, u64::saturating_add);
        let all = more.saturating_add(self.arriving.on(volume.dev));
        let path = wanted.path();
        match requirement.unmet(path.parent().unwrap_or(&path), &volume, all) {
            Some(why) => Err(not_ready(why)),
            None => {
                self.arriving.add(volume.dev, more);
                Ok(())
            }
        }
    }
}
