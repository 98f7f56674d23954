//! The least that can be done: bare system calls, as a program of its own so that it is measured like the others.

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, StatxFlags};

/// Reads all directories below one, and looks at every file. Returns how many there are.
pub(crate) fn walk(dir: &Path) -> io::Result<u64> {
    let mut files = 0;
    each(dir, &mut |at, name| {
        let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        rustix::fs::statx(at, name, AtFlags::SYMLINK_NOFOLLOW, mask)?;
        files += 1;
        Ok(())
    })?;
    Ok(files)
}

/// Reads every byte of every file.
pub(crate) fn read(dir: &Path) -> io::Result<u64> {
    let (mut bytes, mut buf) = (0, vec![0; 128 * 1024]);
    each(dir, &mut |at, name| {
        let fd = rustix::fs::openat(at, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut file = fs::File::from(fd);
        loop {
            match file.read(&mut buf)? {
                0 => return Ok(()),
                n => bytes += n as u64,
            }
        }
    })?;
    Ok(bytes)
}

/// Moves every file below `from` into folders of 1,000 in `to`, without replacing anything; and syncs all folders
/// concerned once for every `sync` files (0: at the end). Then puts all of them back. Returns how many seconds the way there
/// took.
pub(crate) fn rename(from: &Path, to: &Path, sync: u64) -> io::Result<f64> {
    let begin = Instant::now();
    let moved = there(from, to, sync)?;
    let took = begin.elapsed().as_secs_f64();
    for (n, (dir, name)) in moved.iter().enumerate() {
        let now = to.join(format!("{}/{n}", n / FOLDER));
        rustix::fs::renameat_with(
            CWD,
            &now,
            CWD,
            dir.join(OsStr::from_bytes(name.to_bytes())),
            RenameFlags::NOREPLACE,
        )?;
    }
    fs::remove_dir_all(to)?;
    Ok(took)
}

/// Files in a folder.
const FOLDER: usize = 1000;

/// Where each file was: the folder, and its name there.
type Moved = Vec<(Rc<Path>, CString)>;

fn there(from: &Path, to: &Path, sync: u64) -> io::Result<Moved> {
    fs::create_dir_all(to)?;
    let mut moved = Moved::new();
    let mut unsynced: Vec<PathBuf> = Vec::new();
    let mut into: Option<(usize, fs::File)> = None;
    let mut paths = Vec::new();
    directories(from, &mut paths)?;
    for dir in paths {
        let at = open(&dir)?;
        let mut names = Vec::new();
        list(&at, &mut |name, kind| {
            if kind == FileType::RegularFile {
                names.push(name.to_owned());
            }
        })?;
        let path: Rc<Path> = dir.as_path().into();
        if !names.is_empty() {
            unsynced.push(dir);
        }
        for name in names {
            let folder = moved.len() / FOLDER;
            if into.as_ref().is_none_or(|(n, _)| *n != folder) {
                let folder_path = to.join(format!("{folder}"));
                fs::create_dir_all(&folder_path)?;
                into = Some((folder, open(&folder_path)?));
                unsynced.push(folder_path);
            }
            if let Some((_, into)) = &into {
                let new = format!("{}", moved.len());
                rustix::fs::renameat_with(&at, &name, into, new, RenameFlags::NOREPLACE)?;
            }
            moved.push((path.clone(), name));
            if sync > 0 && (moved.len() as u64).is_multiple_of(sync) {
                sync_all(&mut unsynced)?;
            }
        }
    }
    sync_all(&mut unsynced)?;
    Ok(moved)
}

fn sync_all(dirs: &mut Vec<PathBuf>) -> io::Result<()> {
    dirs.sort();
    dirs.dedup();
    let last = dirs.last().cloned();
    for dir in dirs.drain(..) {
        open(&dir)?.sync_all()?;
    }
    dirs.extend(last);
    Ok(())
}

fn open(dir: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).custom_flags(OFlags::DIRECTORY.bits().cast_signed()).open(dir)
}

fn list(dir: &fs::File, each: &mut dyn FnMut(&CStr, FileType)) -> io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            each(entry.file_name(), entry.file_type());
        }
    }
    Ok(())
}

fn directories(at: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    out.push(at.to_owned());
    let mut below = Vec::new();
    list(&open(at)?, &mut |name, kind| {
        if kind == FileType::Directory {
            below.push(at.join(OsStr::from_bytes(name.to_bytes())));
        }
    })?;
    below.iter().try_for_each(|dir| directories(dir, out))
}

fn each(at: &Path, work: &mut dyn FnMut(&fs::File, &CStr) -> io::Result<()>) -> io::Result<()> {
    let dir = open(at)?;
    let (mut files, mut below) = (Vec::new(), Vec::new());
    list(&dir, &mut |name, kind| match kind {
        FileType::Directory => below.push(at.join(OsStr::from_bytes(name.to_bytes()))),
        FileType::RegularFile => files.push(name.to_owned()),
        _ => {}
    })?;
    for name in files {
        work(&dir, &name)?;
    }
    below.iter().try_for_each(|dir| each(dir, work))
}
