//! Runs a program and measures it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde::Serialize;

/// What one run took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Taken {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    /// Most memory it had at once, in bytes.
    pub(crate) peak: u64,
    /// Bytes it read from the disk, and had written to it.
    pub(crate) disk_read: u64,
    pub(crate) disk_written: u64,
    /// Bytes it asked for by `read(2)` and its kin, from the disk or not.
    pub(crate) read: u64,
    /// Times it waited, for the disk or for others.
    pub(crate) waits: u64,
}

/// A program and its arguments.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Call {
    pub(crate) program: String,
    #[serde(serialize_with = "shown")]
    pub(crate) arguments: Vec<OsString>,
    /// Exit codes that count as a success.
    #[serde(skip)]
    pub(crate) good: &'static [i32],
    /// Its home, if it is to leave the caller's alone.
    #[serde(skip)]
    pub(crate) home: Option<PathBuf>,
}

fn shown<S: serde::Serializer>(arguments: &[OsString], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(arguments.iter().map(|a| a.to_string_lossy()))
}

impl Call {
    pub(crate) fn new(program: &str, arguments: &[&dyn AsArgument]) -> Self {
        let arguments = arguments.iter().map(|a| a.argument()).collect();
        Self { program: program.to_owned(), arguments, good: &[0], home: None }
    }

    /// The program, its arguments and its home, with nothing to read.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        if let Some(home) = &self.home {
            command.env("HOME", home);
            for place in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
                command.env_remove(place);
            }
        }
        command
    }

    /// Runs it; its answer goes to a file, so that nobody waits for a reader.
    pub(crate) fn run(&self, answer: &Path) -> io::Result<Taken> {
        let mut command = self.command();
        command.stdout(File::create(answer)?).stderr(File::create(answer.with_extension("err"))?);
        let begin = Instant::now();
        let child =
            command.spawn().map_err(|e| io::Error::other(format!("{}: {e}", self.program)))?;
        let (status, mut taken) = wait(child.id())?;
        taken.wall_s = (Instant::now() - begin).as_secs_f64();
        if !status.code().is_some_and(|code| self.good.contains(&code)) {
            let said = fs::read_to_string(answer.with_extension("err")).unwrap_or_default();
            return Err(io::Error::other(format!("{self:?}: {status}\n{said}")));
        }
        Ok(taken)
    }
}

pub(crate) trait AsArgument {
    fn argument(&self) -> OsString;
}

impl AsArgument for &str {
    fn argument(&self) -> OsString {
        self.into()
    }
}

impl AsArgument for &Path {
    fn argument(&self) -> OsString {
        self.as_os_str().to_owned()
    }
}

/// Waits for a child, and reads what it took before it is gone for good.
fn wait(pid: u32) -> io::Result<(ExitStatus, Taken)> {
    let id = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        match waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    // Of a process that has ended and not been waited for yet, the kernel still tells (proc_pid_io(5)).
    let said = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let field = |name: &str| {
        let line = said.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|n| n.parse().ok()).unwrap_or(0)
    };
    let mut status = 0;
    // SAFETY: an all-zero `rusage` is a valid value of it: plain numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to our own variables, which live through the call.
    let waited = unsafe { libc::wait4(pid.cast_signed(), &raw mut status, 0, &raw mut usage) };
    if waited < 0 {
        return Err(io::Error::last_os_error());
    }
    let time = |t: libc::timeval| {
        Duration::new(t.tv_sec.unsigned_abs(), t.tv_usec.unsigned_abs() as u32 * 1000)
    };
    let taken = Taken {
        wall_s: 0.0,
        cpu_s: (time(usage.ru_utime) + time(usage.ru_stime)).as_secs_f64(),
        // Kilobytes (getrusage(2)).
        peak: usage.ru_maxrss.unsigned_abs() * 1024,
        disk_read: field("read_bytes"),
        disk_written: field("write_bytes"),
        read: field("rchar"),
        waits: usage.ru_nvcsw.unsigned_abs(),
    };
    Ok((ExitStatus::from_raw(status), taken))
}

/// Has the kernel forget what it knows of the disk; `false`: only root may.
pub(crate) fn forget_disk() -> bool {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// Whether a program can be found.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.contains('/') || std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Bytes of all files below a directory, as the disk counts them.
pub(crate) fn size_on_disk(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|e| {
        let meta = e.metadata().ok()?;
        Some(if meta.is_dir() { size_on_disk(&e.path()) } else { meta.blocks() * 512 })
    });
    sizes.sum()
}
