//! The host: a process without threads, files or rights that makes workers by forking itself.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use super::{limits, passing, worker};

/// Asks the host for a worker.
pub(super) fn one_more(mut host: &UnixStream) -> io::Result<UnixStream> {
    host.write_all(b"+")?;
    let mut byte = [0; 1];
    let (n, file) = passing::receive(host.as_fd(), &mut byte)?;
    match file {
        Some(socket) if n == 1 => Ok(UnixStream::from(socket)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Runs the host on its standard input until that ends.
pub fn run() -> ExitCode {
    let Ok(control) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    match serve(control) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(control: OwnedFd) -> io::Result<()> {
    // Somebody who runs this by hand has a terminal or a file there, and no business here.
    rustix::net::sockopt::socket_type(&control)?;
    limits::apply()?;
    let mut control = UnixStream::from(control);
    let mut byte = [0; 1];
    loop {
        match control.read(&mut byte) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        }
        let (ours, theirs) = UnixStream::pair()?;
        // SAFETY: this process has one thread, so that the child may do all that its parent may.
        match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => {
                drop((control, theirs));
                worker::run(&ours);
                // SAFETY: ends this process without running what its parent registered to be run.
                unsafe { libc::_exit(0) }
            }
            _ => {
                drop(ours);
                passing::send(control.as_fd(), b"+", theirs.as_fd())?;
            }
        }
    }
}
