//! Every kind of writer as a stream of events, and the rule itself against random ones.

use super::*;
use proptest::prelude::*;

const SETTLE: Duration = Duration::from_secs(2);
/// Wall clock at mono 0; any large number.
const EPOCH: i64 = 1_800_000_000_000;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn mono(at_ms: u64) -> Mono {
    Mono(at_ms * 1_000_000)
}

fn wall(at_ms: i64) -> UnixNanos {
    UnixNanos((EPOCH + at_ms) * 1_000_000)
}

/// A file with this inode and size, changed last at `ctime_ms`.
fn stat(ino: u64, size: u64, ctime_ms: i64) -> Stat {
    Stat {
        id: Identity { ino, size, mtime: wall(ctime_ms), birth: None },
        file_type: FileType::Regular,
        dev: 1,
        ctime: wall(ctime_ms),
        atime: wall(0),
        mode: 0o644,
        nlink: 1,
        uid: 1000,
    }
}

/// What a writer does, in ms since the start.
#[derive(Debug, Clone)]
enum Act {
    /// Content or metadata changes: new size, ctime now.
    Write(u64),
    Open,
    Close,
    /// The name goes (rename or delete).
    Unlink,
    /// Another inode takes the name.
    Replace(u64),
}

/// A model of one file and of the writers that hold it.
#[derive(Debug, Clone)]
struct Model {
    stat: Option<Stat>,
    open: u32,
    lease_works: bool,
}

impl Model {
    fn act(&mut self, act: &Act, at: i64) {
        match act {
            Act::Write(size) => {
                let ino = self.stat.map_or(1, |s| s.id.ino);
                self.stat = Some(stat(ino, *size, at));
            }
            Act::Open => self.open += 1,
            Act::Close => self.open = self.open.saturating_sub(1),
            Act::Unlink => self.stat = None,
            Act::Replace(ino) => self.stat = Some(stat(*ino, 7, at)),
        }
    }

    fn probe(&self) -> Probe {
        let writers = match (self.lease_works, self.open) {
            (false, _) => Writers::Unknowable,
            (true, 0) => Writers::Nobody,
            (true, _) => Writers::Someone,
        };
        self.stat.map_or(Probe::Gone, |s| Probe::Seen(s, writers))
    }
}

/// Plays the acts; a hint after each when `hints`, else only the first makes a sighting. Steps of
/// 50 ms until something final is said. Returns when, and what.
fn play(acts: &[(u64, Act)], hints: bool, lease_works: bool) -> (u64, Verdict) {
    let path = Path::new("/r/f");
    let mut settler = Settler::new(4);
    let mut model = Model { stat: None, open: 0, lease_works };
    let mut acts = acts.iter().peekable();
    let mut seen = false;
    for now in (0..600_000).step_by(50) {
        while let Some((_, act)) = acts.next_if(|(at, _)| *at <= now) {
            model.act(act, now as i64);
            if (hints || !seen)
                && let Some(s) = &model.stat
            {
                settler.sighted(path, s, SETTLE, wall(now as i64), mono(now));
                seen = true;
            }
        }
        for due in settler.due(mono(now), 10) {
            match settler.probed(&due, model.probe(), wall(now as i64), mono(now)) {
                Verdict::Wait | Verdict::Replaced => {}
                verdict => return (now, verdict),
            }
        }
    }
    panic!("never settled");
}

