//! One situation each.

use std::time::Duration;

use super::house::{HOUR, House, SETTLE, root, setup};
use tidy_core::UnixNanos;
use tidy_core::breaker::Standing;
use tidy_core::settle::Mono;

use crate::coordinator::{
    Answer, Command, Coordinator, Effect, Event, Now, Pending, RootState, Scanned, Sighting,
};
use crate::filing::Candidate;
use crate::watch::Hint;

/// Answers what is under way, but no probe.
fn scan_only(house: &mut House) {
    while house.job.is_some() {
        house.scan();
    }
}

#[test]
fn start_walks_every_area_and_is_then_idle_for_an_hour() {
    let mut house = House::before_start(setup(&["/q", "/r"], &["/scope"]));
    house.start();
    assert_eq!(house.state("/r"), RootState::Scanning);
    house.settle_down();
    assert_eq!(house.log, ["walk /q", "walk /r", "walk /scope"]);
    assert_eq!(house.state("/r"), RootState::Watching);
    assert_eq!(house.me.pending(), Pending::default());
    assert_eq!(house.wake, Some(house.now.mono.plus(HOUR)));
}

#[test]
fn a_hint_is_scanned_settles_is_probed_and_filed() {
    let mut house = House::new();
    let ino = house.create("/r/a");
    house.hint("/r/a");
    assert_eq!(house.log, ["scan /r"]);
    house.work();
    assert_eq!(house.me.pending(), Pending { settling: 1, ..Pending::default() });
    let wake = house.wake.unwrap();
    assert!(wake >= house.now.mono.plus(SETTLE) && wake <= house.now.mono.plus(SETTLE * 2));
    house.sleep();
    assert_eq!(house.log.last().unwrap(), "probe");
    house.answer_probe();
    assert_eq!(house.log.last().unwrap(), "file 1");
    assert_eq!(house.me.pending(), Pending { in_flight: 1, ..Pending::default() });
    house.finish_batch();
    assert_eq!(house.filed, [ino]);
    assert_eq!(house.me.pending(), Pending::default());
}

#[test]
fn a_file_being_written_waits_for_its_writer() {
    let mut house = House::new();
    house.create("/r/a");
    house.write("/r/a");
    house.hint("/r/a");
    house.work();
    for _ in 0..5 {
        house.sleep();
        house.work();
        assert!(house.filed.is_empty());
    }
    house.finish("/r/a");
    house.settle_down();
    assert_eq!(house.filed.len(), 1);
}

#[test]
fn wait_is_answered_after_the_cookie_and_when_idle() {
    let mut house = House::new();
    let quick = house.wait();
    assert_eq!(house.drained(quick), None, "nothing has vouched for the silence");
    house.make_cookie();
    assert_eq!(house.drained(quick), Some(true));

    // The hint comes before the cookie, as it does from the watcher.
    let ino = house.create("/r/a");
    let ticket = house.wait();
    house.hint("/r/a");
    house.make_cookie();
    scan_only(&mut house);
    assert_eq!(house.drained(ticket), None, "it is not settled");
    house.sleep();
    house.answer_probe();
    assert_eq!(house.drained(ticket), None, "it is being filed");
    house.finish_batch();
    assert_eq!((house.drained(ticket), &*house.filed), (Some(true), &[ino][..]));
}

#[test]
fn a_cookie_heard_before_we_are_told_of_it_counts() {
    let mut house = House::new();
    let ticket = house.wait();
    let ask = house.cookies.pop_front().unwrap();
    house.send(Event::Hints(vec![Hint::Cookie(7)]));
    assert_eq!(house.drained(ticket), None);
    house.send(Event::CookieAsked { ask, cookie: Some(7) });
    assert_eq!(house.drained(ticket), Some(true));
}

#[test]
fn a_cookie_that_never_comes_or_cannot_be_made_means_looking_everywhere() {
    for cookie in [Some(9), None] {
        let mut house = House::new();
        let ino = house.create("/r/a");
        let ticket = house.wait();
        let ask = house.cookies.pop_front().unwrap();
        house.send(Event::CookieAsked { ask, cookie });
        if cookie.is_some() {
            assert_eq!(house.wake, Some(house.now.mono.plus(Duration::from_secs(2))));
            house.sleep();
        }
        assert_eq!(house.drained(ticket), None);
        house.settle_down();
        assert_eq!(house.logged("walk /"), 2, "{:?}", house.log);
        assert_eq!((house.drained(ticket), &*house.filed), (Some(true), &[ino][..]));
    }
}

