//! What the circuit breaker stops, and how it goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidy_core::breaker::{Limits, Standing, Why};
use tidy_core::rules::RuleSet;

use super::house::{House, root};
use crate::coordinator::{Command, Pending, RootState};
use crate::filing::Setup;
use crate::inspect::CategoryTable;

const LIMITS: Limits = Limits { share: 50, at_least: 4, first: 6, operations: 20 };

/// One root, `/r`, with these limits and rules.
fn setup(breaker: Option<Limits>, fingerprint: u64) -> Arc<Setup> {
    let mut policy = root("/r");
    policy.breaker = breaker;
    policy.rules = Arc::new(RuleSet { fingerprint, ..RuleSet::default() });
    let roots = vec![Arc::new(policy)];
    Arc::new(Setup::new(None, roots, vec![], CategoryTable::new([]), "/trash".into()))
}

/// So many files lie in `/r`, and `keep` more that rules leave; nothing has been looked at yet.
fn house(files: usize, keep: usize, standing: Standing) -> House {
    let mut house = House::before_start(setup(Some(LIMITS), 1));
    (0..files).for_each(|i| {
        house.create(&format!("/r/sub/{i}"));
    });
    (0..keep).for_each(|i| {
        house.create(&format!("/r/keep{i}"));
    });
    house.lies("/r", standing);
    house.advance(Duration::from_secs(3600));
    house.start();
    house
}

fn why(house: &House) -> Vec<Why> {
    house.trips.iter().map(|(_, t)| t.why).collect()
}

#[test]
fn a_share_that_is_allowed_goes_through_unweighed_and_one_that_may_not_be_is_weighed_first() {
    let mut few = house(4, 0, Standing::Left);
    few.settle_down();
    assert_eq!((few.filed.len(), few.logged("weigh")), (4, 0), "{:?}", few.log);

    // Half of them, and not all that might be.
    let mut half = house(10, 10, Standing::Left);
    half.settle_down();
    assert_eq!((half.filed.len(), half.logged("weigh 20"), half.trips.len()), (10, 1, 0));

    let mut most = house(11, 10, Standing::Left);
    let ticket = most.wait();
    most.settle_down();
    assert_eq!(why(&most), [Why::Share { files: 11, lying: 21, limit: 10 }]);
    assert!(most.filed.is_empty(), "stopped before the first");
    assert_eq!(most.state("/r"), RootState::Paused);
    assert_eq!(most.me.pending(), Pending::default());
    assert_eq!(most.drained(ticket), Some(true), "nobody waits for what is stopped");
}

#[test]
fn what_lay_there_before_the_first_look_has_a_limit_of_its_own() {
    let mut some = house(6, 100, Standing::Unseen);
    some.settle_down();
    assert_eq!((some.filed.len(), some.trips.len()), (6, 0));
    let mut many = house(7, 100, Standing::Unseen);
    many.settle_down();
    assert_eq!(why(&many), [Why::First { files: 7, limit: 6 }]);
    assert!(many.filed.is_empty());
}

#[test]
fn what_arrives_is_no_share_of_anything() {
    let mut house = house(0, 2, Standing::Left);
    house.settle_down();
    for i in 0..20 {
        house.create(&format!("/r/new{i}"));
        house.hint(&format!("/r/new{i}"));
    }
    house.settle_down();
    assert_eq!((house.filed.len(), house.trips.len(), house.logged("weigh")), (20, 0, 0));
}

#[test]
fn no_more_operations_than_allowed_and_the_rest_waits() {
    let mut house = house(0, 0, Standing::New);
    house.settle_down();
    for i in 0..25 {
        house.create(&format!("/r/{i}"));
        house.hint(&format!("/r/{i}"));
    }
    // They are asked about, but nothing is done to them: they take no room.
    for i in 0..30 {
        house.create(&format!("/r/keep{i}"));
        house.hint(&format!("/r/keep{i}"));
    }
    house.settle_down();
    assert_eq!(why(&house), [Why::Rate { operations: 20, limit: 20 }]);
    assert_eq!((house.filed.len(), house.state("/r")), (20, RootState::Paused));

    house.command(Command::Resume(None));
    house.settle_down();
    assert_eq!((house.filed.len(), house.trips.len()), (25, 1));
    assert!(house.remembered.is_empty());
}

#[test]
fn a_minute_later_there_is_room_for_as_many_again() {
    let mut house = house(0, 0, Standing::New);
    house.settle_down();
    for round in 0..3 {
        for i in 0..20 {
            house.create(&format!("/r/{round}-{i}"));
            house.hint(&format!("/r/{round}-{i}"));
        }
        house.settle_down();
        house.advance(Duration::from_secs(61));
    }
    assert_eq!((house.filed.len(), house.trips.len()), (60, 0));
}

