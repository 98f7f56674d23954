//! What a command says: read as it comes, never waited for. Whatever it leaves behind may hold the pipes open for ever.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};

/// Bytes kept of each of its outputs; the end says more than the beginning.
const KEPT: usize = 2_048;

/// Read from an output at a time: as much as a pipe holds, and a bound for one that never ends.
const AT_ONCE: usize = 64 * 1024;

/// Both outputs of a command.
pub(super) struct Said([Output; 2]);

struct Output {
    /// `None`: it has been closed.
    pipe: Option<std::fs::File>,
    end: Vec<u8>,
}

impl Said {
    /// Takes the outputs over.
    pub(super) fn by(child: &mut Child) -> Self {
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        Self([stdout, stderr].map(Output::new))
    }

    /// Reads what is there, or waits for it so long; also when both outputs are closed.
    pub(super) fn listen(&mut self, at_most: Duration) {
        let pipes = self.0.iter().filter_map(|o| o.pipe.as_ref());
        let mut pipes: Vec<_> = pipes.map(|p| PollFd::new(p, PollFlags::IN)).collect();
        let timeout = Timespec::try_from(at_most).ok();
        // A signal only makes the wait shorter.
        let _ = poll(&mut pipes, timeout.as_ref());
        self.0.iter_mut().for_each(Output::read);
    }

    /// The end of what was said.
    pub(super) fn end(self) -> Vec<u8> {
        self.0.into_iter().flat_map(|o| o.end).collect()
    }
}

impl Output {
    fn new(pipe: Option<OwnedFd>) -> Self {
        // One that would block is not read at all.
        let pipe = pipe.filter(|p| fcntl_setfl(p.as_fd(), OFlags::NONBLOCK).is_ok());
        Self { pipe: pipe.map(std::fs::File::from), end: Vec::new() }
    }

    fn read(&mut self) {
        let mut buffer = [0; 4_096];
        for _ in 0..AT_ONCE / buffer.len() {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(n) if n > 0 => {
                    self.end.extend_from_slice(&buffer[..n]);
                    let over = self.end.len().saturating_sub(KEPT);
                    self.end.drain(..over);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                _ => self.pipe = None,
            }
        }
    }
}