#[test]
fn every_writer_is_waited_for() {
    use Act::*;
    let every = |step: u64, end: u64| (0..end).step_by(step as usize).map(|t| (t, Write(t + 1)));
    let slow: Vec<_> =
        [(0, Open)].into_iter().chain(every(1_000, 30_000)).chain([(30_000, Close)]).collect();
    // Open without a write for 40 s, as a preallocating or mapping writer is.
    let preallocated =
        vec![(0, Open), (0, Write(1 << 30)), (40_000, Write(1 << 30)), (40_000, Close)];
    let mapped = vec![(0, Open), (0, Write(4096)), (25_000, Close)];
    let reopened: Vec<_> = (0..10)
        .flat_map(|i| {
            let t = i * 1_500;
            [(t, Open), (t, Write(i + 1)), (t + 50, Close)]
        })
        .collect();
    let placeholder = vec![(0, Write(0)), (8_000, Replace(2))];
    let cases = [
        ("slow, with the descriptor open", slow, 31_000),
        ("preallocated", preallocated, 42_000),
        ("mmap, closed late and unchanged since", mapped, 25_000),
        ("append, close, reopen", reopened, 13_500 + 2_000),
        ("O_TMPFILE + linkat: no close is ever seen", vec![(0, Write(9))], 2_000),
        ("an empty placeholder, then the download", placeholder, 10_000),
        ("an empty file that stays empty", vec![(0, Write(0))], 10_000),
    ];
    for (what, acts, earliest) in cases {
        for hints in [true, false] {
            let (at, verdict) = play(&acts, hints, true);
            assert!(matches!(verdict, Verdict::Settled(_)), "{what}: {verdict:?}");
            assert!(at >= earliest, "{what}, hints {hints}: {at} ms");
            let slack = if hints { 2_100 } else { 61_000 };
            assert!(at <= earliest + slack, "{what}, hints {hints}: {at} ms");
        }
    }
}

#[test]
fn a_file_renamed_while_open_is_gone_under_the_old_name_and_waits_under_the_new() {
    let acts = [(0, Act::Open), (0, Act::Write(5)), (1_000, Act::Unlink)];
    assert!(matches!(play(&acts, true, true), (_, Verdict::Gone)));
    // Under the new name it is a sighting like any other; the writer still has it.
    let new = [(0, Act::Open), (0, Act::Write(5)), (9_000, Act::Write(6)), (9_100, Act::Close)];
    assert!(play(&new, true, true).0 >= 11_000);
}

#[test]
fn an_old_quiet_file_is_due_at_once_and_settles_on_the_first_probe() {
    let mut s = Settler::new(4);
    let old = stat(1, 5, -60_000);
    let path = Path::new("/r/f");
    assert_eq!(s.sighted(path, &old, SETTLE, wall(0), mono(0)), Sighted::Due(mono(0)));
    assert_eq!(s.due(mono(0), 10), [path.to_path_buf()]);
    let verdict = s.probed(path, Probe::Seen(old, Writers::Nobody), wall(0), mono(0));
    assert_eq!(verdict, Verdict::Settled(old));
    assert!(s.is_empty() && s.next_due().is_none());
}

#[test]
fn an_old_mtime_alone_does_not_make_a_file_quiet() {
    // cp -p, rsync -t: mtime years back, ctime now.
    let mut copied = stat(1, 5, 0);
    copied.id.mtime = wall(-1_000_000_000);
    let mut s = Settler::new(4);
    let due = s.sighted(Path::new("/r/f"), &copied, SETTLE, wall(0), mono(0));
    assert_eq!(due, Sighted::Due(mono(2_000)));
}

#[test]
fn a_ctime_in_the_future_does_not_block_for_ever() {
    let mut s = Settler::new(4);
    let future = stat(1, 5, 86_400_000);
    let path = Path::new("/r/f");
    let probe = Probe::Seen(future, Writers::Nobody);
    s.sighted(path, &future, SETTLE, wall(0), mono(0));
    assert_eq!(s.probed(path, probe, wall(1_999), mono(1_999)), Verdict::Wait);
    assert_eq!(s.probed(path, probe, wall(2_000), mono(2_000)), Verdict::Settled(future));
}

#[test]
fn without_a_lease_two_samples_must_be_five_times_as_far_apart() {
    let (at, verdict) = play(&[(0, Act::Write(5))], true, false);
    assert!(matches!(verdict, Verdict::Settled(_)));
    assert_eq!(at, 10_000);
    // A change under way starts the ten seconds again.
    let (at, _) = play(&[(0, Act::Write(5)), (7_000, Act::Write(6))], false, false);
    assert!(at >= 17_000, "{at}");
}

#[test]
fn while_someone_writes_probes_back_off_to_a_minute_and_a_sighting_brings_them_forward() {
    let mut s = Settler::new(4);
    let old = stat(1, 5, -60_000);
    let path = Path::new("/r/f");
    let mut now = 0;
    s.sighted(path, &old, SETTLE, wall(0), mono(0));
    let mut waits = Vec::new();
    for _ in 0..7 {
        assert_eq!(s.due(mono(now), 1).len(), 1);
        let probe = Probe::Seen(old, Writers::Someone);
        assert_eq!(s.probed(path, probe, wall(now as i64), mono(now)), Verdict::Wait);
        let next = s.next_due().unwrap().0 / 1_000_000;
        waits.push((next - now) / 1_000);
        now = next;
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60]);
    now += 1;
    assert_eq!(
        s.sighted(path, &old, SETTLE, wall(now as i64), mono(now)),
        Sighted::Due(mono(now - 1))
    );
}

