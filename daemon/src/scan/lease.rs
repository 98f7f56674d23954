//! Read leases: does anybody have this file open for writing?

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tidy_core::settle::Writers;

/// Lets the process survive `SIGIO`, which the kernel sends to the holder of a lease when somebody
/// else wants to write; its default action is to end the process. To be called before the first
/// [`probe`](super::probe); calling it again does no harm.
///
/// # Errors
/// Of `sigaction(2)`.
pub fn ignore_sigio() -> io::Result<()> {
    static DONE: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    if DONE.get().is_none() {
        // The flag is of no interest: a lease is held for microseconds and released anyway.
        signal_hook::flag::register(signal_hook::consts::SIGIO, Arc::new(AtomicBool::new(false)))?;
        let _ = DONE.set(());
    }
    Ok(())
}

/// A read lease on an open file: while it lives, whoever opens the file for writing has to wait for its
/// end. Taken only to be released at once.
#[derive(Debug)]
pub(super) struct Lease<'fd> {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "leases are Linux's"))]
    fd: BorrowedFd<'fd>,
}

impl<'fd> Lease<'fd> {
    /// Takes a lease on a file that is open read-only, or says who is in the way.
    pub(super) fn take(fd: &'fd impl AsFd) -> Result<Self, Writers> {
        let fd = fd.as_fd();
        #[cfg(target_os = "linux")]
        match sys::set_lease(fd, libc::F_RDLCK) {
            Ok(()) => Ok(Self { fd }),
            // A descriptor or a shared mapping is open for writing (fcntl(2), F_SETLEASE).
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Err(Writers::Someone),
            // EACCES: a file of somebody else. EINVAL: a file system without leases.
            Err(_) => Err(Writers::Unknowable),
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = fd;
            Err(Writers::Unknowable)
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // It cannot fail on a lease that is held; and closing the file would release it too.
        let _ = sys::set_lease(self.fd, libc::F_UNLCK);
    }
}

#[cfg(target_os = "linux")]
mod sys {
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd};

    /// `fcntl(fd, F_SETLEASE, kind)`; no safe crate in use has the call.
    pub(super) fn set_lease(fd: BorrowedFd<'_>, kind: i32) -> io::Result<()> {
        // SAFETY: `fd` is open for the length of the call (`BorrowedFd`), and F_SETLEASE takes an
        // integer: no memory is passed.
        let rc = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETLEASE, kind) };
        if rc == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
