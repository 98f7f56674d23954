//! The journal outlives the store, and damage of either is survived and told: the service starts, says what it found,
//! keeps the damaged thing aside, answers as before as far as what is readable goes, and changes no file by it.
//!
//! Random damage comes from a seed, which is printed (`TIDY_TEST_SEED=new` for another); `TIDYD_TEST_DAMAGE=n` makes n times as
//! much of it.
#![expect(clippy::disallowed_methods, reason = "damages scratch copies of tidyd's own files")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidy_tests::files::{self, Sample};

use tidy_tests::{Daemon, Random, Snapshot, World, assert_same, eventually};

const MORE: &str = "TIDYD_TEST_DAMAGE";

/// Random places damaged in a normal run.
const FLIPS: u64 = 24;

/// How many random damages to make.
fn many() -> u64 {
    let more = std::env::var(MORE).map_or(1, |n| n.parse().expect("a number"));
    FLIPS * more
}

fn below(random: &mut Random, end: usize) -> usize {
    usize::try_from(random.below(end as u64)).expect("below a usize")
}

/// A home in which something has been done, the state that was left of it, and what it answered.
struct Story {
    world: World,
    /// A copy of the state directory, as the service left it.
    state: PathBuf,
    /// The same from an earlier time.
    earlier: PathBuf,
    files: Snapshot,
    /// How many files arrived.
    arrived: usize,
    log: Vec<Value>,
}

impl Story {
    /// Files moved, copies put aside, junk in the trash, something rolled back; then the service ends: by
    /// itself, or killed.
    fn tell(kill: bool) -> Self {
        let world = World::new();
        world.configure(
            "watch = [\"~/Downloads\"]\nsettle = \"50ms\"\njournal = { at_most = \"64 kB\" }\n\
             [[rule]]\nname = \"junk\"\nwhen = { name = \"junk*\" }\ntrash = true\n",
        );
        let daemon = world.start();
        for round in 0..4 {
            for n in 0..6_u32 {
                let sample = Sample::ALL[n as usize];
                let name = format!("Downloads/r{round}-{n}.{}", sample.extension());
                world.write(name, sample.content(round * 100 + n));
            }
            world.write(format!("Downloads/copy{round}.pdf"), Sample::Pdf.content(round * 100 + 2));
            world.write(format!("Downloads/junk{round}.txt"), format!("junk {round}"));
            world.wait();
            if round == 1 {
                world.ctl(["rollback", "--last", "--yes"]).ok();
                world.wait();
            }
        }
        let earlier = world.home().join(".cache/earlier");
        let state = world.home().join(".cache/state");
        files::copy_into(&world.state(), &earlier);
        // Until a segment has begun, and something in it.
        let segments = || list(&world.state().join("journal")).len();
        let before = segments();
        let mut more = 0;
        let mut one_more = || {
            world.write(format!("Downloads/more{more}.pdf"), Sample::Pdf.content(900 + more));
            world.wait();
            more += 1;
        };
        while segments() == before {
            one_more();
        }
        one_more();
        let log = world.log(&[]);
        assert!(log.len() > 20, "{log:#?}");
        if kill {
            daemon.kill()
        } else {
            assert_eq!(daemon.stop(), 0)
        }
        files::copy_into(&world.state(), &state);
        let files = files_of(&world);
        let arrived = 4 * 8 + more as usize;
        Self { world, state, earlier, files, arrived, log }
    }

    fn store(&self) -> PathBuf {
        self.world.state().join("store")
    }

    fn journal(&self) -> PathBuf {
        self.world.state().join("journal")
    }

