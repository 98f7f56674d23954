//! Preconditions: is this the file that the plan means, and has its twin the same bytes?

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use tidy_core::facts::{FileType, Identity, Stat};
use tidy_core::plan::{Place, Twin};
use tidy_core::settle::{Probe, Writers};

use super::entry::{Dir, Entry};
use super::error::ActError;
use crate::reading::{self, Purpose};
use crate::{beneath, scan};

/// Bytes read at a time. Large enough that system calls do not show, small enough for the caches.
pub(super) const BUFFER: usize = 256 * 1024;

/// Bytes read first: most files are smaller, and memory that is not touched costs nothing.
const FIRST: usize = 16 * 1024;

/// How often a file that seems to be open for writing is asked about. A program that is just being
/// started shares all descriptors of the one that starts it until it calls `exec`, so an answer
/// can be wrong for a moment, and a file that is let go is settled again for seconds.
const PROBES: usize = 10;
const BETWEEN_PROBES: Duration = Duration::from_millis(2);

/// The source must be the regular file that was looked at when the plan was made.
pub(super) fn source(from: Entry<'_>, expect: Identity) -> Result<Stat, ActError> {
    match from.stat()? {
        None => Err(ActError::SourceGone { path: from.path() }),
        Some(s) if s.file_type != FileType::Regular => {
            Err(ActError::NotRegular { path: from.path() })
        }
        Some(s) if s.id != expect => Err(ActError::SourceChanged { path: from.path() }),
        Some(s) => Ok(s),
    }
}

/// The file that a companion goes with must be where it was to go: as large as it was, whatever device
/// it is on now.
pub(super) fn followed(main: &Twin) -> Result<(), ActError> {
    let stays = || ActError::NotFollowed { main: main.path.clone() };
    let (Some(parent), Some(name)) = (main.path.parent(), main.path.file_name()) else {
        return Err(stays());
    };
    let dir = beneath::open_dir(parent, std::path::Path::new("")).map_err(|_| stays())?;
    match Dir::new(dir, parent.to_owned()).at(name).stat()? {
        Some(s) if s.file_type == FileType::Regular && s.id.size == main.id.size => Ok(()),
        _ => Err(stays()),
    }
}

/// Opens the source and makes sure that what was opened is what is expected.
pub(super) fn open_source(from: Entry<'_>, expect: Identity) -> Result<(OwnedFd, Stat), ActError> {
    source(from, expect)?;
    let fd = from.open()?;
    let stat = fstat(fd.as_fd(), from)?;
    if stat.id != expect || stat.file_type != FileType::Regular {
        return Err(ActError::SourceChanged { path: from.path() });
    }
    Ok((fd, stat))
}

/// Neither the open file nor what its name stands for has changed since `before`. The change time
/// is compared too: unlike the modification time no program can set it back.
pub(super) fn unchanged(
    fd: BorrowedFd<'_>,
    from: Entry<'_>,
    before: &Stat,
) -> Result<(), ActError> {
    let same = |s: &Stat| s.id == before.id && s.ctime == before.ctime;
    let named = from.stat()?.ok_or_else(|| ActError::SourceGone { path: from.path() })?;
    if same(&named) && same(&fstat(fd, from)?) {
        Ok(())
    } else {
        Err(ActError::SourceChanged { path: from.path() })
    }
}

/// Nobody has the source open for writing, as far as a read lease can tell: not on network file
/// systems, not for other people's files, not on macOS.
pub(super) fn nobody_writes(src: &Place) -> Result<(), ActError> {
    unless(|| matches!(scan::probe(src), Probe::Seen(_, Writers::Someone)), || src.path())
}

/// The same of a name in an open directory, which was looked at a moment ago.
pub(super) fn nobody_writes_to(source: Entry<'_>, stat: &Stat) -> Result<(), ActError> {
    let is_written = || scan::is_written(source.dir.as_fd(), source.name, stat);
    unless(is_written, || source.path())
}

fn unless(is_written: impl Fn() -> bool, path: impl Fn() -> PathBuf) -> Result<(), ActError> {
    // Whoever opens the file while the lease is held makes the kernel send SIGIO, which would end
    // a process that has not said otherwise.
    if scan::ignore_sigio().is_err() {
        return Ok(());
    }
    for attempt in 0..PROBES {
        if attempt > 0 {
            std::thread::sleep(BETWEEN_PROBES);
        }
        if !is_written() {
            return Ok(());
        }
    }
    Err(ActError::StillWritten { path: path() })
}

