//! The control socket that the service manager has opened for us, if it has: `sd_listen_fds(3)`.

use std::os::fd::{FromRawFd as _, OwnedFd};

use tidy_protocol::ExitCode as Code;

use super::Fatal;
use crate::control::{self, ControlError};

/// Takes it. Must be called once, before anything else is opened or started: nobody else may come to have it.
pub(super) fn socket() -> Result<Option<OwnedFd>, Fatal> {
    let wrong = |message: String, hint: &str| Fatal::new(Code::Failed, message, hint);
    let descriptors = sd_notify::listen_fds().map_err(|e| {
        wrong(
            format!("what the service manager hands over is not there: {e}"),
            "see LISTEN_FDS in sd_listen_fds(3)",
        )
    })?;
    let mut sockets = descriptors.map(|fd| {
        // SAFETY: `LISTEN_PID` names this process, so the descriptors from 3 on were opened for it by whoever started
        // it; it has opened none itself yet, and asks for them this once.
        unsafe { OwnedFd::from_raw_fd(fd) }
    });
    let Some(socket) = sockets.next() else { return Ok(None) };
    let more = sockets.count();
    if more > 0 {
        let message = format!("{} sockets were handed over, and tidyd takes one", more + 1);
        return Err(wrong(message, "the socket unit needs one ListenStream= with a path"));
    }
    let refused = |e: ControlError| wrong(e.to_string(), e.hint());
    control::check_fd(&socket).map_err(refused)?;
    Ok(Some(socket))
}
