//! Group commit, failing disks, rolling segments.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicUsize;

use tidy_core::operation::OpState;

use super::super::disk::{Disk, RealDisk};
use super::super::replay;
use super::*;

/// A disk that knows what a power cut would leave, and fails when told.
#[derive(Debug, Default)]
struct TestDisk {
    /// Length of each file, by inode, that a sync has covered.
    durable: Mutex<HashMap<u64, u64>>,
    syncs: AtomicUsize,
    /// Calls from now on until one fails; below zero: never.
    fail_append: AtomicI64,
    fail_sync: AtomicI64,
}

fn due(counter: &AtomicI64) -> bool {
    counter.fetch_sub(1, Ordering::SeqCst) == 1
}

impl Disk for TestDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        RealDisk.create(path)
    }

    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        if due(&self.fail_append) {
            // As a full disk does it: a part is written.
            RealDisk.append(file, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.append(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        // What has been written when the sync begins is what it covers.
        let stat = rustix::fs::fstat(file.as_fd())?;
        if due(&self.fail_sync) {
            return Err(io::Error::other("EIO"));
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        RealDisk.sync(file)?;
        lock(&self.durable).insert(stat.st_ino, stat.st_size as u64);
        Ok(())
    }
}

impl TestDisk {
    /// The log as it is after a power cut, in a new directory.
    fn cut_power(&self, dir: &Path) -> tempfile::TempDir {
        use std::os::unix::fs::MetadataExt;
        let copy = tempfile::tempdir().unwrap();
        for number in segment::list(dir).unwrap() {
            let from = segment::path(dir, number);
            let ino = std::fs::metadata(&from).unwrap().ino();
            let durable = lock(&self.durable).get(&ino).copied().unwrap_or(0) as usize;
            let bytes = std::fs::read(&from).unwrap();
            std::fs::write(segment::path(copy.path(), number), &bytes[..durable]).unwrap();
        }
        copy
    }
}

fn home_on(disk: &Arc<TestDisk>) -> Home {
    let mut home = Home::new();
    home.options.disk = disk.clone();
    home
}

#[test]
fn each_intent_is_durable_before_its_file_is_touched_and_syncs_are_shared() {
    struct Checking<'a> {
        disk: &'a TestDisk,
        dir: PathBuf,
        checked: AtomicUsize,
    }
    impl Hands for Checking<'_> {
        type Unsynced = ();
        fn perform(
            &self,
            op: &Operation,
            (): &mut (),
            _: Verify<'_>,
        ) -> Result<Performed, Refused> {
            // Reading the log back each time would make the test quadratic; the first of each
            // thread's batches tells the same.
            if op.id.0.is_multiple_of(7) {
                let left = self.disk.cut_power(&self.dir);
                let found = replay::replay(left.path()).unwrap();
                assert_eq!(found.open.get(&op.id).map(|o| &o.step), Some(&op.step));
                self.checked.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Performed { landed: None, digest: None })
        }
        fn unsynced(&self) {}
        fn recover(&self, _: &Operation, (): &mut ()) -> Result<Recovered, String> {
            unreachable!("nothing is left open")
        }
        fn sync(&self, (): &mut ()) -> Result<(), String> {
            Ok(())
        }
    }
    let disk = Arc::new(TestDisk::default());
    let home = home_on(&disk);
    let (journal, _) = home.open();
    let hands = Checking { disk: &disk, dir: home.path(), checked: AtomicUsize::new(0) };
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (journal, hands) = (&journal, &hands);
            scope.spawn(move || {
                for n in 0..20 {
                    let (_, plan) = moves(worker * 100 + n..worker * 100 + n + 1);
                    let ops = journal.run_with(hands, None, &plan, &quiet).unwrap();
                    assert_eq!(ops[0].state, OpState::Done);
                }
            });
        }
    });
    assert!(hands.checked.load(Ordering::Relaxed) > 10);
    let ops = all(&journal);
    assert_eq!(ops.len(), 160);
    assert!(disk.syncs.load(Ordering::SeqCst) <= 162, "never more than one sync per intent");

    journal.sync().unwrap();
    let left = disk.cut_power(&home.path());
    assert!(replay::replay(left.path()).unwrap().open.is_empty(), "`done` is durable after a sync");
}

