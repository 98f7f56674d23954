//! Backups of the journal and the configuration, and putting one back: with the service and without, and cut off at every
//! change it makes.
#![expect(
    clippy::disallowed_methods,
    reason = "damages and removes scratch copies of tidyd's own files"
)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidy_tests::files::{self, Sample};
use tidy_tests::{Binary, Run, Snapshot, World, assert_same, binary, eventually, path};

/// More changes than a backup of so little makes.
const CHANGES: u32 = 500;

/// A home in which something was filed, and the service has ended.
struct Home {
    world: World,
    /// As the files arrived.
    arrived: Snapshot,
}

impl Home {
    fn new(config: &str) -> Self {
        let world = World::new();
        world.configure(&format!("watch = [\"~/Downloads\"]\nsettle = \"50ms\"\n{config}"));
        fs::create_dir_all(world.home().join(".cache")).unwrap();
        let home = Self { arrived: world.snapshot(), world };
        home.arrive(0..6);
        let arrived = home.world.snapshot();
        let daemon = home.world.start();
        home.world.wait();
        assert_eq!(daemon.stop(), 0);
        Self { arrived, ..home }
    }

    fn arrive(&self, numbers: std::ops::Range<u32>) {
        for n in numbers {
            let sample = Sample::ALL[n as usize % Sample::ALL.len()];
            let name = format!("Downloads/f{n}.{}", sample.extension());
            self.world.write(name, sample.content(n));
        }
    }

    /// Files more, while nobody looks.
    fn go_on(&self, numbers: std::ops::Range<u32>) {
        self.arrive(numbers);
        self.world.tidyd(&["--once"]).ok();
    }

    fn backups(&self) -> PathBuf {
        self.world.home().join(".cache/backups")
    }

    /// `tidyd store …`, with one value as the answer.
    #[track_caller]
    fn store(&self, arguments: &[&str]) -> Value {
        let output = self.world.tidyd(&[&["store", "--json"], arguments].concat()).ok();
        serde_json::from_str(&output).unwrap_or_else(|e| panic!("{e}: {output}"))
    }

    /// A new backup in our folder.
    #[track_caller]
    fn back_up(&self) -> PathBuf {
        let answer = self.store(&["backup", "--to", text(&self.backups())]);
        assert_eq!(answer["new"], true, "{answer:#}");
        path(&answer["backup"]["path"])
    }

    /// Every operation on record, as somebody exports it who has not opened anything.
    fn exported(&self) -> Vec<Value> {
        lines(&self.world.tidyd(&["store", "export"]).ok())
    }

    /// `tidyd store …` that ends itself before its `n`-th change; whether it came so far.
    fn cut_off(&self, arguments: &[&str], n: u32) -> bool {
        let mut command = self.world.command(binary(Binary::Tidyd));
        let run =
            Run::of(command.arg("store").args(arguments).env("TIDYD_CRASH_CARE", n.to_string()));
        assert!([0, 134].contains(&run.code), "{run:?}");
        run.code == 134
    }