    /// The segments, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let mut found = list(&self.journal());
        found.retain(|p| p.extension().is_some_and(|e| e == "log"));
        found
    }

    /// Puts the state back as it was left.
    fn restore(&self) {
        remove(&self.world.state());
        files::copy_into(&self.state, &self.world.state());
    }

    /// Starts the service on what `damage` left, and checks that no file is touched by it.
    #[track_caller]
    fn start(&self, what: &str, damage: impl FnOnce(&Self)) -> Daemon {
        eprintln!("- {what}");
        self.restore();
        damage(self);
        let daemon = self.world.start();
        self.world.wait();
        assert_same(&self.files, &files_of(&self.world));
        daemon
    }

    /// Damage of the store only: nothing at all is lost.
    #[track_caller]
    fn nothing_is_lost(&self, what: &str, damage: impl FnOnce(&Self)) -> String {
        let daemon = self.start(what, damage);
        self.answers_as_before();
        assert_eq!(self.world.ctl(["health"]).code, 0);
        let said = self.warnings();
        daemon.kill();
        said
    }

    #[track_caller]
    fn answers_as_before(&self) {
        let log = self.world.log(&[]);
        assert_eq!(log.len(), self.log.len());
        for (now, then) in log.iter().zip(&self.log) {
            assert_eq!(now, then);
        }
        for op in [&self.log[0], &self.log[self.log.len() / 2]] {
            let mut shown = self.world.ctl_json(["show", &op["id"].to_string()]);
            // What the rules said of the file stands in no list.
            shown["operations"][0].as_object_mut().expect("an operation").remove("considered");
            assert_eq!(shown["operations"][0], *op, "{shown:#}");
        }
        // What was rolled back stays.
        let back = self.world.downloads().join("r1-2.pdf");
        let explained = self.world.ctl_json_at(&["explain"], &back);
        assert!(explained.to_string().contains("rolled-back"), "{explained:#}");
    }

    /// What `status` tells people.
    fn warnings(&self) -> String {
        self.world.ctl_json(["status"])["warnings"].to_string()
    }

    /// Everything can be put back and redone.
    #[track_caller]
    fn all_can_be_put_back(&self) {
        self.world.ctl(["rollback", "--since", "1d", "--yes"]).ok();
        let loose = list(&self.world.downloads()).into_iter().filter(|p| p.is_file()).count();
        assert_eq!(loose, self.arrived, "all are back where they arrived");
        self.world.ctl(["redo", "--yes"]).ok();
        assert_same(&self.files, &files_of(&self.world));
    }
}

/// The home without the notes of the trash, whose times say when something was put there.
fn files_of(world: &World) -> Snapshot {
    let mut tree = world.snapshot();
    tree.entries.retain(|path, _| !path.starts_with(".local/share/Trash/info"));
    tree
}