#[test]
fn what_many_ask_for_at_once_shares_one_sync() {
    /// Holds the first sync up until all requests are queued.
    #[derive(Debug)]
    struct Gate(TestDisk, std::sync::Barrier, AtomicUsize);
    impl Disk for Gate {
        fn create(&self, path: &Path) -> io::Result<File> {
            self.0.create(path)
        }
        fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
            self.0.append(file, bytes)
        }
        fn sync(&self, file: &File) -> io::Result<()> {
            if self.2.fetch_add(1, Ordering::SeqCst) == 1 {
                self.1.wait();
            }
            self.0.sync(file)
        }
    }
    let gate = Arc::new(Gate(TestDisk::default(), std::sync::Barrier::new(2), AtomicUsize::new(0)));
    let mut home = Home::new();
    home.options.disk = gate.clone();
    let (journal, _) = home.open();
    let writer = &journal.0.writer;
    let intent = |n: u64| {
        let mut frames = writer::Frames::default();
        let op = Operation {
            id: op(n),
            batch: tidy_core::operation::BatchId(n),
            trigger: Trigger::Once,
            time: UnixNanos(n as i64),
            step: move_step("a", "b", n),
            state: tidy_core::operation::OpState::Intended,
            landed: None,
            error: None,
        };
        frames.intent(&op).unwrap();
        frames
    };
    std::thread::scope(|scope| {
        scope.spawn(|| writer.append(intent(1)).unwrap());
        // The first one is in its sync; these queue up behind it.
        while gate.2.load(Ordering::SeqCst) < 2 {
            std::thread::yield_now();
        }
        // Nobody waits for these, so one thread can queue several.
        for n in 2..30 {
            writer.append_lazy(intent(n)).unwrap();
        }
        scope.spawn(|| gate.1.wait());
        writer.append(intent(30)).unwrap();
    });
    assert_eq!(gate.2.load(Ordering::SeqCst), 3, "the segment, the first, and all the others");
    let left = gate.0.cut_power(&home.path());
    assert_eq!(replay::replay(left.path()).unwrap().open.len(), 30);
}

/// Runs three plans while the disk fails once at the given call, then looks at what is left.
fn fail_once(append: i64, sync: i64) {
    let disk = Arc::new(TestDisk::default());
    let home = home_on(&disk);
    let (journal, _) = home.open();
    disk.fail_append.store(append, Ordering::SeqCst);
    disk.fail_sync.store(sync, Ordering::SeqCst);
    let (mut done, mut refused) = (Vec::new(), 0);
    for n in 0..6 {
        let (hands, plan) = moves(n * 10..n * 10 + 3);
        match journal.run_with(&hands, None, &plan, &quiet) {
            Ok(ops) => {
                assert!(ops.iter().all(|op| op.state == OpState::Done));
                done.extend(ops);
            }
            Err(e) => {
                assert_eq!(e.is_no_space(), append > 0, "{e}");
                assert!(lock(&hands.files).keys().all(|p| p.starts_with("/home/u/in")));
                assert!(journal.trouble().is_some());
                refused += 1;
            }
        }
    }
    assert!(refused <= 1, "the next plan goes to a new segment");
    assert_eq!(journal.open_count(), 0);
    let said = all(&journal);
    assert_eq!(said, done);
    drop(journal);

    let left = disk.cut_power(&home.path());
    let db = sled::Config::new().temporary(true).open().unwrap();
    let (journal, report) = Journal::open(left.path(), &db, home.options.clone()).unwrap();
    assert_eq!((report.open, report.cut), (0, None), "what was refused is not left open");
    let kept: Vec<_> =
        all(&journal).into_iter().filter(|op| op.state != OpState::Aborted).collect();
    assert_eq!(kept, done, "and what was done is done after a power cut");
    assert_eq!(journal.verify().unwrap().damage, []);
}

#[test]
fn a_disk_that_fails_once_loses_nothing_that_was_acknowledged() {
    for nth in 1..=14 {
        fail_once(nth, 0);
        fail_once(0, nth);
    }
}