#[test]
fn wait_runs_out_of_time() {
    let mut house = House::new();
    house.create("/r/a");
    house.write("/r/a");
    house.hint("/r/a");
    let timeout = Duration::from_secs(30);
    let ticket = house.command(Command::Wait { timeout });
    let asked = house.now.mono;
    while house.drained(ticket).is_none() {
        house.work();
        house.sleep();
    }
    assert_eq!(house.drained(ticket), Some(false));
    let took = house.now.mono.since(asked);
    assert!(took >= timeout && took < timeout + Duration::from_secs(1), "{took:?}");
}

#[test]
fn wait_walks_what_cannot_be_watched() {
    let mut house = House::new();
    house.unwatchable = true;
    house.send(Event::Hints(vec![Hint::Overflow]));
    house.settle_down();
    assert_eq!(house.state("/r"), RootState::ScanOnly);
    let ino = house.create("/r/a");
    let ticket = house.wait();
    house.settle_down();
    assert_eq!((house.drained(ticket), &*house.filed), (Some(true), &[ino][..]));
}

#[test]
fn nothing_is_started_in_a_paused_root_and_resume_walks_it() {
    let mut house = House::new();
    let paused = house.command(Command::Pause(Some("/r".into())));
    assert_eq!(house.answers[&paused], Answer::Roots(vec!["/r".into()]));
    let ino = house.create("/r/a");
    house.hint("/r/a");
    house.send(Event::Hints(vec![Hint::Overflow]));
    house.command(Command::Rescan(vec!["/r".into()]));
    house.settle_down();
    assert_eq!((house.logged("scan"), house.logged("walk /r"), house.filed.len()), (0, 0, 0));
    assert_eq!(house.state("/r"), RootState::Paused);

    house.command(Command::Resume(None));
    house.settle_down();
    assert_eq!((house.logged("walk /r"), &*house.filed), (1, &[ino][..]));
    assert_eq!(house.state("/r"), RootState::Watching);
}

#[test]
fn unknown_roots_are_named() {
    let mut house = House::new();
    for command in [
        Command::Pause(Some("/x".into())),
        Command::Resume(Some("/x".into())),
        Command::Rescan(vec!["/r".into(), "/x".into()]),
    ] {
        let ticket = house.command(command);
        assert_eq!(house.answers[&ticket], Answer::UnknownRoot("/x".into()));
    }
    assert!(house.log.is_empty());
}

#[test]
fn reload_drops_what_waits_and_walks_under_the_new_policies() {
    let mut house = House::new();
    let ino = house.create("/r/a");
    house.create("/q/b");
    house.hint("/r/a");
    house.hint("/q/b");
    scan_only(&mut house);
    assert_eq!(house.me.pending().settling, 2);
    let mut slow = root("/r");
    slow.settle = Duration::from_secs(20);
    let roots = vec![std::sync::Arc::new(slow)];
    let kinds = crate::inspect::CategoryTable::new([]);
    let setup = crate::filing::Setup::new(None, roots, vec![], kinds, "/trash".into());
    house.log.clear();
    house.reload(std::sync::Arc::new(setup));
    assert_eq!(house.me.pending().settling, 0);
    assert_eq!(house.log, ["unwatch /q", "walk /r"]);
    house.advance(Duration::from_secs(10));
    house.work();
    assert!(house.filed.is_empty(), "the new settle time counts");
    house.settle_down();
    assert_eq!(house.filed, [ino]);
}

#[test]
fn a_reload_during_a_walk_walks_everything_under_the_new_configuration() {
    let mut house = House::new();
    let ino = house.create("/r/sub/a");
    house.command(Command::Rescan(vec!["/r".into()]));
    house.scan();
    house.reload(setup(&["/q", "/r"], &[]));
    house.settle_down();
    assert_eq!(house.filed, [ino]);
}

#[test]
fn a_paused_root_stays_paused_through_a_reload() {
    let mut house = House::new();
    house.command(Command::Pause(Some("/r".into())));
    house.create("/r/a");
    house.reload(setup(&["/q", "/r"], &[]));
    house.settle_down();
    assert_eq!((house.state("/r"), house.filed.len()), (RootState::Paused, 0));
}

#[test]
fn an_overflow_distrusts_walks_everything_and_sweeps() {
    let mut house = House::new();
    let ino = house.create("/r/sub/a");
    house.send(Event::Hints(vec![Hint::Overflow]));
    house.settle_down();
    let expected = ["distrust", "walk /q", "walk /r", "walk on", "sweep", "probe", "file 1"];
    assert_eq!(house.log, expected);
    assert_eq!(house.filed, [ino]);
}

#[test]
fn a_stop_with_nothing_under_way_is_immediate() {
    let mut house = House::new();
    house.command(Command::Stop);
    assert_eq!(house.stopped, 1);
}

