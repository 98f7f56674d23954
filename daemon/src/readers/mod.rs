//! readers: what files say of themselves, read by processes that can be lost.
//!
//! In: an open file, its kind and size. Out: metadata or text as a fact. The readers behind it
//! (`inspect::metadata`) take apart what strangers made, and nothing within a process bounds the
//! memory, the time and the stack of a parser. So they run in workers: processes with limits on memory
//! and processor time, which may open, write and run nothing and hold nothing but the file they were
//! given. One that dies, or takes too long, makes the fact unreadable, with the reason, and the next
//! file gets a new one.
//!
//! ```text
//! tidyd ──"one more"──▶ host ──fork──▶ worker      host: `tidyd read-metadata`, started before tidyd is
//!   │ ◀────socket─────────┘              ▲         confined, since afterwards it may run nothing
//!   └───request and file───────reply─────┘
//! ```
//!
//! May not know: rules, plans, the journal, the catalog, which files are whose.

mod host;
mod limits;
mod passing;
mod wire;
mod worker;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidy_core::facts::{Fact, Kind};
use tidy_core::metadata::Metadata;

use crate::inspect::metadata as readers;
use wire::{Reply, Request, Want};

/// The hidden subcommand that makes a process the host.
pub const HOST: &str = "read-metadata";

/// How long an answer is waited for. Workers end themselves before.
const PATIENCE: Duration = Duration::from_secs(worker::WALL_SECONDS as u64 + 5);

/// Workers that are kept for the next file.
const KEPT: usize = 4;

/// A handle on the workers. Cheap to clone; the processes end with the last one.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    Apart {
        host: Mutex<UnixStream>,
        /// Workers that wait for a file.
        idle: Mutex<Vec<UnixStream>>,
    },
    /// There is no host; why.
    None(String),
    /// In this process: for tests of what comes after.
    #[cfg(test)]
    Here,
}

/// Why a worker gave no answer.
enum Lost {
    /// It is gone, or speaks nonsense.
    Gone,
    /// There is none.
    None(String),
}

impl Readers {
    /// Starts the host. To be called before the process is confined and starts threads.
    pub fn start() -> Self {
        let inner = match start_host() {
            Ok(host) => Inner::Apart { host: Mutex::new(host), idle: Mutex::default() },
            Err(e) => Inner::None(format!("the process that reads it could not be started: {e}")),
        };
        Self(Arc::new(inner))
    }

    /// Reads in this process.
    #[cfg(test)]
    pub(crate) fn here() -> Self {
        Self(Arc::new(Inner::Here))
    }

    /// Why nothing can be read, when it cannot.
    pub fn trouble(&self) -> Option<&str> {
        match &*self.0 {
            Inner::None(why) => Some(why),
            _ => None,
        }
    }

    /// Whether the host, which was there, is gone: what is kept of its workers is the last.
    pub fn is_gone(&self) -> bool {
        use rustix::net::RecvFlags;
        let Inner::Apart { host, .. } = &*self.0 else { return false };
        // Somebody who asks it for a worker right now learns it as well.
        let Ok(host) = host.try_lock() else { return false };
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        // It speaks only when it is asked: an end of file is all there can be.
        let heard = rustix::net::recv(&*host, &mut [0_u8; 1], flags);
        matches!(heard, Ok((_, 0)) | Err(rustix::io::Errno::CONNRESET))
    }

    /// What the file says of itself. [`Fact::Absent`] when its format has no reader, or it says nothing.
    pub fn metadata(&self, file: &File, kind: &Kind, len: u64) -> Fact<Metadata> {
        #[cfg(test)]
        if matches!(*self.0, Inner::Here) {
            return readers::metadata(file, kind, len);
        }
        if !readers::has_metadata(&kind.media_type) || len == 0 {
            return Fact::Absent;
        }
        match self.ask(Want::Metadata, file, kind, len) {
            Ok(reply) => reply.into_metadata(),
            Err(why) => Fact::Unreadable(why.into()),
        }
    }

    /// The beginning of its text. Text files are looked at here: nothing takes them apart.
    pub fn text(&self, file: &File, kind: &Kind, len: u64) -> Fact<Arc<str>> {
        #[cfg(test)]
        if matches!(*self.0, Inner::Here) {
            return readers::text(file, kind, len);
        }
        if !readers::has_text(&kind.media_type) || len == 0 {
            return readers::text(file, kind, len);
        }
        match self.ask(Want::Text, file, kind, len) {
            Ok(reply) => reply.into_text(),
            Err(why) => Fact::Unreadable(why.into()),
        }
    }

    fn ask(&self, want: Want, file: &File, kind: &Kind, len: u64) -> Result<Reply, String> {
        let request = Request { want, media_type: kind.media_type.to_string(), len };
        // One that was kept may have been lost since, which is not the file's fault.
        if let Some(worker) = self.kept()
            && let Ok(reply) = self.ask_one(worker, &request, file)
        {
            return Ok(reply);
        }
        let worker = self.more().map_err(|lost| match lost {
            Lost::None(why) => why,
            Lost::Gone => "the process that reads it is gone; restart tidyd".to_owned(),
        })?;
        let started = Instant::now();
        self.ask_one(worker, &request, file).map_err(|_| {
            if started.elapsed() < PATIENCE {
                "reading it took more time or memory than it may, or made its reader fail"
                    .to_owned()
            } else {
                "reading it takes too long".to_owned()
            }
        })
    }

    fn ask_one(&self, worker: UnixStream, request: &Request, file: &File) -> Result<Reply, Lost> {
        let reply = wire::call(&worker, request, file, PATIENCE).map_err(|_| Lost::Gone)?;
        if let Inner::Apart { idle, .. } = &*self.0 {
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < KEPT {
                idle.push(worker);
            }
        }
        Ok(reply)
    }

    fn kept(&self) -> Option<UnixStream> {
        match &*self.0 {
            Inner::Apart { idle, .. } => idle.lock().unwrap_or_else(PoisonError::into_inner).pop(),
            _ => None,
        }
    }

    /// A new worker.
    fn more(&self) -> Result<UnixStream, Lost> {
        match &*self.0 {
            Inner::Apart { host, .. } => {
                let host = host.lock().unwrap_or_else(PoisonError::into_inner);
                host::one_more(&host).map_err(|_| Lost::Gone)
            }
            Inner::None(why) => Err(Lost::None(why.clone())),
            #[cfg(test)]
            Inner::Here => Err(Lost::Gone),
        }
    }
}

/// The program itself, also when its file has been replaced since it was started.
fn own_program() -> io::Result<std::path::PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() }
}

fn start_host() -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(own_program()?);
    command.arg0("tidyd").arg(HOST).current_dir("/").env_clear();
    // It outlives a Ctrl-C, and ends when this end of the socket is closed.
    command.process_group(0);
    command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
    // Waited for by nobody: it lives as long as this process does.
    drop(command.spawn()?);
    ours.set_read_timeout(Some(PATIENCE))?;
    Ok(ours)
}

pub use host::run as run_host;