#[test]
fn while_the_disk_is_full_everything_is_refused_and_then_it_goes_on() {
    #[derive(Debug)]
    struct Full(RealDisk, std::sync::atomic::AtomicBool);
    impl Disk for Full {
        fn create(&self, path: &Path) -> io::Result<File> {
            if self.1.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.create(path)
        }
        fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
            if self.1.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.append(file, bytes)
        }
        fn sync(&self, file: &File) -> io::Result<()> {
            self.0.sync(file)
        }
    }
    let disk = Arc::new(Full(RealDisk, false.into()));
    let mut home = Home::new();
    home.options.disk = disk.clone();
    let (journal, _) = home.open();
    let (hands, plan) = moves(0..2);
    let before = journal.run_with(&hands, None, &plan, &quiet).unwrap();
    disk.1.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        let (hands, plan) = moves(5..7);
        let error = journal.run_with(&hands, None, &plan, &quiet).unwrap_err();
        assert!(error.is_no_space(), "{error}");
    }
    assert!(journal.verify().unwrap_err().is_no_space());
    disk.1.store(false, Ordering::SeqCst);
    let (hands, plan) = moves(10..12);
    let after = journal.run_with(&hands, None, &plan, &quiet).unwrap();
    assert!(journal.trouble().is_none());
    drop(journal);
    let (journal, report) = home.open();
    assert_eq!((report.open, report.damage.len()), (0, 0));
    let done = journal.select(&Selector::Last(9), Direction::Back).unwrap().ops;
    assert_eq!(done.len(), before.len() + after.len());
}

#[test]
fn segments_roll_and_a_start_reads_the_last_one_only() {
    let mut home = Home::new();
    home.options.segment_bytes = 4 << 10;
    let (journal, _) = home.open();
    let mut done = Vec::new();
    for n in 0..30 {
        let (hands, plan) = moves(n * 10..n * 10 + 4);
        done.extend(journal.run_with(&hands, None, &plan, &quiet).unwrap());
    }
    // Left open in a segment that will not be the last.
    let (mut hands, plan) = moves(900..902);
    hands.sync_fails = true;
    journal.run_with(&hands, None, &plan, &quiet).unwrap_err();
    for n in 40..60 {
        let (hands, plan) = moves(n * 10..n * 10 + 4);
        done.extend(journal.run_with(&hands, None, &plan, &quiet).unwrap());
    }
    let counters = journal.counters();
    assert_eq!((counters.done, counters.open, counters.rules["photos"].hits), (200, 2, 200));
    drop(journal);

    let (journal, report) = home.open();
    assert!(report.segments > 5 && report.records < 60, "{report:?}");
    assert_eq!(report.open, 2);
    assert!(matches!(report.projection, ProjectionStart::CaughtUp(_)), "{report:?}");
    assert_eq!(journal.counters(), counters, "carried from segment to segment");
    hands.sync_fails = false;
    let settled = journal.recover_with(&hands).unwrap();
    assert_eq!(settled.done.len(), 2);
    done.extend(settled.done);
    done.sort_by_key(|op| op.id);
    assert_eq!(all(&journal), done);
}

#[test]
fn a_log_that_was_removed_is_not_written_to_and_nothing_is_touched() {
    let home = Home::new();
    let (journal, _) = home.open();
    // How a file's move ended, and whether the file has moved.
    let run = |n: u64| {
        let (hands, plan) = moves(n..n + 1);
        let ended = match journal.run_with(&hands, None, &plan, &quiet) {
            Ok(ops) => Some(ops[0].state),
            Err(JournalError::NotWritten(_)) => None,
            Err(other) => panic!("{other}"),
        };
        let moved = lock(&hands.files).keys().any(|path| path.ends_with(format!("d/f{n}")));
        (ended, moved)
    };
    let done = (Some(OpState::Done), true);
    assert_eq!(run(0), done);
    let aside = home.path().with_extension("aside");
    std::fs::rename(home.path(), &aside).unwrap();
    assert_eq!(run(1), done, "under another name it is on the disk all the same");
    std::fs::rename(&aside, home.path()).unwrap();

    std::fs::remove_dir_all(home.path()).unwrap();
    assert_eq!(run(2), (None, false));
    assert!(journal.trouble().is_some());

    std::fs::create_dir(home.path()).unwrap();
    assert_eq!(run(3), done, "there is room for another one");
    assert!(journal.trouble().is_none());
    let last = segment::list(&home.path()).unwrap().last().copied().unwrap();
    std::fs::remove_file(segment::path(&home.path(), last)).unwrap();
    assert_eq!(run(4), done, "in a file that is there");
    journal.sync().unwrap();
    assert!(replay::replay(&home.path()).unwrap().open.is_empty());
    assert_eq!(segment::list(&home.path()).unwrap(), [last + 1]);
}
