//! A configuration, a state directory and a running `tidyd` of their own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Call, Taken};
use crate::{Common, run};

/// How long a program may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(600);

/// Empty directories, whatever was in them.
pub(crate) fn emptied(dirs: &[&Path]) -> io::Result<()> {
    for dir in dirs {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
    }
    Ok(())
}

/// A configuration by which everything that arrives in `inbox` is filed into `sorted`, by extension.
pub(crate) fn sorting(inbox: &Path, sorted: &Path, settle: &str) -> String {
    format!(
        "watch = [{inbox:?}]\nbreaker = false\nsettle = \"{settle}\"\nduplicates = {{ others = \"report\" }}\n\
         [[rule]]\nname = \"all\"\nwhen = {{}}\nmove = {to:?}\n[default]\n",
        to = sorted.join("{ext}/")
    )
}

/// Where tidyd keeps its things in a measurement.
pub(crate) struct House {
    dir: PathBuf,
    tidyd: String,
    tidyctl: String,
}

impl House {
    /// A new one, with this configuration.
    pub(crate) fn new(common: &Common, name: &str, config: &str) -> io::Result<Self> {
        let dir = std::path::absolute(common.scratch.join(name))?;
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(dir.join("state"))?;
        fs::set_permissions(dir.join("state"), fs::Permissions::from_mode(0o700))?;
        fs::write(dir.join("config.toml"), config)?;
        Ok(Self { dir, tidyd: common.tidyd(), tidyctl: common.program("tidyctl") })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    fn places(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("--config", self.dir.join("config.toml")),
            ("--state", self.state()),
            ("--socket", self.socket()),
        ]
    }

    /// Socket paths may have a hundred bytes.
    pub(crate) fn socket(&self) -> PathBuf {
        std::env::temp_dir().join(format!("tidy-bench-{}", std::process::id())).join("control.sock")
    }

    /// `tidyd`, to be run to its end.
    pub(crate) fn tidyd(&self, arguments: &[&str]) -> Call {
        let mut call = Call::new(&self.tidyd, &[]);
        for (option, path) in self.places() {
            call.arguments.extend([option.into(), path.into()]);
        }
        call.arguments.extend(arguments.iter().map(Into::into));
        call.good = &[0, 3];
        call.home = Some(self.dir.clone());
        call
    }

    /// `tidyctl` against the running service.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Call {
        let mut call = Call::new(&self.tidyctl, &[&"--socket", &self.socket().as_path()]);
        call.arguments.extend(arguments.iter().map(Into::into));
        call
    }

    /// Starts the service; ready when all folders have been walked.
    pub(crate) fn start(&self) -> io::Result<Service<'_>> {
        if let Some(dir) = self.socket().parent() {
            fs::create_dir_all(dir)?;
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        }
        let call = self.tidyd(&[]);
        let log = fs::File::create(self.dir.join("tidyd.log"))?;
        let mut command = call.command();
        command.stdout(Stdio::null()).stderr(log);
        let mut service = Service { child: command.spawn()?, house: self };
        let until = Instant::now() + PATIENCE;
        while !self.said(&["wait", "--timeout", "60s"])? {
            if service.child.try_wait()?.is_some() || Instant::now() > until {
                let log = fs::read_to_string(self.dir.join("tidyd.log")).unwrap_or_default();
                return Err(io::Error::other(format!("tidyd does not come up:\n{log}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(service)
    }

    /// Whether a question was answered.
    pub(crate) fn said(&self, question: &[&str]) -> io::Result<bool> {
        let mut command = self.ctl(question).command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.status()?.success())
    }

    pub(crate) fn answer(&self) -> PathBuf {
        self.dir.join("answer")
    }
}

/// A running `tidyd`; killed when it goes out of scope.
pub(crate) struct Service<'a> {
    child: Child,
    house: &'a House,
}

impl Service<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns once everything that has arrived is settled and processed.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE * 6;
        while !self.house.said(&["wait", "--timeout", "60s"])? {
            if Instant::now() > until {
                return Err(io::Error::other("tidyd does not come to rest"));
            }
        }
        Ok(())
    }

    /// A line of `/proc/PID/status`, in bytes.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let said = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = said.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
        let kilobytes = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }

    /// Processor time it has had, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let said = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // Fields 14 and 15, in ticks of a hundredth of a second (proc_pid_stat(5)); the name before may hold anything.
        let fields = said.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / 100.0
    }

    /// What it has taken since `begin`, when it had had so much processor time.
    pub(crate) fn taken_since(&self, begin: Instant, cpu: f64) -> Taken {
        Taken {
            wall_s: begin.elapsed().as_secs_f64(),
            cpu_s: self.cpu() - cpu,
            peak: self.memory("VmHWM"),
            ..Taken::default()
        }
    }
}

/// A thread: its number and its name.
pub(crate) type Thread = (u32, String);

impl Service<'_> {
    /// How often each thread has given up a processor, to wait or to another (proc_pid_status(5)): once for each time it woke.
    pub(crate) fn switches(&self) -> io::Result<BTreeMap<Thread, u64>> {
        let mut found = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let dir = task?.path();
            let id = dir.file_name().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(0);
            // It may have ended since.
            let Ok(name) = fs::read_to_string(dir.join("comm")) else { continue };
            let status = fs::read_to_string(dir.join("status")).unwrap_or_default();
            let switches = status.lines().filter(|l| l.contains("ctxt_switches:"));
            let count = switches.filter_map(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok());
            found.insert((id, name.trim().to_owned()), count.sum());
        }
        Ok(found)
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
        if let Some(dir) = self.house.socket().parent() {
            let _ = fs::remove_dir_all(dir);
        }
    }
}

/// Regular files below a directory.
pub(crate) fn count(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let counts = entries.map(|e| match e.file_type() {
        Ok(kind) if kind.is_dir() => count(&e.path()),
        Ok(kind) if kind.is_file() => 1,
        _ => 0,
    });
    counts.sum()
}

/// Bytes on disk of a state directory.
pub(crate) fn on_disk(house: &House) -> u64 {
    run::size_on_disk(&house.state())
}
