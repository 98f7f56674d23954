//! A machine on its battery.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::house::{House, root};
use crate::coordinator::{Command, Stage};
use crate::filing::Setup;
use crate::inspect::CategoryTable;

fn setup(pause_on_battery: bool) -> Arc<Setup> {
    let roots = vec![Arc::new(root("/r"))];
    let setup = Setup::new(None, roots, Vec::new(), CategoryTable::new([]), "/trash".into());
    Arc::new(setup.with_pause_on_battery(pause_on_battery))
}

fn house(pause_on_battery: bool) -> House {
    let mut house = House::before_start(setup(pause_on_battery));
    house.start();
    house.settle_down();
    house.log.clear();
    house
}

fn arrives(house: &mut House, path: &str) {
    house.create(path);
    house.hint(path);
    house.work();
    while house.me.pending().settling > 0 {
        house.sleep();
        house.work();
    }
}

#[test]
fn what_arrives_waits_until_the_machine_is_plugged_in() {
    let mut house = house(true);
    house.on_battery = true;
    arrives(&mut house, "/r/a");
    assert!(house.filed.is_empty());
    assert!(house.me.pending().for_power && house.me.pending().in_flight == 1);
    let about = house.me.about(Path::new("/r/a"), house.now);
    assert_eq!(about.stage, Some(Stage::ForPower));
    // It is looked at now and then, and no more often.
    let (asked, begun) = (house.logged("power"), house.now.mono);
    while house.now.mono.since(begun) < Duration::from_secs(300) {
        house.sleep();
        house.work();
    }
    assert!((9..=11).contains(&(house.logged("power") - asked)), "{:?}", house.log);
    assert!(house.filed.is_empty());
    house.on_battery = false;
    house.settle_down();
    assert_eq!(house.filed.len(), 1);
    assert!(!house.me.pending().for_power);
}

#[test]
fn who_waits_for_it_has_it_looked_at_at_once() {
    let mut house = house(true);
    house.on_battery = true;
    arrives(&mut house, "/r/a");
    house.on_battery = false;
    let ticket = house.wait();
    house.work();
    assert_eq!(house.drained(ticket), Some(true), "{:?}", house.log);
    assert_eq!(house.filed.len(), 1);
}

#[test]
fn an_answer_from_before_somebody_waited_is_not_relied_on() {
    let mut house = house(true);
    house.on_battery = true;
    arrives(&mut house, "/r/a");
    house.sleep();
    assert!(house.power_asked);
    let ticket = house.wait();
    house.answer_power();
    house.on_battery = false;
    house.work();
    assert_eq!(house.drained(ticket), Some(true), "{:?}", house.log);
}

#[test]
fn nobody_looks_where_nothing_waits_or_nothing_is_to_wait() {
    let mut plugged = house(true);
    arrives(&mut plugged, "/r/a");
    arrives(&mut plugged, "/r/b");
    plugged.settle_down();
    assert_eq!((plugged.filed.len(), plugged.logged("power")), (2, 1), "{:?}", plugged.log);
    let mut careless = house(false);
    careless.on_battery = true;
    arrives(&mut careless, "/r/a");
    assert_eq!((careless.filed.len(), careless.logged("power")), (1, 0));
}

#[test]
fn a_start_on_the_battery_is_complete_and_a_new_configuration_is_heeded() {
    let mut house = House::before_start(setup(true));
    house.on_battery = true;
    house.create("/r/a");
    house.start();
    house.work();
    while house.me.pending().settling > 0 {
        house.sleep();
        house.work();
    }
    assert!(house.me.is_ready() && house.filed.is_empty());
    house.reload(setup(false));
    house.settle_down();
    assert_eq!(house.filed.len(), 1);
    house.command(Command::Status);
}