#[test]
fn another_file_under_the_name_starts_its_own_clock() {
    let mut s = Settler::new(4);
    let path = Path::new("/r/f");
    s.sighted(path, &stat(1, 5, 0), SETTLE, wall(0), mono(0));
    let other = Probe::Seen(stat(2, 5, 1_900), Writers::Nobody);
    assert_eq!(s.probed(path, other, wall(2_000), mono(2_000)), Verdict::Replaced);
    assert_eq!(s.probed(path, other, wall(3_800), mono(3_800)), Verdict::Wait);
    assert!(matches!(s.probed(path, other, wall(3_900), mono(3_900)), Verdict::Settled(_)));
    // A directory in its place is no file at all.
    s.sighted(path, &stat(1, 5, 0), SETTLE, wall(0), mono(0));
    let dir = Stat { file_type: FileType::Directory, ..stat(1, 5, 0) };
    let probe = Probe::Seen(dir, Writers::Nobody);
    assert_eq!(s.probed(path, probe, wall(9_000), mono(9_000)), Verdict::Gone);
    assert!(!s.contains(path));
}

#[test]
fn a_file_that_cannot_be_looked_at_is_given_up_after_a_while() {
    let mut s = Settler::new(4);
    let path = Path::new("/r/f");
    s.sighted(path, &stat(1, 5, 0), SETTLE, wall(0), mono(0));
    let verdicts: Vec<_> =
        (0..MAX_FAILURES).map(|_| s.probed(path, Probe::Failed, wall(0), mono(0))).collect();
    assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Wait).count(), 7);
    assert_eq!(verdicts.last(), Some(&Verdict::GaveUp));
    assert!(s.is_empty());
}

#[test]
fn a_full_settler_says_so_and_still_takes_news_of_what_it_has() {
    let mut s = Settler::new(2);
    let see = |s: &mut Settler, p: &str| {
        s.sighted(Path::new(p), &stat(1, 5, 0), SETTLE, wall(0), mono(0))
    };
    see(&mut s, "/a");
    see(&mut s, "/b");
    assert_eq!(see(&mut s, "/c"), Sighted::Full);
    assert_eq!(see(&mut s, "/a"), Sighted::Due(mono(2_000)));
    s.forget(Path::new("/a"));
    assert_eq!(see(&mut s, "/c"), Sighted::Due(mono(2_000)));
}

#[test]
fn an_answer_that_never_comes_is_asked_for_again() {
    let mut s = Settler::new(2);
    s.sighted(Path::new("/a"), &stat(1, 5, -9_000), SETTLE, wall(0), mono(0));
    assert_eq!(s.due(mono(0), 9).len(), 1);
    assert_eq!(s.due(mono(59_999), 9).len(), 0);
    assert_eq!(s.due(mono(60_000), 9).len(), 1);
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0u64..4).prop_map(Act::Write),
        1 => Just(Act::Open),
        1 => Just(Act::Close),
        1 => Just(Act::Unlink),
        1 => (1u64..4).prop_map(Act::Replace),
    ]
}

