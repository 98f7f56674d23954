//! Places for connections, and whose is taken when there are none left.
//!
//! Connections are bounded, so somebody who opens many could keep all others out, from one program or from hundreds. When all
//! places are taken, a newcomer gets that of somebody who has more than he: of the user with the most connections, of that user's
//! programs the one with the most, and of its connections one that waits for no answer, the quietest. So whoever has one
//! connection, or none yet, gets in, whoever has more than others loses what is more, and no two take each other's place in turn.
//!
//! **Invariant:** no more connections are served than there are places; those that are leaving, told so and closed at once, are
//! bounded, too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::FLUSH;
use super::limits::Limits;
use super::pool::Pace;

/// How long those that lost their place take to go, at most.
const LEAVING: Duration = FLUSH;

/// All places.
#[derive(Debug)]
pub(super) struct Seats {
    places: usize,
    leaving: usize,
    times: Times,
    table: Mutex<Table>,
}

/// How long the only connection of a client keeps its place whoever comes.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// From its beginning.
    fresh: Duration,
    /// Once it has its answers, and asks nothing more.
    answered: Duration,
}

#[derive(Debug)]
struct Table {
    next: u64,
    taken: BTreeMap<u64, Taken>,
    /// Connections that have lost their place and are not gone yet.
    leaving: usize,
    pace: Pace,
}

/// A place, and whose it is.
#[derive(Debug)]
struct Taken {
    user: u32,
    client: u64,
    opened: Instant,
    quiet_since: Instant,
    /// It waits for an answer.
    waits: bool,
    /// It had one.
    answered: bool,
    leave: CancellationToken,
}

impl Taken {
    /// How much longer it keeps its place if it is its client's only one.
    fn keeps(&self, times: Times, now: Instant) -> Duration {
        let left = |of: Duration, since| of.saturating_sub(now.saturating_duration_since(since));
        let fresh = left(times.fresh, self.opened);
        match self.answered && !self.waits {
            true => fresh.min(left(times.answered, self.quiet_since)),
            false => fresh,
        }
    }
}

/// One place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    leave: CancellationToken,
}

impl Seats {
    pub(super) fn new(limits: &Limits, now: Instant) -> Arc<Self> {
        let table = Table { next: 0, taken: BTreeMap::new(), leaving: 0, pace: Pace::new(now) };
        Arc::new(Self {
            places: limits.connections,
            leaving: limits.farewells,
            times: Times { fresh: limits.fresh, answered: limits.answered },
            table: Mutex::new(table),
        })
    }

    /// A place for a connection of this user's client, and whether somebody has to leave for it; or how long until there may be one.
    pub(super) fn take(
        self: &Arc<Self>,
        (user, client): (u32, u64),
        now: Instant,
    ) -> Result<(Seat, bool), Duration> {
        let mut table = self.lock();
        let is_full = table.taken.len() >= self.places;
        if is_full {
            let victim = table.victim((user, client), self.times, now)?;
            if table.leaving >= self.leaving {
                return Err(LEAVING);
            }
            let lost = table.taken.remove(&victim);
            table.leaving += 1;
            lost.into_iter().for_each(|lost| lost.leave.cancel());
        }
        let leave = CancellationToken::new();
        let number = table.next;
        table.next += 1;
        let taken = Taken {
            user,
            client,
            opened: now,
            quiet_since: now,
            waits: false,
            answered: false,
            leave: leave.clone(),
        };
        table.taken.insert(number, taken);
        if !is_full && table.taken.len() >= self.places {
            table.pace.filled(now);
        }
        Ok((Seat { seats: self.clone(), number, leave }, is_full))
    }