#[test]
fn a_file_that_changes_in_flight_is_looked_at_again_after() {
    let mut house = House::new();
    let ino = house.create("/r/a");
    house.hint("/r/a");
    house.work();
    house.sleep();
    house.answer_probe();
    house.advance(Duration::from_secs(1));
    house.write("/r/a");
    house.finish("/r/a");
    house.hint("/r/a");
    scan_only(&mut house);
    assert_eq!(house.me.pending().settling, 0, "one at a time");
    house.finish_batch();
    assert!(house.filed.is_empty(), "another version than the one decided about");
    house.settle_down();
    assert_eq!(house.filed, [ino]);
}

#[test]
fn when_the_settler_is_full_the_directory_is_looked_at_later() {
    let mut house = House::new();
    let files = tidy_core::settle::CAPACITY + 10;
    let first = house.create("/r/sub/0");
    let stat = house.files[std::path::Path::new("/r/sub/0")].stat;
    let root = house.setup.roots[1].clone();
    let sighting = |i: usize| {
        let rel = format!("sub/{i}").into();
        let candidate = Candidate {
            root: root.clone(),
            rel,
            stat,
            in_unit: false,
            unpacked: false,
            standing: Standing::New,
        };
        Sighting { candidate, held_by: None }
    };
    let sightings = (0..files).map(sighting).collect();
    house.command(Command::Rescan(vec!["/r".into()]));
    house.job = None;
    house.send(Event::Walked {
        scanned: Scanned { sightings, ..Scanned::default() },
        finished: true,
    });
    assert_eq!(house.me.pending().settling, tidy_core::settle::CAPACITY);
    let ticket = house.wait();
    house.log.clear();
    house.settle_down();
    assert!(house.logged("scan /r/sub") >= 1, "the directory is looked at again");
    assert_eq!((house.drained(ticket), &*house.filed), (Some(true), &[first][..]));
}

#[test]
fn a_missing_root_is_walked_when_it_comes_back() {
    let mut house = House::new();
    house.dirs.remove(std::path::Path::new("/r"));
    house.send(Event::Hints(vec![Hint::DirGone("/r".into())]));
    house.work();
    assert_eq!(house.state("/r"), RootState::Missing);
    assert_eq!(house.wake, Some(house.now.mono.plus(Duration::from_secs(60))));
    let ino = house.create("/r/a");
    house.hint("/r");
    house.work();
    assert_eq!(house.state("/r"), RootState::Watching);
    house.settle_down();
    assert_eq!(house.filed, [ino]);
}

#[test]
fn mounts_and_time_bring_a_missing_root_back() {
    for by_mount in [true, false] {
        let mut house = House::new();
        house.dirs.remove(std::path::Path::new("/r"));
        house.command(Command::Rescan(vec!["/r".into()]));
        house.work();
        house.create("/r/a");
        if by_mount {
            house.send(Event::MountsChanged(Vec::new()))
        } else {
            house.sleep()
        }
        house.work();
        assert_eq!(house.state("/r"), RootState::Watching);
    }
}

#[test]
fn only_folders_that_a_mount_concerns_are_looked_at_again() {
    let mut house = House::new();
    for (mounted, looked_at) in
        [("/", &["scan /q /r"][..]), ("/r", &["scan /r"]), ("/r/a", &["scan /r/a"]), ("/run", &[])]
    {
        house.log.clear();
        house.send(Event::MountsChanged(vec![mounted.into()]));
        assert_eq!(house.log, looked_at, "{mounted}");
        house.work();
    }
}

#[test]
fn a_due_age_is_collected_once() {
    let mut house = House::new();
    let at = house.now.wall.plus(Duration::from_secs(90));
    house.send(Event::Revisit(Some(at)));
    assert_eq!(house.wake, Some(house.now.mono.plus(Duration::from_secs(90))));
    house.sleep();
    assert_eq!(house.due, Some(at));
    house.log.clear();
    house.due = None;
    house.send(Event::Due(vec!["/r".into()]));
    assert_eq!(house.log, ["scan /r"]);
    house.settle_down();
    assert!(house.wake.unwrap() > house.now.mono.plus(HOUR / 2));
}

#[test]
fn what_stays_due_is_not_collected_without_a_pause() {
    let mut house = House::new();
    let due = Some(house.now.wall);
    house.send(Event::Revisit(due));
    house.sleep();
    assert_eq!(house.due.take(), due);
    house.send(Event::Revisit(due));
    assert_eq!(house.wake, Some(house.now.mono.plus(Duration::from_secs(1))));
    house.sleep();
    assert!(house.due.is_some());
}

