//! Large directories in which much happens.

use std::time::Duration;

use super::house::House;
use crate::coordinator::Event;
use crate::watch::Hint;

/// As in a long rollback, in which all of a large directory changes all the time.
#[test]
fn a_directory_that_takes_long_to_read_rests_and_is_read_in_the_end() {
    let whole = || Event::Hints(vec![Hint::Dirty { dir: "/r".into(), name: None }]);
    let mut house = House::new();
    house.send(whole());
    house.advance(Duration::from_secs(1));
    house.work();
    house.log.clear();
    let read = house.now.mono;
    house.send(whole());
    house.create("/r/a");
    house.hint("/r/a");
    house.work();
    assert_eq!(house.log, ["scan /r"], "one name is looked at, the whole is not");
    assert!(house.me.pending().settling == 1);
    house.create("/r/b");
    house.send(whole());
    house.settle_down();
    assert_eq!(house.filed.len(), 2);
    assert!(house.now.mono.since(read) >= Duration::from_secs(3));
}
