//! What a worker may: nothing but read the file it was given, with so much memory and time.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes of memory of its own.
const MEMORY: u64 = 256 * 1024 * 1024;

/// Bytes of address space, a mapped file included.
const ADDRESSES: u64 = 1024 * 1024 * 1024;

/// Files open at a time: three standard ones, two sockets, the file.
const FILES: u64 = 16;

/// For the host, and with it for every worker. There is no way back.
pub(super) fn apply() -> io::Result<()> {
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Data, MEMORY),
        (Resource::As, ADDRESSES),
        (Resource::Nofile, FILES),
    ] {
        lower(resource, most)?;
    }
    ignore_signals();
    // Where there is no Landlock the limits and the missing files have to do.
    let _ = crate::confine::confine(&crate::confine::Reach::default());
    Ok(())
}

fn lower(resource: Resource, most: u64) -> io::Result<()> {
    let now = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let most = Some(most.min(now));
    setrlimit(resource, Rlimit { current: most, maximum: most })?;
    Ok(())
}

/// The host ends when tidyd does, which may have a file to finish after the signal that stops it; and
/// nobody waits for workers.
fn ignore_signals() {
    for signal in [libc::SIGCHLD, libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
        // SAFETY: ignoring a signal runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// From now on so many seconds are left, by the clock and of the processor. When they are over the
/// kernel ends the process, whatever it does.
pub(super) fn start_clocks(wall: u32, cpu: u64) {
    // SAFETY: the signal's default action ends the process, which is what is wanted.
    unsafe { libc::alarm(wall) };
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let until = u64::try_from(used).unwrap_or(0) + 1 + cpu;
    let limit = Rlimit { current: Some(until), maximum: getrlimit(Resource::Cpu).maximum };
    // Can only fail when less is left anyway.
    let _ = setrlimit(Resource::Cpu, limit);
}

/// The next file may be long in coming.
pub(super) fn stop_clock() {
    // SAFETY: takes the alarm back.
    unsafe { libc::alarm(0) };
}