#[test]
fn a_job_holds_wait_until_it_ends() {
    let mut house = House::new();
    house.send(Event::JobStarted);
    let ticket = house.wait();
    house.work();
    assert_eq!(house.drained(ticket), None);
    house.send(Event::JobEnded);
    assert_eq!(house.drained(ticket), Some(true));
}

#[test]
fn a_probe_of_a_file_forgotten_meanwhile_changes_nothing() {
    let mut house = House::new();
    let ino = house.create("/r/a");
    house.hint("/r/a");
    house.work();
    house.sleep();
    assert!(house.probe.is_some());
    house.command(Command::Pause(None));
    house.command(Command::Resume(None));
    house.answer_probe();
    house.settle_down();
    assert_eq!(house.filed, [ino]);
}

#[test]
fn dirty_directories_of_a_paused_root_do_not_stop_the_others() {
    let mut house = House::new();
    let ino = house.create("/q/deep/a");
    house.command(Command::Rescan(vec!["/q".into()]));
    // Comes while the scanner is busy, so it is still dirty when the pause comes.
    house.hint("/r/x");
    house.command(Command::Pause(Some("/r".into())));
    house.settle_down();
    assert_eq!(house.filed, [ino], "{:?}", house.log);
}

#[test]
fn too_many_dirty_directories_become_a_walk_of_the_root() {
    let mut house = House::new();
    let ino = house.create("/r/late/a");
    house.command(Command::Rescan(vec!["/q".into()]));
    for i in 0..66_000 {
        house.hint(&format!("/r/{i}/x"));
    }
    house.settle_down();
    assert_eq!((house.logged("walk /r"), &*house.filed), (1, &[ino][..]));
}

#[test]
fn a_root_inside_the_scope_is_walked_as_a_root() {
    let mut house = House::before_start(setup(&["/scope/in"], &["/scope"]));
    let ino = house.create("/scope/in/a");
    house.start();
    house.settle_down();
    assert_eq!(house.state("/scope/in"), RootState::Watching);
    assert_eq!(house.filed, [ino]);
}

#[test]
fn a_stop_starts_nothing_new_and_waits_for_the_batches() {
    let mut house = House::new();
    house.create("/r/a");
    house.hint("/r/a");
    house.work();
    house.sleep();
    house.answer_probe();
    house.create("/r/b");
    house.hint("/r/b");
    let waiting = house.wait();
    let stop = house.command(Command::Stop);
    assert_eq!((&house.answers[&stop], house.stopped), (&Answer::Done, 0));
    assert_eq!(house.drained(waiting), Some(false), "nobody is left waiting");
    let asked_late = house.wait();
    assert_eq!(house.drained(asked_late), Some(false));
    house.log.clear();
    house.hint("/r/c");
    scan_only(&mut house);
    house.send(Event::Timer);
    assert_eq!((house.log.len(), house.stopped), (0, 0));
    house.finish_batch();
    assert_eq!((house.log.len(), house.stopped, house.filed.len()), (0, 1, 1));
    house.send(Event::Timer);
    assert_eq!(house.stopped, 1, "it stops once");
}

#[test]
fn a_held_file_does_not_hold_wait_and_is_looked_at_when_its_directory_changes() {
    let mut house = House::new();
    let ino = house.create("/r/a.zip");
    house.create("/r/a.zip.part");
    house.hint("/r/a.zip");
    house.settle_down();
    assert_eq!(house.me.pending(), Pending { held: 1, ..Pending::default() });
    let ticket = house.wait();
    house.settle_down();
    assert_eq!((house.drained(ticket), house.filed.len()), (Some(true), 0));

    house.delete("/r/a.zip.part");
    house.hint("/r/a.zip.part");
    house.settle_down();
    assert_eq!(house.filed, [ino]);
    assert_eq!(house.me.pending(), Pending::default(), "nothing is held any more");
}

#[test]
fn a_held_file_that_is_deleted_is_not_held_any_more() {
    let mut house = House::new();
    house.create("/r/a.zip");
    house.create("/r/a.zip.part");
    house.hint("/r/a.zip");
    house.settle_down();
    house.delete("/r/a.zip");
    house.hint("/r/a.zip");
    house.settle_down();
    assert_eq!(house.me.pending(), Pending::default());
}

#[test]
fn a_new_directory_that_cannot_be_watched_is_walked_every_five_minutes() {
    let mut house = House::new();
    house.unwatchable = true;
    house.create("/r/new/a");
    // The watch of the root itself was made before the limit was reached.
    house.hint("/r/new");
    house.settle_down();
    assert_eq!(house.state("/r"), RootState::ScanOnly);
    assert!(house.wake.unwrap() <= house.now.mono.plus(Duration::from_secs(300)));
    assert_eq!(house.state("/q"), RootState::Watching);
}