    #[track_caller]
    fn all_is_put_back(&self, before: &Snapshot) {
        let daemon = self.world.start();
        self.world.wait();
        self.world.ctl(["rollback", "--since", "1d", "--yes"]).ok();
        assert_same(before, &self.world.snapshot());
        assert_eq!(daemon.stop(), 0);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a scratch path")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

/// What lies under a backup's name in a folder, sorted.
fn backups_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().map(|e| e.unwrap().path());
    let is_one = |p: &PathBuf| !p.file_name().unwrap().to_str().unwrap().starts_with('.');
    let mut all: Vec<_> = entries.filter(is_one).collect();
    all.sort();
    all
}

#[test]
fn with_a_backup_everything_can_be_put_back_after_the_state_is_gone() {
    let home = Home::new("");
    let backup = home.back_up();
    let (before, config) = (home.exported(), fs::read(home.world.config_file()).unwrap());
    fs::remove_dir_all(home.world.state()).unwrap();
    fs::remove_dir_all(home.world.config_file().parent().unwrap()).unwrap();

    let answer = home.store(&["restore", text(&backup)]);
    assert_eq!(answer["forgotten"], Value::Null, "nothing tells what came after it: {answer:#}");
    assert_eq!((&answer["config"], &answer["aside"]), (&"restored".into(), &Value::Null));
    assert_eq!(fs::read(home.world.config_file()).unwrap(), config);
    assert_eq!(home.exported(), before);
    home.all_is_put_back(&home.arrived);
}

#[test]
fn a_restore_says_what_is_not_on_record_any_more_and_keeps_it() {
    let home = Home::new("");
    home.back_up();
    let before = home.exported();
    home.go_on(6..9);
    let after = home.exported();
    let newest = after.iter().map(|o| o["id"].as_u64().unwrap()).max().unwrap();
    fs::write(home.world.config_file(), "watch = [\"~/Downloads\"]\n# another\n").unwrap();

    let backup = backups_in(&home.backups()).pop().unwrap();
    let answer = home.store(&["restore", text(&backup)]);
    assert_eq!(answer["forgotten"], (after.len() - before.len()) as u64, "{answer:#}");
    assert_eq!((&answer["last"], &answer["config"]), (&newest.into(), &"differs".into()));
    let config = fs::read_to_string(home.world.config_file()).unwrap();
    assert!(config.ends_with("# another\n"), "one that is there stays");
    assert_eq!(home.exported(), before);
    let aside = path(&answer["aside"]);
    let kept = home.world.tidyd(&["store", "export", "--from", text(&aside)]).ok();
    assert_eq!(lines(&kept), after, "what was on record is kept");

    // Nothing moves by it, and numbers go on above those that were in use.
    let files = home.world.snapshot();
    let daemon = home.world.start();
    home.world.wait();
    assert_same(&files, &home.world.snapshot());
    home.arrive(20..21);
    home.world.wait();
    assert!(home.world.log(&["--limit", "1"])[0]["id"].as_u64().unwrap() > newest);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_service_makes_backups_by_itself_and_none_without_need() {
    let home = Home::new("");
    let dir = home.world.state().join("backups");
    // From the run in which everything was filed, or from this one.
    let daemon = home.world.start();
    let first = eventually("a backup", || Some(backups_in(&dir)).filter(|all| !all.is_empty()));
    home.world.tidyd(&["store", "verify", text(&first[0])]).ok();
    let listed = home.world.ctl_json(["store", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), first.len(), "{listed:#}");

    // By hand there may be one at any time, if there is something new.
    home.arrive(30..31);
    home.world.wait();
    let made = home.world.ctl_json(["store", "backup"]);
    assert_eq!(made["new"], true, "{made:#}");
    let again = home.world.ctl_json(["store", "backup"]);
    assert_eq!((&again["new"], &again["backup"]), (&false.into(), &made["backup"]));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn backups_can_be_elsewhere_and_switched_off() {
    let home = Home::new("backup = { dir = \"~/.cache/backups\" }\n");
    let daemon = home.world.start();
    let made = eventually("a backup", || backups_in(&home.backups()).pop());
    home.world.tidyd(&["store", "verify", text(&made)]).ok();
    assert_eq!(fs::metadata(&made).unwrap().mode() & 0o077, 0, "ours alone");
    assert!(!home.world.state().join("backups").exists());
    assert_eq!(daemon.stop(), 0);

    let off = Home::new("backup = false\n");
    assert!(!off.world.state().join("backups").exists());
}

#[test]
fn what_needs_the_state_for_itself_is_refused_while_the_service_runs() {
    let home = Home::new("");
    let backup = home.back_up();
    let daemon = home.world.start();
    home.world.wait();
    for verb in [&["restore", text(&backup)][..], &["compact"], &["rebuild"]] {
        let run = home.world.ctl([&["store"], verb].concat());
        assert_eq!(run.code, 5, "{run:?}");
        assert!(run.stderr.contains("in use") && run.stderr.contains("stop"), "{run:?}");
    }
    assert!(home.world.log(&[]).len() > 4, "it goes on as before");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_backup_that_is_cut_off_is_none() {
    let home = Home::new("backup = false\njournal = { at_most = \"64 kB\" }\n");
    let first = home.back_up();
    home.go_on(6..12);
    let to = home.backups();
    let arguments = ["backup", "--to", text(&to)];
    let mut n = 1;
    while home.cut_off(&arguments, n) {
        let there = backups_in(&to);
        for backup in &there {
            home.world.tidyd(&["store", "verify", text(backup)]).ok();
        }
        if there.len() > 1 {
            break;
        }
        assert_eq!(there, std::slice::from_ref(&first), "before change {n}");
        n += 1;
        assert!(n < CHANGES, "no end");
    }
    assert!(n > 10, "only {n} changes");
    // The next one clears up.
    home.store(&arguments);
    let all: Vec<_> = fs::read_dir(&to).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(all.len(), backups_in(&to).len(), "{all:?}");
    let newest = backups_in(&to).pop().unwrap();
    home.world.tidyd(&["store", "verify", text(&newest)]).ok();
}

#[test]
fn a_restore_that_is_cut_off_has_happened_or_not() {
    let home = Home::new("backup = false\n");
    let files = home.world.snapshot();
    let backup = home.back_up();
    let old = home.exported();
    home.go_on(6..9);
    let (new, kept) = (home.exported(), home.world.home().join(".cache/kept"));
    let after = home.world.snapshot();
    files::copy_into(&home.world.state(), &kept);
    let (mut before, mut done, mut n) = (0, 0, 1);
    loop {
        fs::remove_dir_all(home.world.state()).unwrap();
        files::copy_into(&kept, &home.world.state());
        let was_cut_off = home.cut_off(&["restore", text(&backup)], n);
        // Whatever comes next finishes it, or clears up.
        home.world.tidyd(&["--once"]).ok();
        assert_same(&after, &home.world.snapshot());
        let now = home.exported();
        assert!(now == new || now == old, "cut off before change {n}: {now:#?}");
        if now == new {
            before += 1
        } else {
            done += 1
        }
        assert_eq!(home.store(&["verify"])["ok"], true, "cut off before change {n}");
        if !was_cut_off {
            break;
        }
        n += 1;
        assert!(n < CHANGES, "no end");
    }
    assert!(before > 5 && done > 5, "{before} had not begun to count, {done} had");
    drop(files);
}

/// Also where the folder for backups is one that tidyd files, and under another name.
#[test]
fn tidyd_does_not_file_its_own_backups() {
    let home = Home::new(
        "backup = { dir = \"~/Downloads/safe\" }\n[[rule]]\nname = \"all\"\nwhen = { name = \"*\" }\nmove = \"~/All/\"\n",
    );
    let folder = home.world.downloads().join("safe");
    let daemon = home.world.start();
    let made = || backups_in(&folder).into_iter().next();
    let backup = eventually("a backup", || made().filter(|b| b.join("manifest.json").exists()));
    let by_hand = home.world.downloads().join("by hand");
    home.world.ctl_at(&["store", "backup", "--to"], &by_hand).ok();
    home.world.write("Downloads/f.txt", "filed");
    home.world.ctl(["rescan"]).ok();
    home.world.wait();
    assert!(home.world.home().join("All/f.txt").exists());
    assert_eq!(daemon.stop(), 0);
    home.world.tidyd(&["--once"]).ok();
    for backup in [backup, backups_in(&by_hand).remove(0)] {
        home.world.tidyd(&["store", "verify", text(&backup)]).ok();
    }
}
