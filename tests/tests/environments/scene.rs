//! A world whose mounts are its own, and what is asked of a daemon in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use tidy_tests::{Daemon, Mounts, NOBODY, Snapshot, World};

/// A world whose mounts are its own.
pub(crate) struct Scene {
    // Goes before the directories that the mounts are in.
    pub(crate) mounts: Mounts,
    pub(crate) world: Rc<World>,
}

impl Scene {
    pub(crate) fn new() -> Option<Self> {
        let world = Rc::new(World::new());
        Some(Self { mounts: Mounts::private()?, world })
    }

    /// A world with a file system of its own at [`Scene::other`].
    pub(crate) fn with_other(options: &str) -> Option<(Self, PathBuf)> {
        let mut scene = Self::new()?;
        let other = scene.other();
        scene.mounts.tmpfs(&other, options).then_some((scene, other))
    }

    /// Another place than Downloads, to move to.
    pub(crate) fn other(&self) -> PathBuf {
        self.world.home().join("Other")
    }

    /// Has the programs run as an ordinary user, who owns what is in the world by now.
    pub(crate) fn give_to_nobody(&mut self) -> bool {
        Rc::get_mut(&mut self.world).expect("nothing runs yet").give_to(NOBODY, NOBODY)
    }

    /// Starts the daemon with one rule: files with the extension `ext` go to `to`.
    pub(crate) fn start(&self, ext: &str, to: &str) -> Running {
        configure(&self.world, ext, to);
        Running {
            before: self.world.snapshot(),
            daemon: self.world.start(),
            world: self.world.clone(),
        }
    }
}

pub(crate) fn configure(world: &World, ext: &str, to: &str) {
    world.configure(&format!(
        "watch = [\"~/Downloads\"]\nsettle = \"10ms\"\nallow-shared = [\"~/Other\"]\n[[rule]]\nname = \"away\"\nwhen = {{ ext = \"{ext}\" }}\nmove = \"{to}\"\n",
    ));
}

/// A daemon at work on files whose state before is known.
pub(crate) struct Running {
    pub(crate) daemon: Daemon,
    pub(crate) world: Rc<World>,
    pub(crate) before: Snapshot,
}

impl Running {
    /// The file stands as it was, and the user was told so once: in the log, by `explain` and by the daemon, with all of
    /// `words`.
    #[track_caller]
    pub(crate) fn left(&self, file: &str, words: &[&str]) {
        self.world.wait();
        let path = self.world.home().join(file);
        let now = self.world.snapshot();
        let file = Path::new(file);
        assert_eq!(self.before.entries.get(file), now.entries.get(file), "{file:?} is as it was");
        let part = |p: &&PathBuf| p.to_string_lossy().contains(".tidyd-");
        assert_eq!(now.entries.keys().find(part), None, "no left-overs");

        let log = self.world.ctl_at(&["log", "--state", "failed", "--path"], &path).ok();
        // Lines are broken where they are long.
        let explained = self.world.ctl_at(&["explain"], &path).ok();
        let explained = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = self.daemon.output();
        let name = path.to_str().unwrap();
        let said: Vec<_> =
            said.lines().filter(|l| l.contains(" ERROR ") && l.contains(name)).collect();
        assert_eq!(said.len(), 1, "{said:#?}");
        for word in words {
            assert!(explained.contains(word), "{word} in {explained}");
            assert!(log.contains(word), "{word} in {log}");
            assert!(said[0].contains(word), "{word} in {said:?}");
        }
    }

    /// The file is filed there, with content, mode and time.
    #[track_caller]
    pub(crate) fn filed(&self, file: &str, to: &str) {
        self.world.wait();
        let now = self.world.snapshot();
        let was = &self.before.entries[Path::new(file)];
        let Some(is) = now.entries.get(Path::new(to)) else { panic!("{to} in {now:#?}") };
        assert_eq!(was.kind, is.kind, "{to}");
        assert!(!now.entries.contains_key(Path::new(file)), "{file} has gone");
    }

    /// What was at `from` is at `to` with everything but its name.
    #[track_caller]
    pub(crate) fn unchanged(&self, from: &str, to: &str) {
        let now = self.world.snapshot();
        assert_eq!(self.before.entries[Path::new(from)], now.entries[Path::new(to)], "{to}");
    }

    /// What the message asked for has been done: the file is filed when it is asked for.
    #[track_caller]
    pub(crate) fn filed_when_asked(&self, file: &str, to: &str) {
        self.world.ctl_at(&["organize"], &self.world.home().join(file)).ok();
        self.filed(file, to);
    }
}

pub(crate) fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

pub(crate) fn run(line: &[&str], path: &Path) {
    let output = Command::new(line[0]).args(&line[1..]).arg(path).output().unwrap();
    assert!(output.status.success(), "{line:?}: {output:?}");
}
