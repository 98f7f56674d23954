//! What the journal knows and the catalog does not, and batches beside each other.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, UNIX_EPOCH};

use tidy_core::facts::{Digest, Identity};
use tidy_core::operation::OpState;
use tidy_core::plan::Planned;
use tidy_core::rules::LeaveReason;

use super::{Ground, MODE, PLAIN};
use crate::act::testing;
use crate::beneath;
use crate::catalog::{Change, Entry, Learnt, Outcome, OutcomeKind};
use crate::filing::{Progress, Watcher};
use crate::habits::Habits;

/// As after a kill between the journal's last record and the catalog's page.
fn forget_outcome(ground: &Ground, rel: &str) {
    let entry = ground.entry(rel).unwrap();
    let entry = Entry { outcome: Outcome::Known, category: None, ..entry };
    let dir = ground.path(rel).parent().unwrap().to_owned();
    ground.catalog().update(&dir, vec![Change::Put(entry)]).unwrap();
}

/// Into folders whose names the rules do not fix: what is in the others is known by its place.
const BY_NAME: &str = r#"watch = ["@/in"]
    [[rule]]
    name = "by name"
    when = { ext = "pdf" }
    move = "{ext}/""#;

#[test]
fn what_the_journal_knows_as_filed_the_catalog_learns_at_the_next_look() {
    let ground = Ground::new(BY_NAME);
    ground.put("in/a.pdf", "%PDF-1.4 a");
    ground.tidy();
    let filed = ground.entry("in/pdf/a.pdf").unwrap();
    forget_outcome(&ground, "in/pdf/a.pdf");
    let again = ground.tidy();
    assert!(again.operations.is_empty() && again.left.is_empty(), "{again:#?}");
    let learnt = ground.entry("in/pdf/a.pdf").unwrap();
    assert_eq!(learnt.outcome, filed.outcome);
    assert_eq!(learnt.category.unwrap().as_str(), "document");
    assert!(ground.candidates().is_empty(), "it is not asked about again");
}

/// Moves files by hand, and these looks at folders are what is remembered of it.
struct Person<'a> {
    ground: &'a Ground,
    habits: Habits,
}

impl<'a> Person<'a> {
    fn with(ground: &'a Ground) -> Self {
        let db = sled::Config::new().temporary(true).open().unwrap();
        Self { ground, habits: Habits::open(&db, ground.filing.journal().clone()) }
    }

    fn downloads(&self, rel: &str) -> (PathBuf, Identity) {
        let path = self.ground.put(rel, "%PDF-1.4 a");
        let id = beneath::lstat_path(&path).unwrap().id;
        (path, id)
    }

    fn looked(&self, dir: &str, gone: &[Entry], new: &[(PathBuf, Identity)]) {
        let dir = self.ground.path(dir);
        self.habits.looked(&dir, gone.iter(), new.iter().cloned(), self.ground.now);
    }
}

/// The look at the folder that we took it from may come last.
#[test]
fn what_a_person_takes_on_at_once_has_not_gone_where_it_came_from() {
    let ground = Ground::new(BY_NAME);
    let person = Person::with(&ground);
    let (came, id) = person.downloads("in/a.pdf");
    person.looked("in", &[], &[(came, id)]);
    ground.tidy();
    let filed = ground.path("in/pdf/a.pdf");
    person.looked("in/pdf", &[ground.entry("in/pdf/a.pdf").unwrap()], &[]);
    let there = ground.path("kept/a.pdf");
    person.looked("kept", &[], &[(there.clone(), id)]);
    assert_eq!(person.habits.placed(&there, id), Some(filed));
}

/// The look at the folder that we put it into found it entered already.
#[test]
fn what_a_person_takes_on_was_last_where_we_have_put_it() {
    let ground = Ground::new(BY_NAME);
    let person = Person::with(&ground);
    let (_, id) = person.downloads("in/a.pdf");
    ground.candidates();
    let waiting = ground.entry("in/a.pdf").unwrap();
    assert_eq!(waiting.outcome, Outcome::Known);
    ground.tidy();
    person.looked("in", &[waiting], &[]);
    let there = ground.path("in/kept/a.pdf");
    person.looked("in/kept", &[], &[(there.clone(), id)]);
    assert_eq!(person.habits.placed(&there, id), Some(ground.path("in/pdf/a.pdf")));
}

#[test]
fn what_had_happened_when_the_journal_failed_is_entered() {
    let ground = Ground::new(BY_NAME);
    for name in ["in/a.pdf", "in/b.pdf"] {
        ground.put(name, format!("%PDF-1.4 {name}"));
    }
    let candidates = ground.candidates();
    let gone = ground.path("in/b.pdf");
    // The first is moved and its directories cannot be synced; the second goes before its turn.
    let hook = move |point: &str| match point {
        "move.before-rename" => drop(fs::remove_file(&gone)),
        "sync.before" => testing::set_broken(true),
        _ => {}
    };
    let error = testing::at_points(hook, || {
        let watcher = Watcher { progress: &|_| {}, stop: &AtomicBool::new(false) };
        ground.filing.run(&ground.setup, candidates, MODE, ground.now, watcher).unwrap_err()
    });
    testing::set_broken(false);
    assert_eq!(ground.outcome("in/b.pdf"), None, "{error}");
    assert_eq!(ground.outcome("in/a.pdf"), Some(OutcomeKind::Known), "nobody can tell yet");

    ground.filing.journal().recover().unwrap();
    ground.tidy();
    assert_eq!(ground.outcome("in/pdf/a.pdf"), Some(OutcomeKind::Filed));
    ground.check();
}