proptest! {
    /// Whatever is done in whatever order, with hints lost at random: never settled while someone
    /// writes, never earlier than the rule, bounded, and settled at last once all is quiet.
    #[test]
    fn the_rule_holds_for_any_writer(
        acts in prop::collection::vec((0u64..4_000, act(), any::<bool>()), 1..20),
        lease_works: bool,
        skew_ms in -100_000i64..100_000,
    ) {
        let path = Path::new("/r/f");
        let mut settler = Settler::new(1);
        let mut model = Model { stat: None, open: 0, lease_works };
        let mut now = 0u64;
        let mut changed_at = 0u64;
        let probe_due = |settler: &mut Settler, model: &Model, now: u64, changed_at: u64| {
            for due in settler.due(mono(now), 10) {
                let clock = wall(now as i64 + skew_ms);
                let verdict = settler.probed(&due, model.probe(), clock, mono(now));
                if let Verdict::Settled(found) = verdict {
                    prop_assert_eq!(Some(found), model.stat);
                    prop_assert!(!lease_works || model.open == 0, "settled while open");
                    let need = match found.id.size { 0 => 10_000, _ if lease_works => 2_000, _ => 10_000 };
                    // The ctime clock is off by the skew; the monotonic one is not.
                    let by_ctime = now as i64 + skew_ms - (found.ctime.0 / 1_000_000 - EPOCH);
                    prop_assert!(
                        now - changed_at >= need || (lease_works && by_ctime >= need as i64),
                        "settled {} ms after the last change", now - changed_at
                    );
                }
            }
            prop_assert!(settler.len() <= 1 && settler.queue.len() == settler.len());
            Ok(())
        };
        for (gap, act, hint) in acts {
            let until = now + gap;
            while now < until {
                now += 50;
                probe_due(&mut settler, &model, now, changed_at)?;
            }
            let before = model.stat;
            model.act(&act, now as i64);
            if model.stat != before {
                changed_at = now;
            }
            if hint && let Some(s) = &model.stat {
                settler.sighted(path, s, SETTLE, wall(now as i64 + skew_ms), mono(now));
            }
        }
        model.open = 0;
        if let Some(s) = &model.stat {
            settler.sighted(path, s, SETTLE, wall(now as i64 + skew_ms), mono(now));
            let end = now + 20_000;
            while now < end {
                now += 50;
                probe_due(&mut settler, &model, now, changed_at)?;
            }
            prop_assert!(settler.is_empty(), "a quiet file must settle");
        }
    }

    /// Any number of files: the queue and the table never differ, and `due` never answers early.
    #[test]
    fn the_queue_is_exact(ops in prop::collection::vec((0u8..4, 0u8..6, 0u64..5_000), 0..60)) {
        let mut s = Settler::new(4);
        let mut now = 0;
        for (op, file, step) in ops {
            now += step;
            let path = PathBuf::from(format!("/r/{file}"));
            let seen = stat(u64::from(file), step % 3, now as i64);
            match op {
                0 => { s.sighted(&path, &seen, SETTLE, wall(now as i64), mono(now)); }
                1 => s.forget(&path),
                2 => { s.probed(&path, Probe::Seen(seen, Writers::Someone), wall(now as i64), mono(now)); }
                _ => {
                    let next = s.next_due();
                    let due = s.due(mono(now), 2);
                    prop_assert_eq!(!due.is_empty(), next.is_some_and(|n| n <= mono(now)));
                }
            }
            prop_assert!(s.len() <= 4);
            prop_assert_eq!(s.queue.len(), s.files.len());
            prop_assert!(s.files.values().all(|f| s.queue.contains_key(&f.slot)));
        }
    }
}

#[test]
fn durations_saturate() {
    assert_eq!(Mono(u64::MAX).plus(ms(5)), Mono(u64::MAX));
    assert_eq!(Mono(1).since(Mono(5)), Duration::ZERO);
}

#[test]
fn files_that_are_due_shortly_after_one_another_are_probed_together() {
    let mut settler = Settler::new(100);
    let together = |s: &Settler| s.next_due_together(ms(100), ms(1_000));
    assert_eq!(together(&settler), None);
    for (i, at) in [0, 60, 150, 500].into_iter().enumerate() {
        let path = format!("/r/{i}");
        settler.sighted(
            Path::new(&path),
            &stat(i as u64, 5, at),
            SETTLE,
            wall(at),
            mono(at as u64),
        );
        let expected = [2_000, 2_060, 2_150, 2_150][i];
        assert_eq!(together(&settler), Some(mono(expected)), "after {i}");
    }
    // A row that does not end is cut.
    for i in 4..40 {
        let (path, at) = (format!("/r/{i}"), 500 + i * 90);
        settler.sighted(
            Path::new(&path),
            &stat(i, 5, at as i64),
            SETTLE,
            wall(at as i64),
            mono(at),
        );
    }
    assert_eq!(settler.due(mono(2_200), 100).len(), 3);
    let cut = together(&settler).unwrap();
    assert!(cut >= mono(2_500) && cut <= mono(3_500), "{cut:?}");
}