#[test]
fn resume_gives_a_pass_to_what_waits_and_the_limits_hold_again_when_it_is_quiet() {
    let mut house = house(30, 0, Standing::Left);
    house.settle_down();
    assert_eq!((house.filed.len(), house.trips.len()), (0, 1));
    house.command(Command::Resume(Some("/r".into())));
    house.settle_down();
    assert_eq!((house.filed.len(), house.trips.len()), (30, 1));
    assert_eq!(house.state("/r"), RootState::Watching);

    (0..30).for_each(|i| {
        house.create(&format!("/r/again{i}"));
    });
    house.lies("/r", Standing::Left);
    house.command(Command::Rescan(vec![]));
    house.settle_down();
    assert_eq!((house.filed.len(), house.trips.len()), (30, 2));
}

#[test]
fn other_rules_get_no_pass_for_what_was_said_of_the_old_ones() {
    let mut house = house(30, 0, Standing::Left);
    house.settle_down();
    house.reload(setup(Some(LIMITS), 2));
    house.settle_down();
    assert_eq!((house.state("/r"), house.filed.len()), (RootState::Paused, 0), "it stays stopped");
    house.command(Command::Resume(None));
    house.settle_down();
    assert_eq!((house.trips.len(), house.filed.len()), (2, 0));
    assert_ne!(house.trips[0].1.fingerprint, house.trips[1].1.fingerprint);
    house.command(Command::Resume(None));
    house.settle_down();
    assert_eq!((house.trips.len(), house.filed.len()), (2, 30));
}

#[test]
fn a_root_that_was_stopped_stays_so_through_a_restart() {
    let mut house = house(30, 0, Standing::Left);
    house.settle_down();
    let remembered = house.remembered.clone();
    house.start();
    house.settle_down();
    assert_eq!((house.state("/r"), house.filed.len()), (RootState::Paused, 0));
    let status = house.me.roots();
    assert_eq!(status[0].trip, remembered.get(Path::new("/r")).copied());
    house.command(Command::Resume(None));
    house.settle_down();
    assert_eq!((house.filed.len(), house.remembered.len()), (30, 0));
    assert_eq!(house.me.roots()[0].trip, None);
}

#[test]
fn a_pause_by_a_person_is_not_remembered_and_hides_no_stop() {
    let mut house = house(30, 0, Standing::Left);
    house.settle_down();
    house.command(Command::Pause(None));
    assert!(house.me.roots()[0].trip.is_some());
    house.command(Command::Resume(None));
    house.settle_down();
    house.command(Command::Pause(None));
    assert!(house.remembered.is_empty());
    assert_eq!(house.me.roots()[0].trip, None);
}

#[test]
fn without_a_breaker_nothing_is_too_much() {
    let mut house = House::before_start(setup(None, 1));
    (0..100).for_each(|i| {
        house.create(&format!("/r/{i}"));
    });
    house.lies("/r", Standing::Left);
    house.advance(Duration::from_secs(3600));
    house.start();
    house.settle_down();
    assert_eq!((house.filed.len(), house.trips.len(), house.logged("weigh")), (100, 0, 0));
}

/// One of the files that lie there is held open for ever: it does not hold up the others for long.
#[test]
fn a_file_that_does_not_settle_holds_up_the_others_for_a_while_only() {
    let mut house = house(30, 0, Standing::Left);
    house.files.get_mut(Path::new("/r/sub/0")).unwrap().open = true;
    house.work();
    for _ in 0..20 {
        house.sleep();
        house.work();
    }
    assert_eq!(why(&house), [Why::Share { files: 29, lying: 30, limit: 15 }]);
}

#[test]
fn a_reload_while_it_is_weighed_weighs_anew() {
    let mut house = house(30, 0, Standing::Left);
    while house.weighing.is_none() {
        match () {
            () if house.job.is_some() => house.scan(),
            () if house.probe.is_some() => house.answer_probe(),
            () => house.sleep(),
        }
    }
    let old = house.weighing.take();
    house.reload(setup(Some(Limits { share: 100, ..LIMITS }), 1));
    house.settle_down();
    assert_eq!((house.filed.len(), house.trips.len()), (20, 1), "as many as there is room for");
    house.weighing = old;
    house.weigh();
    assert_eq!(house.trips.len(), 1, "an answer that comes late says nothing");
}
