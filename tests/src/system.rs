//! A real systemd as process 1 of a machine of its own: mounts, processes, control groups and name are private, the files are an
//! overlay in memory over those of this machine. It needs root, and the right to mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::binaries::{Binary, binary};
use crate::run::{Run, eventually, works};

/// The machine: what is below `/` here, read; a `/run`, `/tmp`, `/dev` and `/home` of its own; no service but those that are asked for.
/// The programs and units of tidyd are where a package would put them. `$1` is a scratch directory, `$2` and `$3` are the
/// programs, `$4` has the units, `$5` is systemd.
const BOOT: &str = r#"
set -e
mount --make-rprivate /
mkdir "$1/memory" "$1/root"
mount -t tmpfs tmpfs "$1/memory"
mkdir "$1/memory/upper" "$1/memory/work"
root=$1/root
mount -t overlay -o "lowerdir=/,upperdir=$1/memory/upper,workdir=$1/memory/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
for dir in run tmp home dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$dir"; done
chmod 1777 "$root/tmp"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/tidyd*
mkdir -p "$root/etc/systemd/system" "$root/usr/lib/systemd/system"
printf '[Unit]\nDescription=Nothing but what a test asks for\n' >"$root/etc/systemd/system/tidy-test.target"
cp "$4"/tidyd@* "$root/usr/lib/systemd/system/"
# There is no journald.
mkdir "$root/etc/systemd/system/tidyd@.service.d"
printf '[Service]\nStandardError=append:/run/said\n' >"$root/etc/systemd/system/tidyd@.service.d/said.conf"
for program in "$2" "$3"; do
    rm -f "$root/usr/bin/${program##*/}"
    : >"$root/usr/bin/${program##*/}"
    mount --bind "$program" "$root/usr/bin/${program##*/}"
done
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/${1##*/}"
echo $$ >"$root/sys/fs/cgroup/${1##*/}/cgroup.procs"
umount "$root/sys/fs/cgroup"
exec unshare --cgroup sh -c '
    mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup" && cd "$1" && mkdir before && pivot_root . before &&
    exec env -i container=tidy-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c "umount -l /before; rmdir /before
        exec $2 --system --unit=tidy-test.target --log-target=console --show-status=no"' sh "$root" "$5"
"#;

/// Removes the control groups, in which nothing runs any more.
const SWEEP: &str = r#"
mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} +"#;

/// Where distributions have it.
pub(crate) const PROGRAMS: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

const APART: [&str; 7] =
    ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--kill-child"];

/// The manager of a system; it ends with this, and all that runs under it.
#[derive(Debug)]
pub struct SystemManager {
    child: Child,
    scratch: tempfile::TempDir,
}

impl SystemManager {
    /// Boots one. `None`, having said why, where that cannot be done.
    ///
    /// # Panics
    /// It can be started, and does not answer.
    pub fn boot() -> Option<Self> {
        let Some(program) = PROGRAMS.iter().find(|p| Path::new(p).exists()) else {
            eprintln!("skipped, because there is no systemd here");
            return None;
        };
        let scratch = tempfile::Builder::new().prefix("tidy-system").tempdir();
        let scratch = scratch.expect("a scratch directory");
        let try_it = format!(
            "mount --make-rprivate / && mkdir {0}/a {0}/b {0}/c && mount -t tmpfs tmpfs {0}/a && mkdir {0}/a/u {0}/a/w && \
             mount -t overlay -o lowerdir=/,upperdir={0}/a/u,workdir={0}/a/w overlay {0}/b && \
             mount -t cgroup2 cgroup2 {0}/c && unshare --cgroup true && nsenter --version && systemctl --version",
            scratch.path().display()
        );
        if !works(&[&APART[..], &["sh", "-c", &try_it]].concat()) {
            return None;
        }
        for name in ["a", "b", "c"] {
            let _ = fs::remove_dir_all(scratch.path().join(name));
        }
        let log = fs::File::create(scratch.path().join("log")).expect("own file");
        let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
        let child = Command::new(APART[0])
            .args(&APART[1..])
            .args(["sh", "-c", BOOT, "sh"])
            .args([scratch.path(), &binary(Binary::Tidyd), &binary(Binary::Tidyctl), &units])
            .arg(program)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("duplicate a descriptor"))
            .stderr(log)
            .spawn()
            .expect("unshare has just worked");
        let mut manager = Self { child, scratch };
        eventually("the system to be up", || {
            if let Some(status) = manager.child.try_wait().expect("our own child") {
                panic!("it ended with {status}: {}", manager.log());
            }
            let up = manager.run(&["systemctl", "is-active", "--quiet", "tidy-test.target"]);
            (up.code == 0).then_some(())
        });
        Some(manager)
    }

    /// What systemd and the services have said.
    pub fn log(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        read(self.scratch.path().join("log")) + &read(self.path("/run/said"))
    }

    /// Process 1 as this machine knows it.
    fn init(&self) -> Option<String> {
        let own = self.child.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    }

    /// A command inside.
    pub fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let inside = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd"];
        command.args(["--target", &self.init().unwrap_or_default()]).args(inside).args(line);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C.UTF-8");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command as root inside.
    pub fn run(&self, line: &[&str]) -> Run {
        Run::of(&mut self.command(line))
    }

    /// Runs a command as a user of the system, who has not logged in.
    pub fn run_as(&self, user: &str, line: &[&str]) -> Run {
        let (home, user) = (format!("HOME=/home/{user}"), format!("--reuid={user}"));
        let become_it = ["env", &home, "setpriv", &user, "--clear-groups"];
        self.run(&[&become_it[..], line].concat())
    }

    /// A path inside, as this machine sees it.
    pub fn path(&self, inside: &str) -> PathBuf {
        let init = self.init().unwrap_or_default();
        Path::new("/proc").join(init).join("root").join(inside.trim_start_matches('/'))
    }
}

impl Drop for SystemManager {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- it said ----\n{}---- end ----", self.log());
        }
        // With process 1 all others go.
        let init = self.init().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        if let Some(init) = init {
            let _ = kill_process(init, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let name = self.scratch.path().file_name().unwrap_or_default().to_owned();
        let mut sweep = Command::new("unshare");
        sweep.args(["--mount", "sh", "-c", SWEEP, "sh"]).arg(&name).stdin(Stdio::null());
        let swept = crate::run::poll(std::time::Duration::from_secs(10), || {
            sweep.output().ok().filter(|o| o.status.success())
        });
        if swept.is_none() {
            eprintln!("the control group {} is left", name.display());
        }
    }
}
