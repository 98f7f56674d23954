//! Backups as files: made, linked, kept, damaged, put back.
#![expect(clippy::disallowed_methods, reason = "makes and damages scratch copies of our own files")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidy_core::UnixNanos;

use super::*;
use crate::journal::{Journal, JournalOptions};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A state directory with a log of several segments, and a folder for backups.
struct Home {
    dir: tempfile::TempDir,
    _db: sled::Db,
    journal: Option<Journal>,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        let db = sled::Config::new().temporary(true).open().unwrap();
        let options = JournalOptions::new(2 << 10, tidy_core::operation::OpId(0));
        let journal = dir.path().join("state/journal");
        let (journal, _) = Journal::open(&journal, &db, options).unwrap();
        Self { dir, _db: db, journal: Some(journal) }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn backups(&self) -> PathBuf {
        self.dir.path().join("backups")
    }

    /// So many operations.
    fn work(&self, files: u64) {
        crate::journal::work(self.journal.as_ref().unwrap(), files);
    }

    fn make(&self, now: UnixNanos) -> Made {
        let state = self.state();
        make(&Sources { state: &state, config: None }, &self.backups(), now).unwrap()
    }

    fn new_backup(&self, now: UnixNanos) -> (Backup, u64) {
        match self.make(now) {
            Made::New { backup, copied } => (backup, copied),
            other => panic!("{other:?}"),
        }
    }
}

fn day(n: u32) -> UnixNanos {
    UnixNanos(1_800_000_000_000_000_000).plus(n * DAY)
}

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

#[test]
fn a_backup_is_whole_and_the_next_one_shares_what_has_not_changed() {
    let home = Home::new();
    home.work(40);
    let (first, copied) = home.new_backup(day(0));
    first.check().unwrap();
    assert_eq!(copied, first.manifest.bytes());
    assert!(first.manifest.files.len() > 2, "{first:?}");
    assert!(matches!(home.make(day(1)), Made::Unchanged(b) if b == first));

    home.work(1);
    let (second, copied) = home.new_backup(day(2));
    second.check().unwrap();
    assert!(copied < second.manifest.bytes() / 2, "{copied} of {}", second.manifest.bytes());
    let segment = |b: &Backup| fs::metadata(b.path.join(&b.manifest.files[0].path)).unwrap();
    assert_eq!(segment(&first).ino(), segment(&second).ino(), "one file under two names");
    let in_use = fs::metadata(home.state().join(&first.manifest.files[0].path)).unwrap();
    assert_ne!(in_use.ino(), segment(&first).ino(), "never that in use");
    assert_eq!(in_use.nlink(), 1);
    assert_eq!(backups(&home.backups()).unwrap(), [second, first]);
}

#[test]
fn an_earlier_backup_that_is_damaged_is_not_built_upon() {
    let home = Home::new();
    home.work(40);
    let (first, _) = home.new_backup(day(0));
    let segment = first.path.join(&first.manifest.files[0].path);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[60] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    assert!(matches!(first.check(), Err(CareError::Damaged { .. })));
    // Nothing has changed, but it is no copy.
    let (second, copied) = home.new_backup(day(1));
    second.check().unwrap();
    assert!(copied >= bytes.len() as u64);
    assert_eq!(fs::read(&segment).unwrap(), bytes, "for people to look at");
}

#[test]
fn old_ones_go_but_never_the_last_good_one_nor_what_is_not_ours() {
    let home = Home::new();
    let dir = home.backups();
    for n in 0..4 {
        home.work(3);
        home.new_backup(day(n));
    }
    let all = backups(&dir).unwrap();
    let log = all[0].manifest.journal.clone();
    // A stranger, one that somebody has renamed, one of another log, and a note in one that is to go.
    fs::create_dir(dir.join("tidyd-20200101T000000Z")).unwrap();
    fs::rename(&all[2].path, dir.join("keep this")).unwrap();
    fs::write(all[3].path.join("note"), "mine").unwrap();
    let other = dir.join("tidyd-20200102T000000Z");
    fs::create_dir(&other).unwrap();
    let mut manifest = all[3].manifest.clone();
    manifest.journal = "another".into();
    manifest.files.clear();
    fs::write(other.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();

    let gone = retain(&dir, &log, 30 * DAY, day(20)).unwrap();
    assert!(gone.removed.is_empty(), "{gone:?}");
    // The newest is damaged: the one before it is the last good one.
    fs::write(all[0].path.join(&all[0].manifest.files[0].path), "damage").unwrap();
    let gone = retain(&dir, &log, 30 * DAY, day(90)).unwrap();
    assert_eq!(gone.removed, [all[3].path.clone()], "{gone:?}");
    assert!(gone.failed.is_empty());
    let left: Vec<String> = names(&dir).into_iter().filter(|n| !n.starts_with('.')).collect();
    let name = |b: &Backup| b.path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut want = vec![
        "keep this".to_owned(),
        "tidyd-20200101T000000Z".into(),
        "tidyd-20200102T000000Z".into(),
        name(&all[1]),
        name(&all[0]),
    ];
    want.sort();
    assert_eq!(left, want);
    let note = names(&dir).into_iter().find(|n| n.starts_with('.')).unwrap();
    assert_eq!(fs::read(dir.join(note).join("note")).unwrap(), b"mine", "not ours to remove");
}

#[test]
fn what_is_no_backup_is_said_to_be_none() {
    let home = Home::new();
    home.work(1);
    let (backup, _) = home.new_backup(day(0));
    let manifest = backup.path.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let open = |text: &str| {
        fs::write(&manifest, text).unwrap();
        Backup::open(&backup.path)
    };
    assert!(matches!(open(""), Err(CareError::NotABackup { .. })));
    assert!(matches!(open(&text[..text.len() / 2]), Err(CareError::NotABackup { .. })));
    for path in ["../../etc/passwd", "/etc/passwd", "journal/../x", "state/lock", "x"] {
        let bad = text.replacen("journal/0000000000000001.log", path, 1);
        assert!(matches!(open(&bad), Err(CareError::NotABackup { .. })), "{path}");
    }
    let newer = text.replace("\"format\": 1", "\"format\": 2").replace("0.1.0", "9.9.9");
    let said = open(&newer).unwrap_err().to_string();
    assert!(said.contains("9.9.9") && said.contains("newer"), "{said}");
    assert!(open(&text).unwrap().check().is_ok());
    assert!(Backup::open(&home.state()).is_err());
    // Nobody waits for what never comes.
    let stranger = home.backups().join("tidyd-20300101T000000Z");
    fs::create_dir(&stranger).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let fifo = stranger.join("manifest.json");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(Backup::open(&stranger).is_err());
    assert_eq!(backups(&home.backups()).unwrap().len(), 1);
}

/// A manifest as format 1 writes it.
#[test]
fn format_1_stays_readable() {
    let text = r#"{"format":1,"tidyd":"0.1.0","made_ns":5,"journal":"00000000000000ff","last_operation":7,
        "last_ns":4,"config":"/home/a/.config/tidyd/config.toml",
        "files":[{"path":"journal/0000000000000001.log","bytes":9,"blake3":"ab"}]}"#;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("manifest.json"), text).unwrap();
    let read = Backup::open(dir.path()).unwrap().manifest;
    assert_eq!((read.last_operation, read.bytes(), read.made()), (7, 9, UnixNanos(5)));
    let again: serde_json::Value = serde_json::to_value(&read).unwrap();
    assert_eq!(again, serde_json::from_str::<serde_json::Value>(text).unwrap());
}