#[test]
fn a_pause_drops_what_waits_and_ends_the_walk() {
    let mut house = House::new();
    let ino = house.create("/r/a");
    house.create("/r/sub/b");
    house.create("/r/sub2/c");
    house.hint("/r/a");
    house.work();
    house.command(Command::Rescan(vec!["/r".into()]));
    house.scan();
    house.command(Command::Pause(None));
    house.settle_down();
    assert_eq!((house.logged("walk on"), house.logged("probe")), (1, 0), "{:?}", house.log);
    assert_eq!(house.me.pending(), Pending::default());
    house.command(Command::Resume(Some("/r".into())));
    house.settle_down();
    assert!(house.filed.contains(&ino) && house.filed.len() == 3);
}

/// Brings three files into three batches' worth of work: two batches under way, the third file ready.
fn with_one_ready() -> (House, u64) {
    let mut house = House::new();
    for path in ["/r/a", "/r/b"] {
        house.create(path);
        house.hint(path);
        scan_only(&mut house);
        house.sleep();
        house.answer_probe();
    }
    let ino = house.create("/r/c");
    house.hint("/r/c");
    scan_only(&mut house);
    house.sleep();
    house.answer_probe();
    assert_eq!((house.batches.len(), house.me.pending().in_flight), (2, 3));
    (house, ino)
}

#[test]
fn a_file_waiting_for_its_batch_is_not_filed_twice() {
    let (mut house, ino) = with_one_ready();
    house.hint("/r/c");
    scan_only(&mut house);
    assert_eq!(house.me.pending().settling, 0, "it has settled already");
    house.settle_down();
    assert_eq!(house.logged("file"), 3);
    assert_eq!(house.filed.last(), Some(&ino));
}

#[test]
fn a_file_that_changes_while_it_waits_for_its_batch_settles_again() {
    let (mut house, ino) = with_one_ready();
    house.write("/r/c");
    house.hint("/r/c");
    scan_only(&mut house);
    assert_eq!((house.me.pending().settling, house.me.pending().in_flight), (1, 2));
    house.finish_batch();
    house.finish_batch();
    assert!(!house.filed.contains(&ino));
    house.finish("/r/c");
    house.settle_down();
    assert_eq!(house.filed.last(), Some(&ino));
}

#[test]
fn a_file_that_filing_gives_back_is_looked_at_again_without_a_hint() {
    let mut house = House::new();
    let ino = house.create("/r/a");
    house.hint("/r/a");
    house.work();
    house.sleep();
    house.answer_probe();
    house.write("/r/a");
    house.finish("/r/a");
    house.finish_batch();
    assert_eq!(house.log.last().unwrap(), "scan /r");
    house.settle_down();
    assert_eq!((house.logged("walk"), &*house.filed), (0, &[ino][..]));
}

#[test]
fn a_file_that_comes_in_the_place_of_one_just_filed_is_filed_too() {
    let mut house = House::new();
    let first = house.create("/r/a");
    house.hint("/r/a");
    house.work();
    house.sleep();
    house.answer_probe();
    house.act();
    let second = house.create("/r/a");
    house.hint("/r/a");
    scan_only(&mut house);
    house.report();
    house.settle_down();
    assert_eq!((house.logged("walk"), &*house.filed), (0, &[first, second][..]));
}

#[test]
fn a_batch_that_could_not_be_journaled_is_tried_again_after_a_while() {
    let setup = setup(&["/r"], &[]);
    let root = std::path::Path::new("/r");
    let now = |s: u64| Now { wall: UnixNanos(0), mono: Mono(s * 1_000_000_000) };
    let (mut c, _) = Coordinator::new(setup, Default::default(), now(0));
    let walked = Event::Walked { scanned: Scanned::default(), finished: true };
    c.handle(walked, now(0));
    let files = vec![root.join("a/x"), root.join("a/y")];
    let out = c.handle(Event::BatchFailed { batch: 1, files }, now(1));
    assert!(!out.iter().any(|e| matches!(e, Effect::Scan(_))), "at once would be a busy loop");
    let out = c.handle(Event::Timer, now(62));
    let scans = out.iter().filter_map(|e| match e {
        Effect::Scan(dirs) => Some(dirs.clone()),
        _ => None,
    });
    assert_eq!(scans.flatten().collect::<Vec<_>>(), [(root.join("a"), crate::watch::Names::All)]);
}
