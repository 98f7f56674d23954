//! Whose call is worked on next.
//!
//! Calls wait in lanes by what they cost ([`Weight`]), each with places of its own, so that what is told from memory never
//! waits for what reads a disk. In a lane, a place that is free goes to the client with the fewest calls at work; of
//! those, to the one that has had the least time so far. So a flood waits for itself: whoever asks now and then comes next,
//! whatever others have in line.
//!
//! **Invariant:** a place is taken until its work is over, also where nobody waits for that any more, but for work that hangs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tidy_protocol::Weight;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::limits::Limits;
use crate::tally::Gauge;

/// The lanes, one for each weight.
#[derive(Debug)]
pub(super) struct Lanes([Arc<Lane>; Weight::ALL.len()]);

impl Lanes {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Weight::ALL.map(|weight| {
            let places = limits.at_work[weight as usize];
            Arc::new(Lane { places, abandoned: limits.abandoned, waiting: Mutex::default() })
        }))
    }

    pub(super) fn of(&self, weight: Weight) -> &Arc<Lane> {
        &self.0[weight as usize]
    }
}

/// Places for calls of one weight.
#[derive(Debug)]
pub(super) struct Lane {
    places: Places,
    abandoned: Duration,
    waiting: Mutex<Waiting>,
}

/// How many calls are worked on at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    pub overall: usize,
    /// Of one client.
    pub each: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    at_work: usize,
    /// Those that wait or are worked for, by number.
    clients: BTreeMap<u64, Share>,
    tickets: u64,
}

/// What one client has in a lane.
#[derive(Debug, Default)]
struct Share {
    had: Duration,
    at_work: usize,
    /// In the order in which they came.
    line: VecDeque<(u64, oneshot::Sender<Turn>)>,
}

impl Lane {
    /// Waits for a place. Whoever stops waiting gives the place in line up. `line` counts those that wait.
    pub(super) async fn enter(self: &Arc<Self>, client: u64, line: &Gauge) -> Turn {
        let turn = {
            let mut waiting = self.lock();
            let (tell, turn) = oneshot::channel();
            let ticket = waiting.tickets;
            waiting.tickets += 1;
            // Whoever comes has had as much as the one with the least: time in which nothing was asked is not saved up.
            let least = waiting.clients.values().map(|share| share.had).min().unwrap_or_default();
            let new = || Share { had: least, ..Share::default() };
            let share = waiting.clients.entry(client).or_insert_with(new);
            share.line.push_back((ticket, tell));
            self.fill(&mut waiting);
            turn
        };
        let _in_line = line.hold(1);
        // The sender is only dropped with the lane.
        turn.await.unwrap_or_else(|_| Turn::of_none())
    }

    /// Gives free places to those that come next.
    fn fill(self: &Arc<Self>, waiting: &mut Waiting) {
        while waiting.at_work < self.places.overall {
            for share in waiting.clients.values_mut() {
                while share.line.front().is_some_and(|(_, tell)| tell.is_closed()) {
                    share.line.pop_front();
                }
            }
            waiting.clients.retain(|_, share| share.at_work > 0 || !share.line.is_empty());
            let next = waiting
                .clients
                .iter_mut()
                .filter(|(_, share)| share.at_work < self.places.each)
                .filter_map(|(client, share)| {
                    let ticket = share.line.front()?.0;
                    Some(((share.at_work, share.had, ticket), *client, share))
                })
                .min_by_key(|(rank, ..)| *rank);
            let Some((_, client, share)) = next else { return };
            let Some((_, tell)) = share.line.pop_front() else { return };
            share.at_work += 1;
            waiting.at_work += 1;
            let taken = Taken {
                lane: Arc::downgrade(self),
                client,
                since: Instant::now(),
                over: AtomicBool::new(false),
            };
            // Not there any more: `fill` is called again, and must not be from in here.
            if let Err(turn) = tell.send(Turn(Arc::new(taken))) {
                turn.0.over.store(true, Ordering::Relaxed);
                waiting.leave(client, Duration::ZERO);
            }
        }
    }

    fn leave(self: &Arc<Self>, client: u64, had: Duration) {
        let mut waiting = self.lock();
        waiting.leave(client, had);
        self.fill(&mut waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under it can panic half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn leave(&mut self, client: u64, had: Duration) {
        self.at_work = self.at_work.saturating_sub(1);
        if let Some(share) = self.clients.get_mut(&client) {
            share.at_work = share.at_work.saturating_sub(1);
            share.had += had;
        }
    }
}

/// A place that is taken; given back when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Turn(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    lane: Weak<Lane>,
    client: u64,
    since: Instant,
    over: AtomicBool,
}

tokio::task_local! {
    static TURN: Turn;
}

impl Turn {
    fn of_none() -> Self {
        let (lane, since, over) = (Weak::new(), Instant::now(), AtomicBool::new(true));
        Self(Arc::new(Taken { lane, client: 0, since, over }))
    }

    /// The place of the call that is being answered here. Work on other threads that goes on when the answer is not waited for
    /// any more keeps it until it is over.
    pub fn current() -> Option<Self> {
        TURN.try_with(Clone::clone).ok()
    }

    /// Carries out the work of a call in its place.
    pub(super) async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let held = Held(self.clone());
        let result = TURN.scope(self, work).await;
        drop(held);
        result
    }
}