    /// How long until a place comes free by itself, going by how often they do.
    pub(super) fn next(&self, now: Instant) -> Duration {
        self.lock().pace.next(now)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing under it can panic half-way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Whose place a newcomer gets, or how long until there may be one.
    fn victim(
        &self,
        (user, client): (u32, u64),
        times: Times,
        now: Instant,
    ) -> Result<u64, Duration> {
        let own = self.taken.values().filter(|t| t.user == user).count();
        let mut users: HashMap<u32, usize> = HashMap::new();
        self.taken.values().for_each(|t| *users.entry(t.user).or_default() += 1);
        let greatest = users.iter().max_by_key(|(user, count)| (**count, **user));
        // Of another user, if that is fairer afterwards; else among the user's own programs.
        let of = greatest.filter(|(_, most)| is_fairer(own, **most)).map_or(user, |(of, _)| *of);
        let own = match of == user {
            true => self.taken.values().filter(|t| (t.user, t.client) == (user, client)).count(),
            // One program there is as good as another.
            false => 0,
        };
        let mut clients: HashMap<u64, usize> = HashMap::new();
        let theirs = || self.taken.iter().filter(|(_, t)| t.user == of);
        theirs().for_each(|(_, t)| *clients.entry(t.client).or_default() += 1);
        let most = clients.values().copied().max().unwrap_or_default();
        if !is_fairer(own, most) {
            return Err(self.pace.next(now));
        }
        let theirs = theirs().filter(|(_, t)| clients.get(&t.client) == Some(&most));
        let is_of_many = users.get(&of).is_some_and(|count| of != user && *count > 1);
        // Where nobody has more than one, everybody has the time to ask something: else newcomers would only ever take each
        // other's place.
        let everybody_has_one = most <= 1 && !is_of_many;
        let keeps =
            |t: &Taken| if everybody_has_one { t.keeps(times, now) } else { Duration::ZERO };
        let ripe = theirs.clone().filter(|(_, t)| keeps(t).is_zero());
        let chosen = ripe.min_by_key(|(_, t)| (t.waits, t.quiet_since));
        let next = || theirs.map(|(_, t)| keeps(t)).min().unwrap_or_default();
        chosen.map(|(number, _)| *number).ok_or_else(next)
    }
}

/// Whether one who has `own` may have the place of one who has `most`: the first for nothing, more where it leaves them equal at
/// least, so that they do not take it from each other in turn.
fn is_fairer(own: usize, most: usize) -> bool {
    most > own + usize::from(own > 0)
}

impl Seat {
    /// Ends when somebody else got it.
    pub(super) async fn lost(&self) {
        self.leave.cancelled().await;
    }

    /// Something was asked on it; it `waits` when that is being answered.
    pub(super) fn asked(&self, now: Instant, waits: bool) {
        if let Some(taken) = self.seats.lock().taken.get_mut(&self.number) {
            taken.quiet_since = now;
            taken.waits |= waits;
        }
    }