/// The entries of a directory, sorted.
fn list(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn truncate(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    list(dir).into_iter().flat_map(|p| if p.is_dir() { files_below(&p) } else { vec![p] }).collect()
}

#[test]
fn whatever_becomes_of_the_store_nothing_is_lost() {
    for kill in [false, true] {
        let story = Story::tell(kill);
        let daemon = story.start("deleted", |s| remove(&s.store()));
        story.answers_as_before();
        story.all_can_be_put_back();
        daemon.kill();

        for file in files_below(&story.store()) {
            let name = file.strip_prefix(story.store()).unwrap().to_owned();
            let length = fs::metadata(story.state.join("store").join(&name)).unwrap().len();
            for to in [0, length / 2, length.saturating_sub(1)] {
                story.nothing_is_lost(&format!("{} cut to {to}", name.display()), |s| {
                    truncate(&s.store().join(&name), to);
                });
            }
            story.nothing_is_lost(&format!("{} deleted", name.display()), |s| {
                remove(&s.store().join(&name));
            });
        }
    }
}

#[test]
fn wherever_the_store_is_damaged_nothing_is_lost() {
    let mut random = Random::new();
    let story = Story::tell(true);
    let whole = fs::read(story.state.join("store/db")).unwrap();
    // Most of a small store is empty space.
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for n in 0..many() {
        let at = used[below(&mut random, used.len())];
        let length = if n % 3 == 0 { 1 } else { 1 + below(&mut random, 2_000) };
        let end = whole.len().min(at + length);
        let mut bytes = whole.clone();
        bytes[at..end].fill_with(|| if n % 2 == 0 { 0 } else { below(&mut random, 256) as u8 });
        bytes[at] = !whole[at];
        story.nothing_is_lost(&format!("store/db damaged from {at} to {end}"), |s| {
            fs::write(s.store().join("db"), &bytes).unwrap();
        });
    }
}

/// What comes of damage of the journal: a start that changes no file, and something to be told.
struct After {
    daemon: Daemon,
    warnings: String,
    log: Vec<Value>,
}

impl Story {
    /// Damages the journal while the index stays, or (`alone`) goes too.
    #[track_caller]
    fn damaged_journal(&self, what: &str, alone: bool, damage: impl FnOnce(&Self)) -> After {
        let what = format!("{what}{}", if alone { ", and the store deleted" } else { "" });
        let daemon = self.start(&what, |s| {
            if alone {
                remove(&s.store());
            }
            damage(s);
        });
        let (warnings, log) = (self.warnings(), self.world.log(&[]));
        eprintln!("  {warnings}");
        for op in &log {
            let then = self.log.iter().find(|o| o["id"] == op["id"]).expect("nothing is invented");
            for key in ["kind", "src", "dst", "rule", "time", "batch"] {
                assert_eq!(op[key], then[key], "{op:#}");
            }
            assert!(op["state"] == then["state"] || op["state"] == "unknown", "{op:#}");
        }
        After { daemon, warnings, log }
    }

    /// The numbers that are not in use any more are not used again, and what is on record can be put back: each file
    /// to where it came from, or not at all.
    #[track_caller]
    fn undo_is_right(&self, after: After) {
        let newest = self.log[0]["id"].as_u64().expect("a number");
        let undone = self.world.ctl(["rollback", "--since", "1d", "--yes", "--json"]);
        assert!([0, 3].contains(&undone.code), "{undone:?}");
        let now = files_of(&self.world);
        assert_eq!(self.files.lost_by(&now), Vec::<PathBuf>::new());
        assert_eq!(now.lost_by(&self.files), Vec::<PathBuf>::new());
        for (path, entry) in &now.entries {
            let same = self.files.entries.get(path).is_some_and(|e| e == entry);
            let came_from = self.log.iter().any(|op| {
                op["src"].as_str().is_some_and(|src| self.world.home().join(path) == Path::new(src))
            });
            assert!(same || came_from || path.is_dir(), "{path:?}");
        }
        let new = self.world.log(&[]);
        assert!(
            new.iter().all(|op| after.log.contains(op)
                || op["id"].as_u64() > Some(newest)
                || op["undone_by"].is_number()),
            "{new:#?}"
        );
        assert!(new[0]["id"].as_u64() > Some(newest));
        self.world.ctl(["redo", "--yes"]).ok();
        assert_same(&self.files, &files_of(&self.world));
        after.daemon.kill();
    }
}

#[test]
fn whatever_becomes_of_the_journal_it_is_told_and_nothing_wrong_is_undone() {
    // Not killed: then the index has all that the journal has.
    let story = Story::tell(false);
    story.restore();
    let segments = story.segments();
    assert!(segments.len() > 3, "{segments:?}");
    let [first, middle, last] =
        [0, segments.len() / 2, segments.len() - 1].map(|i| segments[i].clone());
    for alone in [false, true] {
        // A file in the middle.
        let after = story.damaged_journal("a segment deleted", alone, |_| remove(&middle));
        assert!(after.warnings.contains("missing"), "{}", after.warnings);
        assert_eq!(after.log.len() == story.log.len(), !alone);
        story.undo_is_right(after);
        // The last one. Without the store nobody knows that there was one.
        let after = story.damaged_journal("the last segment deleted", alone, |_| remove(&last));
        assert_eq!(after.warnings.contains("the end of the journal has gone"), !alone);
        assert!(after.log.len() < story.log.len());
        if alone {
            after.daemon.kill()
        } else {
            story.undo_is_right(after)
        }
        let after = story.damaged_journal("the last segment empty", alone, |_| truncate(&last, 0));
        assert_eq!(after.warnings.contains("the end of the journal has gone"), !alone);
        if alone {
            after.daemon.kill()
        } else {
            story.undo_is_right(after)
        }
        // What is none of its segments.
        let copied = last.with_file_name("0000000000000077.log");
        let after = story.damaged_journal("a segment copied", alone, |_| {
            fs::write(&copied, fs::read(&first).unwrap()).unwrap()
        });
        assert!(after.warnings.contains("copy of segment"), "{}", after.warnings);
        assert_eq!(after.log, story.log);
        story.undo_is_right(after);
        let after = story.damaged_journal("foreign files", alone, |s| {
            fs::write(s.journal().join("notes.txt"), "mine").unwrap();
            fs::create_dir(s.journal().join("0000000000000055.log")).unwrap();
            fs::write(s.journal().join("x.log"), "y").unwrap();
        });
        assert_eq!(after.log, story.log);
        story.undo_is_right(after);
    }
    let after = story.damaged_journal("the journal deleted", false, |s| remove(&s.journal()));
    assert!(after.warnings.contains("the end of the journal has gone"), "{}", after.warnings);
    assert!(after.log.is_empty());
    after.daemon.kill();
    let after = story.damaged_journal("the journal of an earlier time", false, |s| {
        remove(&s.journal());
        files::copy_into(&s.earlier.join("journal"), &s.journal());
    });
    assert!(after.warnings.contains("the end of the journal has gone"), "{}", after.warnings);
    story.undo_is_right(after);
}

#[test]
fn wherever_a_segment_is_damaged_nothing_wrong_is_undone() {
    let mut random = Random::new();
    let story = Story::tell(false);
    story.restore();
    let segments = story.segments();
    let last = segments.last().unwrap().clone();
    for n in 0..many() {
        let alone = n % 2 == 0;
        let segment = segments[below(&mut random, segments.len())].clone();
        let at =
            below(&mut random, fs::metadata(state_of(&story, &segment)).unwrap().len() as usize);
        let what = format!("{} damaged at {at}", segment.display());
        let after = story.damaged_journal(&what, alone, |_| flip(&segment, at));
        if alone && segment != last {
            assert!(after.warnings.contains("damaged"), "{}", after.warnings);
            let aside = segment.with_extension("damaged");
            assert!(aside.exists(), "{}", aside.display());
        }
        let lost = story.log.len() - after.log.len();
        let unknown = after.log.iter().filter(|op| op["state"] == "unknown").count();
        assert!(lost + unknown <= 1, "one byte: {lost} lost, {unknown} unknown");
        if n % 4 < 2 { story.undo_is_right(after) } else { after.daemon.kill() }
    }
    let length = fs::metadata(state_of(&story, &last)).unwrap().len();
    for n in 0..many() / 2 {
        let to = random.below(length);
        let what = format!("{} cut to {to}", last.display());
        let after = story.damaged_journal(&what, n % 2 == 0, |_| truncate(&last, to));
        if n % 4 == 1 { story.undo_is_right(after) } else { after.daemon.kill() }
    }
}

/// The undamaged copy of a file in the state directory.
fn state_of(story: &Story, file: &Path) -> PathBuf {
    story.state.join(file.strip_prefix(story.world.state()).unwrap())
}

#[test]
fn a_store_that_is_none_or_another_one_or_of_another_time() {
    let story = Story::tell(false);
    let other = Story::tell(false);
    story.nothing_is_lost("an earlier store", |s| {
        remove(&s.store());
        files::copy_into(&s.earlier.join("store"), &s.store());
    });
    story.nothing_is_lost("a left-over of sled", |s| {
        fs::write(s.store().join("snap.FFFFFFFFFFFFFFF0.generating"), "half").unwrap();
    });
    let said = story.nothing_is_lost("a file", |s| {
        remove(&s.store());
        fs::write(s.store(), "mine").unwrap();
    });
    assert!(said.contains("store.corrupt-"), "{said}");
    let aside =
        list(&story.world.state()).into_iter().find(|p| p.to_string_lossy().contains("corrupt-"));
    assert_eq!(fs::read(aside.unwrap()).unwrap(), b"mine");
    for target in ["nowhere", "store", "../elsewhere"] {
        story.nothing_is_lost(&format!("a symlink to {target}"), |s| {
            remove(&s.store());
            std::os::unix::fs::symlink(target, s.store()).unwrap();
        });
    }
    story.nothing_is_lost("the store of another journal", |s| {
        remove(&s.store());
        files::copy_into(&other.state.join("store"), &s.store());
    });
    story.nothing_is_lost("directories in place of its files", |s| {
        for file in list(&s.store()) {
            remove(&file);
            fs::create_dir(&file).unwrap();
        }
    });
}

#[test]
fn what_is_older_than_the_configuration_keeps_is_forgotten_and_said_so() {
    let world = World::new();
    let configure = |at_most: &str| {
        world.configure(&format!(
            "watch = [\"~/Downloads\"]\nsettle = \"50ms\"\njournal = {{ at_most = \"{at_most}\" }}\n"
        ));
    };
    configure("64 kB");
    let size = || -> u64 {
        let files = list(&world.state().join("journal"));
        files.iter().map(|f| fs::metadata(f).unwrap().len()).sum()
    };
    // 40 files, moved back and forth until there is more than is kept; only the last time is in effect.
    let back_and_forth = |from: u64| {
        world.ctl(["pause"]).ok();
        while size() < from + 100_000 {
            world.ctl(["rollback", "--rule", "default document", "--yes"]).ok();
            world.ctl(["redo", "--yes"]).ok();
        }
        world.ctl(["resume"]).ok();
    };
    let shortened = |daemon: &Daemon, times: usize| {
        eventually("the journal to be shortened", || {
            (daemon.output().matches("the journal was shortened").count() == times).then_some(())
        });
    };
    let daemon = world.start();
    (0..40).for_each(|n| drop(world.write(format!("Downloads/{n}.txt"), Sample::Text.content(n))));
    world.wait();
    let first = world.log(&[]).last().expect("they were filed")["id"].to_string();
    back_and_forth(0);
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    shortened(&daemon, 1);
    assert!(size() <= 64_000);
    let log = world.log(&[]);
    assert!(log.len() > 80, "no more is forgotten than has to be");
    for verb in ["show", "rollback"] {
        let run = world.ctl([verb, &first]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("older than what the journal keeps"), "{run:?}");
        let run = world.ctl([verb, "999999"]);
        assert!(run.stderr.contains("there is no such operation"), "{run:?}");
    }
    world.ctl(["rollback", "--last", "--yes"]).ok();
    assert!((0..40).all(|n| world.downloads().join(format!("{n}.txt")).exists()));
    // What is back already is fine.
    world.ctl(["rollback", &log[0]["id"].to_string(), "--yes"]).ok();
    world.ctl(["redo", "--yes"]).ok();

    // What is in effect, and newer than 30 days, is kept whatever it takes, with all that came after it.
    let one = world.write("Downloads/one.jpg", Sample::Jpeg.content(3));
    world.wait();
    let first = world.log(&["--rule", "default image"])[0]["id"].to_string();
    back_and_forth(size());
    assert_eq!(daemon.stop(), 0);
    let daemon = world.start();
    shortened(&daemon, 2);
    assert!(size() > 64_000);
    world.ctl(["rollback", &first, "--yes"]).ok();
    assert!(one.exists());
    assert_eq!(daemon.stop(), 0);
}