impl Taken {
    fn give_back(&self) {
        if !self.over.swap(true, Ordering::Relaxed)
            && let Some(lane) = self.lane.upgrade()
        {
            lane.leave(self.client, self.since.elapsed());
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The call itself. When it is over and work goes on, its client has hung up: after a while that work is taken for hanging
/// (a disk that does not answer), and no place is lost to it.
struct Held(Turn);

impl Drop for Held {
    fn drop(&mut self) {
        let Some(lane) = self.0.0.lane.upgrade() else { return };
        // More than its own.
        if Arc::strong_count(&self.0.0) > 1
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (taken, patience) = (Arc::downgrade(&self.0.0), lane.abandoned);
            runtime.spawn(async move {
                tokio::time::sleep(patience).await;
                if let Some(taken) = taken.upgrade() {
                    taken.give_back();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::JoinSet;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn lane(overall: usize, each: usize, abandoned: Duration) -> Arc<Lane> {
        let places = Places { overall, each };
        Arc::new(Lane { places, abandoned, waiting: Mutex::default() })
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.unwrap() })
    }

    /// Has each of some clients ask so often, then the last one once; returns who was served, in order.
    fn served(lane: &Arc<Lane>, clients: u64, times: usize) -> Vec<u64> {
        let (gauge, order) = (Arc::new(Gauge::default()), Arc::new(Mutex::new(Vec::new())));
        block_on(async {
            let first = lane.enter(0, &gauge).await;
            let mut all = JoinSet::new();
            let asks = (0..times).flat_map(|_| 0..clients).chain([clients]);
            for client in asks {
                let (lane, gauge, order) = (lane.clone(), gauge.clone(), order.clone());
                all.spawn(async move {
                    let turn = lane.enter(client, &gauge).await;
                    order.lock().unwrap().push(client);
                    // However coarse the clock is, it was some time.
                    while turn.0.since.elapsed().is_zero() {
                        tokio::task::yield_now().await;
                    }
                });
            }
            while gauge.get() < clients * times as u64 + 1 {
                tokio::task::yield_now().await;
            }
            drop(first);
            all.join_all().await;
        });
        assert_eq!(gauge.get(), 0);
        Arc::into_inner(order).unwrap().into_inner().unwrap()
    }

    #[test]
    fn whoever_asks_once_waits_for_one_call_of_each_and_not_for_all() {
        let order = served(&lane(1, 1, PATIENCE), 5, 40);
        assert_eq!(order.len(), 201);
        let at = order.iter().position(|client| *client == 5).unwrap();
        assert!(at <= 5, "after {at} others: {order:?}");
    }

    #[test]
    fn one_client_does_not_take_all_places_and_loses_none() {
        let lane = lane(3, 2, PATIENCE);
        let gauge = Gauge::default();
        block_on(async {
            let (one, two) = (lane.enter(1, &gauge).await, lane.enter(1, &gauge).await);
            let mut third = std::pin::pin!(lane.enter(1, &gauge));
            let soon = Duration::from_millis(1);
            assert!(tokio::time::timeout(soon, &mut third).await.is_err());
            let other = lane.enter(2, &gauge).await;
            drop(one);
            let third = third.await;
            // One that does not wait any more holds nobody up.
            drop(lane.enter(2, &gauge));
            let mut given_up = Box::pin(lane.enter(2, &gauge));
            assert!(tokio::time::timeout(soon, &mut given_up).await.is_err());
            drop(given_up);
            drop((two, other));
            let all = (lane.enter(3, &gauge).await, lane.enter(3, &gauge).await);
            drop((third, all));
        });
        let waiting = lane.lock();
        assert_eq!((waiting.at_work, gauge.get()), (0, 0));
    }

    /// Work on another thread that ends when it is told to; nobody waits for it after a moment.
    async fn abandoned(lane: &Arc<Lane>) -> mpsc::Sender<()> {
        let turn = lane.enter(1, &Gauge::default()).await;
        let (end, ended) = mpsc::channel::<()>();
        let work = turn.during(async {
            let turn = Turn::current();
            std::thread::spawn(move || {
                let _turn = turn;
                let _ = ended.recv();
            });
            std::future::pending::<()>().await;
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
        end
    }

    #[test]
    fn a_place_is_taken_until_its_work_is_over_though_nobody_waits_for_it() {
        let lane = lane(1, 1, 2 * PATIENCE);
        block_on(async {
            let end = abandoned(&lane).await;
            let gauge = Gauge::default();
            let mut next = std::pin::pin!(lane.enter(2, &gauge));
            assert!(tokio::time::timeout(Duration::from_millis(20), &mut next).await.is_err());
            drop(end);
            next.await;
        });
    }

    #[test]
    fn work_that_hangs_loses_its_place() {
        let lane = lane(1, 1, Duration::from_millis(5));
        block_on(async {
            let end = abandoned(&lane).await;
            drop(lane.enter(2, &Gauge::default()).await);
            drop(end);
        });
        assert!(Turn::current().is_none());
    }

    #[test]
    fn answers_in_time_leave_nothing_behind() {
        let lane = lane(1, 1, PATIENCE);
        let answer = block_on(async {
            let gauge = Gauge::default();
            lane.enter(1, &gauge).await.during(async { 7 }).await
                + lane.enter(1, &gauge).await.during(async { 1 }).await
        });
        assert_eq!((answer, lane.lock().at_work), (8, 0));
    }
}
