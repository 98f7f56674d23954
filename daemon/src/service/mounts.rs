//! Tells when something is mounted or unmounted: a root that was missing may be there now.

use tokio::sync::mpsc::Sender;

use crate::coordinator::Event;

/// Starts to listen. Where that is not possible, roots are looked for by time alone.
#[cfg(target_os = "linux")]
pub(super) fn watch(events: Sender<Event>) {
    let started = std::thread::Builder::new().name("mounts".into()).spawn(move || {
        if let Err(error) = listen(&events) {
            tracing::debug!(%error, "mounts are not watched");
        }
    });
    if let Err(error) = started {
        tracing::debug!(%error, "mounts are not watched");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn watch(_events: Sender<Event>) {}

/// `proc_pid_mountinfo(5)`: the file is ready with `POLLPRI` after each change. Ends with the loop.
#[cfg(target_os = "linux")]
fn listen(events: &Sender<Event>) -> std::io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    let mounts = std::fs::File::open("/proc/self/mountinfo")?;
    loop {
        let mut fds = [PollFd::new(&mounts, PollFlags::PRI)];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let changed = fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR);
        if changed && events.blocking_send(Event::MountsChanged).is_err() {
            return Ok(());
        }
    }
}