    /// All has been answered.
    pub(super) fn rests(&self, now: Instant) {
        if let Some(taken) = self.seats.lock().taken.get_mut(&self.number) {
            taken.quiet_since = now;
            taken.answered |= taken.waits;
            taken.waits = false;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.seats.lock();
        let was_full = table.taken.len() >= self.seats.places;
        if table.taken.remove(&self.number).is_none() {
            table.leaving = table.leaving.saturating_sub(1);
        } else if was_full {
            table.pace.freed(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: u32 = 1000;
    const ROOT: u32 = 0;
    const OTHER: u32 = 1001;
    const FRESH: Duration = Duration::from_secs(1);
    const ANSWERED: Duration = Duration::from_millis(100);

    /// The places, with a clock.
    struct House {
        seats: Arc<Seats>,
        now: Instant,
        held: Vec<((u32, u64), Seat)>,
    }

    impl House {
        fn new(places: usize) -> Self {
            let limits = Limits {
                connections: places,
                farewells: 4,
                fresh: FRESH,
                answered: ANSWERED,
                ..Limits::default()
            };
            let now = Instant::now();
            Self { seats: Seats::new(&limits, now), now, held: Vec::new() }
        }

        /// A moment later somebody connects; those who lost their places go.
        fn comes(&mut self, who: (u32, u64)) -> Result<(), Duration> {
            self.now += Duration::from_millis(1);
            let (seat, _) = self.seats.take(who, self.now)?;
            self.held.push((who, seat));
            self.held.retain(|(_, seat)| !seat.leave.is_cancelled());
            Ok(())
        }

        fn later(&mut self, by: Duration) {
            self.now += by;
        }

        fn count(&self, of: impl Fn((u32, u64)) -> bool) -> usize {
            self.held.iter().filter(|(who, _)| of(*who)).count()
        }
    }

    #[test]
    fn one_program_that_has_all_places_gives_way_to_others() {
        let mut house = House::new(10);
        (0..10).for_each(|_| house.comes((OURS, 1)).unwrap());
        assert!(house.comes((OURS, 1)).is_err(), "it takes none from itself");
        for client in 2..6 {
            house.comes((OURS, client)).unwrap();
        }
        assert_eq!(house.count(|who| who.1 == 1), 6);
        assert_eq!(house.seats.lock().taken.len(), 10);
        assert_eq!(house.seats.lock().leaving, 0);
    }

    #[test]
    fn a_hundred_programs_do_not_keep_another_one_out_and_come_to_rest() {
        let mut house = House::new(32);
        let mut changes = 0;
        for _ in 0..50 {
            for client in 0..10 {
                changes += usize::from(house.comes((OURS, client)).is_ok());
            }
        }
        assert!((3..=4).contains(&house.count(|who| who.1 == 0)));
        assert!(changes < 64, "they take each other's places for ever: {changes}");
        house.comes((OURS, 77)).unwrap();
        house.comes((ROOT, 78)).unwrap();
        assert_eq!((house.count(|w| w.1 == 77), house.count(|w| w.1 == 78)), (1, 1));
    }

    #[test]
    fn programs_with_one_connection_each_have_the_time_to_ask() {
        let mut house = House::new(8);
        (0..8).for_each(|client| house.comes((OURS, client)).unwrap());
        let wait = house.comes((OURS, 100)).unwrap_err();
        assert!(wait < FRESH && wait > FRESH - Duration::from_millis(20), "{wait:?}");
        house.later(wait);
        house.comes((OURS, 100)).unwrap();
        assert_eq!(house.count(|who| who.1 == 0), 0, "the one that was there first went");
    }

    #[test]
    fn a_program_that_had_its_answer_and_asks_nothing_more_gives_way_sooner() {
        let mut house = House::new(3);
        (0..3).for_each(|client| house.comes((OURS, client)).unwrap());
        house.held[1].1.asked(house.now, true);
        house.comes((OURS, 10)).unwrap_err();
        house.held[1].1.rests(house.now);
        let wait = house.comes((OURS, 10)).unwrap_err();
        assert!(wait <= ANSWERED && !wait.is_zero(), "it may ask the next thing: {wait:?}");
        house.later(wait);
        house.held[0].1.asked(house.now, true);
        house.comes((OURS, 10)).unwrap();
        assert_eq!(house.count(|who| who.1 == 1), 0);
        let wait = house.comes((OURS, 11)).unwrap_err();
        assert!(wait > FRESH / 2, "the others had none yet: {wait:?}");
    }

    #[test]
    fn whoever_waits_for_an_answer_goes_last_and_the_quietest_first() {
        let mut house = House::new(4);
        (0..4).for_each(|client| house.comes((OURS, client)).unwrap());
        house.later(2 * FRESH);
        house.held[0].1.asked(house.now - FRESH, true);
        house.held[1].1.asked(house.now, false);
        house.comes((OURS, 10)).unwrap();
        assert_eq!(house.count(|who| who.1 == 2), 0);
        house.comes((OURS, 11)).unwrap();
        assert_eq!(house.count(|who| who.1 == 3), 0);
        house.comes((OURS, 12)).unwrap();
        assert_eq!((house.count(|w| w.1 == 0), house.count(|w| w.1 == 1)), (1, 0));
    }

    #[test]
    fn other_users_have_no_more_than_their_share() {
        let mut house = House::new(12);
        // Many programs of one that may only look.
        (0..12).for_each(|client| house.comes((OTHER, client)).unwrap());
        for client in 100..112 {
            let _ = house.comes((OURS, client));
        }
        assert_eq!(house.count(|who| who.0 == OURS), 6);
        house.comes((ROOT, 500)).unwrap();
        assert_eq!(house.count(|who| who.0 == ROOT), 1);
        // The owner has as many as anybody, so his own programs make room for each other.
        house.comes((OURS, 600)).unwrap_err();
        house.later(2 * FRESH);
        house.comes((OURS, 600)).unwrap();
        assert!(house.count(|who| who.0 == OURS) <= 6);
    }

    #[test]
    fn those_that_are_leaving_are_bounded() {
        let mut house = House::new(8);
        (0..8).for_each(|_| house.comes((OURS, 1)).unwrap());
        // They do not go.
        let stuck: Vec<Seat> = house.held.drain(..).map(|(_, seat)| seat).collect();
        for client in 2..6 {
            house.comes((OURS, client)).unwrap();
        }
        assert!(house.comes((OURS, 6)).is_err());
        drop(stuck);
        house.comes((OURS, 6)).unwrap();
    }
}