#[test]
fn a_restore_keeps_what_was_there_and_goes_on_above_it() {
    let mut home = Home::new();
    home.work(5);
    let (backup, _) = home.new_backup(day(0));
    home.work(3);
    home.journal = None;
    let state = home.state();
    let before = crate::journal::look(&state.join("journal")).unwrap();
    let (last, next) = (before.last.unwrap().0, before.next.unwrap());

    let done = restore(&state, backup.clone(), day(1)).unwrap();
    let Forgotten::Operations { count, last: forgotten, .. } = done.forgotten else {
        panic!("{done:?}")
    };
    assert_eq!((count, forgotten), (3, last));
    let after = crate::journal::look(&state.join("journal")).unwrap();
    assert_eq!(after.last.unwrap().0.0, backup.manifest.last_operation);
    assert!(after.next.unwrap() >= next, "no number is used twice");
    let kept = crate::journal::look(&done.aside.unwrap().join("journal")).unwrap();
    assert_eq!(kept.last.unwrap().0, last);
    assert!(!names(&state).iter().any(|n| n.starts_with("restore.")));
    // At once again: what was there is kept apart.
    let again = restore(&state, backup.clone(), day(1)).unwrap();
    assert!(again.aside.unwrap().join("journal").exists());
    assert_eq!(names(&state).iter().filter(|n| n.starts_with("before-restore-")).count(), 2);

    // Where nothing tells what came after it, numbers are far above.
    fs::remove_dir_all(state.join("journal")).unwrap();
    let done = restore(&state, backup, day(2)).unwrap();
    assert_eq!(done.forgotten, Forgotten::Unknown);
    let far = crate::journal::look(&state.join("journal")).unwrap();
    assert!(far.next.unwrap().0 > 1_000_000);
}

#[test]
fn a_log_that_is_shortened_meanwhile_is_copied_as_it_is_then() {
    let home = Home::new();
    home.work(40);
    let journal = home.state().join("journal");
    let first = journal.join("0000000000000001.log");
    let mut attempts = 0;
    let made = super::snapshot::retried(&journal, || {
        attempts += 1;
        if attempts == 1 {
            // It was listed, and has gone.
            fs::remove_file(&first).unwrap();
            super::files::digest(&first, 1)?;
        }
        Ok(home.new_backup(day(1)).0)
    });
    made.unwrap().check().unwrap();
    assert_eq!(attempts, 2);

    // What is never there is an error, and so is anything that is no part of the log.
    for (missing, tried) in [(first, 5), (home.state().join("folders"), 1)] {
        let mut attempts = 0;
        let made = super::snapshot::retried(&journal, || {
            attempts += 1;
            super::files::digest(&missing, 1)
        });
        assert!(matches!(made, Err(CareError::Io { .. })));
        assert_eq!(attempts, tried, "{missing:?}");
    }
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let mut home = Home::new();
    home.work(5);
    let (backup, _) = home.new_backup(day(0));
    home.journal = None;
    let before = crate::journal::look(&home.state().join("journal")).unwrap().last;
    fs::write(backup.path.join(&backup.manifest.files[0].path), "damage").unwrap();
    let names_before = names(&home.state());
    assert!(matches!(restore(&home.state(), backup, day(1)), Err(CareError::Damaged { .. })));
    assert_eq!(names(&home.state()), names_before);
    assert_eq!(crate::journal::look(&home.state().join("journal")).unwrap().last, before);
}
