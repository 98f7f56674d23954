//! A home of its own, and the programs run in it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, lchown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binaries::{Binary, binary};
use crate::daemon::Daemon;
use crate::run::Run;
use crate::snapshot::Snapshot;

/// The configuration a world starts with: the built-in rules, and a settling time for the impatient.
const CONFIG: &str = "watch = [\"~/Downloads\"]\nsettle = \"200ms\"\n";

/// Longest path a Unix socket can have on every system we run on: `sun_path` is 104 bytes on macOS, 108 on Linux.
const SOCKET_PATH_MAX: usize = 103;

/// `nobody` on every Linux, and its group on Debian: for what root, who may do everything, cannot show.
pub const NOBODY: u32 = 65_534;

/// A scratch home with a Downloads folder, a configuration and room for a control socket.
#[derive(Debug)]
pub struct World {
    scratch: tempfile::TempDir,
    /// Apart, and directly under `/tmp`: the scratch directory may have a path that is too long for a socket.
    sockets: tempfile::TempDir,
    /// User and group that the programs run as; `None`: the test's own.
    user: Option<(u32, u32)>,
}

impl World {
    /// A new home: `Downloads` empty, the configuration watching it with a settling time of 200 ms.
    ///
    /// # Panics
    /// The scratch directory cannot be written.
    pub fn new() -> Self {
        Self::inside(
            tempfile::Builder::new().prefix("tidy-").tempdir().expect("a scratch directory"),
        )
    }

    /// The same, in a directory of the caller's choice: a mounted image, say.
    pub fn new_in(directory: &Path) -> Self {
        Self::inside(
            tempfile::Builder::new()
                .prefix("tidy-")
                .tempdir_in(directory)
                .expect("a scratch directory"),
        )
    }

    fn inside(scratch: tempfile::TempDir) -> Self {
        let sockets =
            tempfile::Builder::new().prefix("td").tempdir_in("/tmp").expect("a directory in /tmp");
        let world = Self { scratch, sockets, user: None };
        assert!(world.socket().as_os_str().len() <= SOCKET_PATH_MAX);
        fs::DirBuilder::new().mode(0o700).create(world.runtime()).expect("own directory");
        fs::create_dir_all(world.downloads()).expect("own directory");
        // Most homes have a trash.
        for part in ["files", "info"] {
            let part = world.home().join(".local/share/Trash").join(part);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(part);
            made.expect("own directory");
        }
        world.configure(CONFIG);
        world
    }

    /// Gives the world to another user, as whom its programs run from now on; what is written into it later is the test's
    /// own. `false`, having said why, where that cannot be done.
    pub fn give_to(&mut self, user: u32, group: u32) -> bool {
        let mut pending = vec![self.scratch.path().to_owned(), self.sockets.path().to_owned()];
        while let Some(path) = pending.pop() {
            if let Err(error) = lchown(&path, Some(user), Some(group)) {
                eprintln!("skipped, because files cannot be given to others here: {error}");
                return false;
            }
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            pending.extend(entries.map(|entry| entry.path()));
        }
        self.user = Some((user, group));
        // The programs may lie where only the test's own user may look.
        let started = self.command(binary(Binary::Tidyd)).arg("--version").output();
        if let Err(error) = &started {
            eprintln!("skipped, because another user cannot run the programs: {error}");
        }
        started.is_ok()
    }

    /// The directory that the home is in, where other disks may be mounted.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    /// The root that is watched.
    pub fn downloads(&self) -> PathBuf {
        self.home().join("Downloads")
    }

    pub fn config_file(&self) -> PathBuf {
        self.home().join(".config/tidyd/config.toml")
    }

    /// Where the journal and the catalog are.
    pub fn state(&self) -> PathBuf {
        self.home().join(".local/state/tidyd")
    }

    pub fn socket(&self) -> PathBuf {
        self.sockets.path().join("control.sock")
    }

    /// `XDG_RUNTIME_DIR`.
    pub fn runtime(&self) -> PathBuf {
        self.scratch.path().join("run")
    }

