//! Tells when something is mounted or unmounted, and where: a root that was missing may be there now, and one that is
//! there may be in another file system.

#[cfg(target_os = "linux")]
use std::{collections::BTreeSet, ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

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
    let file = std::fs::File::open("/proc/self/mountinfo")?;
    let mut before = mounts(&file)?;
    loop {
        let mut fds = [PollFd::new(&file, PollFlags::PRI)];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        if !fds[0].revents().intersects(PollFlags::PRI | PollFlags::ERR) {
            continue;
        }
        let now = mounts(&file)?;
        let at = before.symmetric_difference(&now).map(|(_, at)| at.clone()).collect();
        before = now;
        if events.blocking_send(Event::MountsChanged(at)).is_err() {
            return Ok(());
        }
    }
}

/// Every mount: its number, which tells it from another one at the same place, and the place.
#[cfg(target_os = "linux")]
fn mounts(mut file: &std::fs::File) -> std::io::Result<BTreeSet<(Vec<u8>, PathBuf)>> {
    use std::io::{Read, Seek};
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    let mount = |line: &[u8]| {
        let mut fields = line.split(|b| *b == b' ');
        let (id, at) = (fields.next()?, fields.nth(3)?);
        Some((id.to_owned(), PathBuf::from(OsString::from_vec(unescaped(at)))))
    };
    Ok(text.split(|b| *b == b'\n').filter_map(mount).collect())
}

/// Space, tab, newline and backslash are written as `\` and three octal digits.
#[cfg(target_os = "linux")]
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let octal = digits.and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        out.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    out
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_whatever_is_in_their_names() {
        assert_eq!(unescaped(br"/mnt/a\040b\134c\012"), b"/mnt/a b\\c\n");
        assert_eq!(unescaped(br"/mnt/\9\04"), br"/mnt/\9\04");
    }

    #[test]
    fn the_root_directory_is_mounted() {
        let file = std::fs::File::open("/proc/self/mountinfo").unwrap();
        let mounts = mounts(&file).unwrap();
        assert!(mounts.iter().any(|(_, at)| at == std::path::Path::new("/")), "{mounts:?}");
    }
}
