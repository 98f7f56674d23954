//! Plans that are carried out while the next one is made, oldest first.

use std::collections::VecDeque;
use std::thread::{Scope, ScopedJoinHandle};

use tidy_core::operation::{BatchId, Operation};
use tidy_core::plan::{Plan, World};

use super::abreast::{Touched, Watched};
use super::batch::Filing;
use super::end::Carried;

/// Plans that are carried out at once. Each waits for the disk several times, and two use both of two processors.
const ABREAST: usize = 2;

/// The plans under way, each with what it is for.
pub(super) struct UnderWay<'s, 'e, T> {
    filing: &'e Filing,
    scope: &'s Scope<'s, 'e>,
    plans: VecDeque<One<'s, T>>,
}

struct One<'s, T> {
    what: T,
    touched: Touched,
    carried: Carrying<'s>,
}

enum Carrying<'s> {
    Now(ScopedJoinHandle<'s, Carried>),
    Over(Carried),
}

impl Carrying<'_> {
    fn wait(self) -> Carried {
        match self {
            Self::Now(thread) => thread.join().unwrap_or_else(|p| std::panic::resume_unwind(p)),
            Self::Over(carried) => carried,
        }
    }
}

impl<'s, 'e, T> UnderWay<'s, 'e, T> {
    /// None yet.
    pub(super) fn new(filing: &'e Filing, scope: &'s Scope<'s, 'e>) -> Self {
        Self { filing, scope, plans: VecDeque::with_capacity(ABREAST) }
    }

    /// A draft that is made over `disk` while they are carried out; `None`: it would depend on them.
    pub(super) fn beside<D>(
        &self,
        disk: &dyn World,
        draft: impl FnOnce(&Watched<'_>) -> D,
        touched: fn(&D) -> &Touched,
    ) -> Option<D> {
        let under_way = || self.plans.iter().map(|one| &one.touched);
        let world = Watched::new(disk, under_way());
        let draft = draft(&world);
        let own = touched(&draft);
        let apart = !world.was_asked() && under_way().all(|other| own.is_apart_from(other));
        apart.then_some(draft)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// Whether one has to end before another one may begin.
    pub(super) fn is_full(&self) -> bool {
        self.plans.len() >= ABREAST
    }

    /// Begins a plan that has nothing to do with those under way, as part of a batch. Nobody is told of its operations
    /// before it is waited for.
    pub(super) fn begin(&mut self, batch: BatchId, plan: Plan, touched: Touched, what: T) {
        let (filing, span) = (self.filing, tracing::Span::current());
        let carried = self.scope.spawn(move || {
            span.in_scope(|| filing.carried_out(Some(batch), &plan, &|_: &Operation| {}))
        });
        self.plans.push_back(One { what, touched, carried: Carrying::Now(carried) });
    }

    /// Waits for the oldest one.
    pub(super) fn first(&mut self) -> Option<(T, Carried)> {
        let One { what, carried, .. } = self.plans.pop_front()?;
        Some((what, carried.wait()))
    }

    /// Returns once nothing is done any more; what became of them is asked for later.
    pub(super) fn come_to_rest(&mut self) {
        let ended = self
            .plans
            .drain(..)
            .map(|one| One { carried: Carrying::Over(one.carried.wait()), ..one });
        self.plans = ended.collect();
    }
}