    /// Replaces the configuration.
    pub fn configure(&self, toml: &str) {
        let file = self.config_file();
        fs::create_dir_all(file.parent().expect("in a directory")).expect("own directory");
        fs::write(file, toml).expect("own file");
    }

    /// Writes a file below the home, making the directories to it, and returns its path.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(path);
        fs::create_dir_all(path.parent().expect("below the home")).expect("own directory");
        fs::write(&path, content).expect("own file");
        path
    }

    /// The home as a person sees it: without what tidyd keeps for itself.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::without(&self.home(), &[".config", ".local/bin", ".local/state", ".cache"])
    }

    /// A command with the environment of this world, and nothing else of ours but `PATH`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let home = self.home();
        let mut command = Command::new(program);
        command
            .env_clear()
            .stdin(Stdio::null())
            .current_dir(&home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("RUST_BACKTRACE", "1")
            .env("TIDYD_LOG", "info,tidyd=debug")
            .env("TIDYD_SOCKET", self.socket())
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_RUNTIME_DIR", self.runtime())
            .env("XDG_STATE_HOME", home.join(".local/state"));
        // Coverage of what runs in here.
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// The same for a program that looks for `tidyd` and `tidyctl` in its `PATH`: a shell.
    pub fn installed(&self, program: impl AsRef<OsStr>) -> Command {
        let bin = self.home().join(".local/bin");
        fs::create_dir_all(&bin).expect("own directory");
        for (name, program) in [("tidyd", Binary::Tidyd), ("tidyctl", Binary::Tidyctl)] {
            let place = bin.join(name);
            if !place.exists() {
                symlink(binary(program), place).expect("own directory");
            }
        }
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&others)));
        let mut command = self.command(program);
        command.env("PATH", path.expect("a scratch directory has no colon in its name"));
        command
    }

    /// Starts the daemon and waits until it is ready.
    #[track_caller]
    pub fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    /// Starts the daemon with arguments and waits until it is ready.
    #[track_caller]
    pub fn start_with(&self, arguments: &[&str]) -> Daemon {
        let mut command = self.command(binary(Binary::Tidyd));
        command.args(arguments);
        Daemon::start(command, false, &self.output(), self.sockets.path())
    }

    /// Starts the daemon as this command has it, one of [`World::command`], and waits until it is ready.
    #[track_caller]
    pub fn start_command(&self, command: Command) -> Daemon {
        Daemon::start(command, false, &self.output(), self.sockets.path())
    }

    /// Starts the daemon and does not wait for anything.
    pub fn spawn(&self) -> Daemon {
        let command = self.command(binary(Binary::Tidyd));
        Daemon::spawn(command, false, &self.output(), self.sockets.path())
    }

    /// Starts the daemon under another program, which gets the daemon's path after `wrapper` (strace with its options).
    #[track_caller]
    pub fn start_under(&self, wrapper: &[&str]) -> Daemon {
        let (program, arguments) = wrapper.split_first().expect("a program");
        let mut command = self.command(program);
        command.args(arguments).arg(binary(Binary::Tidyd));
        Daemon::start(command, true, &self.output(), self.sockets.path())
    }

    /// Runs the daemon to its end: `--once`, `--check`.
    #[track_caller]
    pub fn tidyd(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(binary(Binary::Tidyd)).args(arguments))
    }

    /// Runs the command line.
    #[track_caller]
    pub fn ctl<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        Run::of(self.command(binary(Binary::Tidyctl)).args(arguments))
    }

    /// Runs the command line with `--json` and returns the one value it prints.
    ///
    /// # Panics
    /// It fails, or prints something else.
    #[track_caller]
    pub fn ctl_json<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> serde_json::Value {
        let mut arguments: Vec<OsString> =
            arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        arguments.push("--json".into());
        let output = self.ctl(&arguments).ok();
        serde_json::from_str(&output)
            .unwrap_or_else(|e| panic!("{arguments:?} is not JSON: {e}\n{output}"))
    }

    /// What the configuration says it knows where `toml` has a key that it does not. Replaces the configuration.
    ///
    /// # Panics
    /// It does not say.
    #[track_caller]
    pub fn known_keys(&self, toml: &str) -> BTreeSet<String> {
        self.configure(toml);
        let run = self.tidyd(&["--check"]);
        let hint = run.stderr.lines().find_map(|line| line.split_once("known here: "));
        let Some((_, words)) = hint else { panic!("no hint: {}", run.stderr) };
        words.split(", ").map(str::to_owned).collect()
    }

    /// Returns once all that has arrived is settled and processed.
    #[track_caller]
    pub fn wait(&self) {
        self.ctl(["wait"]).ok();
    }

    /// The same, for more work than one run of a program may take.
    ///
    /// # Panics
    /// It takes more than five minutes.
    #[track_caller]
    pub fn wait_long(&self) {
        const SLICES: u32 = 10;
        let waited = (0..SLICES).any(|_| self.ctl(["wait", "--timeout", "30s"]).code == 0);
        assert!(waited, "still busy: {}", self.ctl_json(["status"]));
    }

    /// The operations of the journal that `filter` (options of `tidyctl log`) lets through, newest first.
    #[track_caller]
    pub fn log(&self, filter: &[&str]) -> Vec<serde_json::Value> {
        let answer = self.ctl_json([&["log"], filter].concat());
        answer.as_array().expect("a list is an array").clone()
    }

    /// Runs the command line with a path behind the other arguments.
    #[track_caller]
    pub fn ctl_at(&self, arguments: &[&str], path: &Path) -> Run {
        self.ctl(arguments.iter().map(OsStr::new).chain([path.as_os_str()]))
    }

    /// The same with `--json`; the one value it prints.
    #[track_caller]
    pub fn ctl_json_at(&self, arguments: &[&str], path: &Path) -> serde_json::Value {
        self.ctl_json(arguments.iter().map(OsStr::new).chain([path.as_os_str()]))
    }

    /// All that the daemons of this world have said.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output()).unwrap_or_default()).into_owned()
    }

    /// Where the daemons of this world say what they say.
    fn output(&self) -> PathBuf {
        self.scratch.path().join("tidyd.output")
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    /// A test may have taken away the permissions that removing the scratch directory needs.
    fn drop(&mut self) {
        let mut pending = vec![self.scratch.path().to_owned()];
        while let Some(directory) = pending.pop() {
            let _ = fs::set_permissions(&directory, fs::Permissions::from_mode(0o700));
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            pending.extend(
                entries
                    .flatten()
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_ours_leaks_in() {
        let world = World::new();
        let output = Run::of(&mut world.command("env")).ok();
        for line in output.lines() {
            let (name, value) = line.split_once('=').unwrap();
            match name {
                "PATH" | "LANG" | "TZ" | "RUST_BACKTRACE" | "TIDYD_LOG" | "LLVM_PROFILE_FILE"
                | "PWD" | "SHLVL" | "_" => {}
                "TIDYD_SOCKET" => assert!(Path::new(value).starts_with(world.sockets.path())),
                _ => assert!(Path::new(value).starts_with(world.scratch.path()), "{line}"),
            }
        }
    }

    #[test]
    fn worlds_do_not_share_anything() {
        let (one, other) = (World::new(), World::new());
        one.write("Downloads/a/b.txt", "x");
        assert!(one.snapshot().entries.contains_key(Path::new("Downloads/a/b.txt")));
        assert!(!other.snapshot().entries.contains_key(Path::new("Downloads/a")));
        assert_ne!(one.socket(), other.socket());
    }

    #[test]
    fn what_tidyd_keeps_for_itself_is_not_in_the_picture() {
        let world = World::new();
        let before = world.snapshot();
        world.write(".local/state/tidyd/journal/0", "x");
        crate::assert_same(&before, &world.snapshot());
        world.write(".local/share/Trash/files/a", "x");
        assert_eq!(before.lost_by(&world.snapshot()), Vec::<PathBuf>::new());
        assert!(!before.diff(&world.snapshot()).is_empty());
    }

    #[test]
    fn a_locked_directory_does_not_outlive_the_world() {
        let world = World::new();
        let path = world.write("Downloads/locked/a", "x");
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o000)).unwrap();
        let scratch = world.scratch.path().to_owned();
        drop(world);
        assert!(!scratch.exists());
    }
}
