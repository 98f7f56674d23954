//! A real `systemd --user`, with mounts and control groups of its own: it manages the services of one [`World`], and nothing else of the
//! machine hears of it. It needs root, and the right to mount.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::run::{Run, eventually, works};
use crate::system::PROGRAMS;
use crate::world::World;

/// Control groups of its own, and a `/run` that says that systemd is here. The processes are those of the machine: the
/// manager talks to nobody whose number it cannot see.
const BOOT: &str = "\
mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir \"/sys/fs/cgroup/$1\" &&
echo $$ > \"/sys/fs/cgroup/$1/cgroup.procs\" && mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system &&
exec \"$2\" --user --log-target=console";

/// Ends all that runs in its control groups, and removes them.
const SWEEP: &str = "\
mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
cat $(find \"/sys/fs/cgroup/$1\" -name cgroup.procs) | xargs -r kill -KILL
find \"/sys/fs/cgroup/$1\" -depth -type d -exec rmdir {} +";

const APART: [&str; 3] = ["unshare", "--mount", "sh"];

/// A manager for one world; it ends with this, and all of its services with it.
#[derive(Debug)]
pub struct UserManager {
    child: Child,
    group: String,
}

impl UserManager {
    /// Boots one. `None`, having said why, where that cannot be done.
    ///
    /// # Panics
    /// It can be started, and does not answer.
    pub fn boot(world: &World) -> Option<Self> {
        let Some(program) = PROGRAMS.iter().find(|p| Path::new(p).exists()) else {
            eprintln!("skipped, because there is no systemd here");
            return None;
        };
        let name = world.home().display().to_string().replace('/', "-");
        let group = format!("tidy-test{name}");
        let try_it = "mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mount -t tmpfs tmpfs /run && systemctl --version";
        if !works(&[&APART[..], &["-c", try_it]].concat()) {
            return None;
        }
        let log = fs::File::create(world.runtime().join("systemd.log")).expect("own file");
        let child = world
            .command(APART[0])
            .args(&APART[1..])
            .args(["-c", BOOT, "sh", &group, program])
            .stdout(log.try_clone().expect("duplicate a descriptor"))
            .stderr(log)
            .spawn()
            .expect("unshare has just worked");
        let mut manager = Self { child, group };
        eventually("systemd to answer", || {
            if let Some(status) = manager.child.try_wait().expect("our own child") {
                let log = fs::read_to_string(world.runtime().join("systemd.log"));
                panic!("systemd ended with {status}: {log:?}");
            }
            (manager.ctl(world, &["daemon-reload"]).code == 0).then_some(())
        });
        Some(manager)
    }

    /// `systemctl --user`.
    pub fn ctl(&self, world: &World, arguments: &[&str]) -> Run {
        Run::of(world.command("systemctl").arg("--user").args(arguments))
    }
}

impl Drop for UserManager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut sweep = Command::new(APART[0]);
        sweep.args(&APART[1..]).args(["-c", SWEEP, "sh", &self.group]).stdin(Stdio::null());
        let swept = crate::run::poll(std::time::Duration::from_secs(10), || {
            sweep.output().ok().filter(|o| o.status.success())
        });
        if swept.is_none() {
            eprintln!("the control group {} is left", self.group);
        }
    }
}