#[test]
fn a_copy_waits_while_another_batch_has_its_keeper() {
    let ground = Ground::new(PLAIN);
    let keeper = ground.put("in/trip/x.pdf", "%PDF-1.4 x");
    ground.put("in/x.pdf", "%PDF-1.4 x");
    let older = UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    fs::File::options().write(true).open(&keeper).unwrap().set_modified(older).unwrap();
    let all = ground.candidates();
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| c.path() == keeper);
    // In the midst of the first batch, before it has moved anything.
    let beside = std::sync::Mutex::new(None);
    ground.run_watched(first, MODE, &|p| {
        if matches!(p, Progress::Done(0)) {
            *beside.lock().unwrap() = Some(ground.run(second.clone()));
        }
    });
    let beside = beside.into_inner().unwrap().unwrap();
    assert!(beside.operations.is_empty(), "{beside:#?}");
    assert_eq!(beside.again, [ground.path("in/x.pdf")]);

    let then = ground.tidy();
    assert!(then.operations.iter().all(|op| op.state == OpState::Done), "{then:#?}");
    assert_eq!(ground.names("in"), ["in/Documents/x.pdf", "in/Duplicates/x.pdf"]);
    ground.check();
}

/// Two copies that arrive in two batches at once: what the second one has read of the first one's file is true of it
/// wherever it goes in the meantime, and `duplicates` tells of both.
#[test]
fn what_another_batch_has_read_of_a_file_goes_along_with_it() {
    let head = Some([7; 16]);
    let digest = Some(Digest([7; 32]));
    let config =
        format!("{BY_NAME}\n[[rule]]\nname = \"odd\"\nwhen = {{ ext = \"odd\" }}\nleave = true");
    for (file, to) in [("in/a.pdf", "in/pdf/a.pdf"), ("in/b.odd", "in/b.odd")] {
        let ground = Ground::new(&config);
        let from = ground.put(file, "%PDF-1.4 a");
        let candidates = ground.candidates();
        let id = candidates[0].stat.id;
        // In the midst of the batch that files it, when that has looked what is known of it.
        ground.run_watched(candidates, MODE, &|p| {
            if matches!(p, Progress::Operation(_) | Progress::Left(_)) {
                assert!(ground.catalog().set_digest(&from, id, head, digest).unwrap());
            }
        });
        let entry = ground.entry(to).unwrap();
        assert_eq!((entry.head, entry.digest), (head, digest), "{file}");
        ground.check();
    }
}

/// The other way round: it was moved before the second batch could tell what it has read.
#[test]
fn what_was_read_of_a_file_is_kept_where_it_is_by_then() {
    let ground = Ground::new(BY_NAME);
    ground.put("in/a.pdf", "%PDF-1.4 the same");
    ground.tidy();
    let filed = ground.entry("in/pdf/a.pdf").unwrap();
    assert_eq!(filed.digest, None, "nothing has its size yet");
    if filed.id.birth.is_none() {
        eprintln!("skipped, because this file system tells no times of birth");
        return;
    }
    let before = ground.path("in/before");
    let learnt = Learnt { name: "a.pdf".into(), id: filed.id, head: Some([7; 16]), digest: None };
    assert_eq!(ground.catalog().learn(&before, std::slice::from_ref(&learnt)).unwrap(), [&learnt]);
    let keep = |learnt| ground.filing.keep_learnt(&[(before.clone(), vec![learnt])].into());
    keep(learnt.clone()).unwrap();
    assert_eq!(ground.entry("in/pdf/a.pdf").unwrap().head, Some([7; 16]));
    // Another file with its size learns nothing from that.
    let other = Learnt {
        id: Identity { ino: filed.id.ino + 1, ..filed.id },
        head: Some([8; 16]),
        ..learnt
    };
    keep(other).unwrap();
    assert_eq!(ground.entry("in/pdf/a.pdf").unwrap().head, Some([7; 16]));
}

#[test]
fn what_was_filed_is_explained_as_it_is_treated() {
    let ground = Ground::new(
        r#"watch = ["@/in"]
           [[rule]]
           name = "new names"
           when = { ext = "pdf" }
           rename = "new {stem}.{ext}""#,
    );
    ground.put("in/a.pdf", "%PDF-1.4 a");
    ground.tidy();
    forget_outcome(&ground, "in/new a.pdf");
    let told = ground.filing.explain(&ground.setup, &ground.path("in/new a.pdf"), None, ground.now);
    let planned = told.planned.as_ref();
    assert!(matches!(planned, Some(Planned::Left(LeaveReason::InPlace, _))), "{told:#?}");
    ground.tidy();
    assert_eq!(ground.names("in"), ["in/new a.pdf"]);
}
