//! Images as files of a FUSE file system of our own, which takes down every write and flush that reaches them. A loop
//! device on such a file is a disk whose every request is known, as with the kernel's `dm-log-writes`.
//!
//! One thread answers one request after the other, so a write that was answered before a flush is before it in the
//! record. Writes are not cached: the kernel hands each one over before it reports it done.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation,
    INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite,
    Request, Session, WriteFlags,
};

use super::history::{Event, History, copy_sparse};

/// Images that are recorded while they are mounted.
#[derive(Debug)]
pub struct Recorder {
    session: Option<BackgroundSession>,
    at: PathBuf,
    bases: Vec<PathBuf>,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Recorder {
    /// Serves copies of the images `bases` as the files `0`, `1` … of a file system mounted in `scratch`.
    ///
    /// # Errors
    /// There is no FUSE here.
    ///
    /// # Panics
    /// The scratch directory cannot be written.
    pub fn start(bases: Vec<PathBuf>, scratch: &Path) -> std::io::Result<Self> {
        let at = scratch.join("recorded");
        fs::create_dir_all(&at).expect("own directory");
        let live = |(number, base): (usize, &PathBuf)| {
            let path = scratch.join(format!("live-{number}"));
            let _ = fs::remove_file(&path);
            copy_sparse(base, &path);
            File::options().read(true).write(true).open(&path).expect("own file")
        };
        let images = bases.iter().enumerate().map(live).collect();
        let events = Arc::new(Mutex::new(Vec::new()));
        let disks = Disks { images, events: events.clone() };
        let session = Session::new(disks, &at, &Config::default())?.spawn()?;
        Ok(Self { session: Some(session), at, bases, events })
    }

    /// The file of an image, to be mounted.
    pub fn image(&self, number: usize) -> PathBuf {
        self.at.join(number.to_string())
    }

    /// How many requests have been answered so far.
    pub fn position(&self) -> usize {
        lock(&self.events).len()
    }

    /// The record. The images have to be unmounted.
    ///
    /// # Panics
    /// They are not.
    pub fn finish(mut self) -> History {
        let session = self.session.take().expect("taken here and on drop only");
        session.umount_and_join().expect("the images are no longer in use");
        let events = std::mem::take(&mut *lock(&self.events));
        History { bases: std::mem::take(&mut self.bases), events }
    }
}

/// A list is whole between two pushes, whoever panicked.
fn lock(events: &Mutex<Vec<Event>>) -> MutexGuard<'_, Vec<Event>> {
    events.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Disks {
    images: Vec<File>,
    events: Arc<Mutex<Vec<Event>>>,
}

/// Nothing changes behind the kernel's back.
const FOREVER: Duration = Duration::from_secs(1 << 20);

impl Disks {
    /// Images have the numbers after the directory's.
    fn number(ino: INodeNo) -> Option<usize> {
        usize::try_from(ino.0).ok()?.checked_sub(2)
    }

    fn image(&self, ino: INodeNo) -> Option<(usize, &File)> {
        let number = Self::number(ino)?;
        Some((number, self.images.get(number)?))
    }

    fn attr(&self, ino: INodeNo) -> Option<FileAttr> {
        let (kind, size) = match ino {
            INodeNo::ROOT => (FileType::Directory, 0),
            _ => (FileType::RegularFile, self.image(ino)?.1.metadata().ok()?.len()),
        };
        Some(FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Disks {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
        match number.and_then(|n| self.attr(INodeNo(n + 2))) {
            Some(attr) => reply.entry(&FOREVER, &attr, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attr(ino) {
            Some(attr) => reply.attr(&FOREVER, &attr),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some((_, image)) = self.image(ino) else { return reply.error(Errno::EISDIR) };
        let mut bytes = vec![0; size as usize];
        match image.read_at(&mut bytes, offset) {
            Ok(length) => reply.data(&bytes[..length]),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some((number, image)) = self.image(ino) else { return reply.error(Errno::EISDIR) };
        if image.write_all_at(data, offset).is_err() {
            return reply.error(Errno::EIO);
        }
        lock(&self.events).push(Event::Write { image: number, offset, bytes: data.to_vec() });
        reply.written(u32::try_from(data.len()).expect("the kernel's own limit is smaller"));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if let Some(number) = Self::number(ino) {
            lock(&self.events).push(Event::Flush { image: number });
        }
        reply.ok();
    }
}