fn fstat(fd: BorrowedFd<'_>, of: Entry<'_>) -> Result<Stat, ActError> {
    beneath::stat_fd(fd).map_err(ActError::io("look at", of.path()))
}

/// The keeper must be another file with the same bytes, and both must be what they were when the
/// last byte has been compared.
pub(super) fn twin(from: Entry<'_>, expect: Identity, twin: &Twin) -> Result<(), ActError> {
    let changed = || ActError::TwinChanged { twin: twin.path.clone() };
    let differs = || ActError::TwinDiffers { path: from.path(), twin: twin.path.clone() };
    let (Some(parent), Some(name)) = (twin.path.parent(), twin.path.file_name()) else {
        return Err(changed());
    };
    let dir = beneath::open_dir(parent, std::path::Path::new("")).map_err(|_| changed())?;
    let dir = Dir::new(dir, parent.to_owned());
    let keeper = dir.at(name);
    let as_twin = |e| match e {
        ActError::SourceGone { .. }
        | ActError::SourceChanged { .. }
        | ActError::NotRegular { .. } => changed(),
        other => other,
    };

    let (ours, our_stat) = open_source(from, expect)?;
    let (theirs, their_stat) = open_source(keeper, twin.id).map_err(as_twin)?;
    if our_stat.dev == their_stat.dev && our_stat.id.ino == their_stat.id.ino {
        // Two hard links are fine: the content stays under the keeper's name.
        return if is_second_name(from, &our_stat, keeper)? { Ok(()) } else { Err(differs()) };
    }
    let _reading = reading::begin(&from.path(), our_stat.id.size, Purpose::Compare);
    if our_stat.id.size != their_stat.id.size
        || !same_bytes(ours.as_fd(), from, theirs.as_fd(), keeper)?
    {
        return Err(differs());
    }
    unchanged(ours.as_fd(), from, &our_stat)?;
    unchanged(theirs.as_fd(), keeper, &their_stat).map_err(as_twin)
}

/// Whether the other entry is another name of the same file. One and the same entry is not: with it
/// the content would go.
pub(super) fn is_second_name(
    entry: Entry<'_>,
    stat: &Stat,
    other: Entry<'_>,
) -> Result<bool, ActError> {
    let Some(there) = other.stat()? else { return Ok(false) };
    let same_file = there.dev == stat.dev
        && there.id.ino == stat.id.ino
        && there.file_type == FileType::Regular
        && stat.nlink > 1;
    let one_entry =
        entry.dir.key()? == other.dir.key()? && entry.name.eq_ignore_ascii_case(other.name);
    Ok(same_file && !one_entry)
}

/// Compares two open files byte for byte.
pub(super) fn same_bytes(
    a: BorrowedFd<'_>,
    a_entry: Entry<'_>,
    b: BorrowedFd<'_>,
    b_entry: Entry<'_>,
) -> Result<bool, ActError> {
    compare(a, b).map_err(|(first, e)| {
        let entry = if first { a_entry } else { b_entry };
        ActError::io("read", entry.path())(e)
    })
}

/// The same; an error says whether it was the first file that could not be read.
pub(super) fn compare(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> Result<bool, (bool, Errno)> {
    let (mut left, mut right) = (vec![0; FIRST], vec![0; FIRST]);
    let mut offset = 0;
    loop {
        let n = read_full(a, &mut left, offset).map_err(|e| (true, e))?;
        let m = read_full(b, &mut right, offset).map_err(|e| (false, e))?;
        if left[..n] != right[..m] {
            return Ok(false);
        }
        if n < left.len() {
            return Ok(true);
        }
        offset += n as u64;
        left.resize(BUFFER, 0);
        right.resize(BUFFER, 0);
    }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_full(fd: BorrowedFd<'_>, buf: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let mut filled = 0;
    while filled < buf.len() {
        let at = offset + filled as u64;
        match retry_on_intr(|| rustix::io::pread(fd, &mut buf[filled..], at))? {
            0 => break,
            n => filled += n,
        }
    }
    reading::have_read(filled);
    Ok(filled)
}
