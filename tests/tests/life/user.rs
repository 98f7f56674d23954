//! What people and their programs do to files. Every call goes by a name and follows no link; which inode it really hit
//! is looked at through a handle, since tidyd may be moving the same file at that moment.

mod naming;
mod trash;
mod writing;

use std::ffi::OsString;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, XattrFlags, fsetxattr, open, renameat_with};
use tidy_tests::files::Sample;

use self::naming::*;
use self::trash::*;
use self::writing::*;
use super::disk::{self, Found, Kind, MARKERS};
use super::player::{Life, Writer};
use super::random::Random;
use super::thing::{self, Thing};

/// More files than this are a reason to clear up.
const CROWD: usize = 260;

type Action = fn(&mut Life, &mut Random) -> io::Result<()>;

const ACTIONS: &[(usize, Action)] = &[
    (22, create),
    (5, create_equal),
    (6, begin_writing),
    (12, go_on_writing),
    (5, append),
    (7, rewrite),
    (7, save_over),
    (8, rename),
    (8, relocate),
    (5, make_directory),
    (5, move_directory),
    (3, remove_directory),
    (8, delete),
    (3, replace_by_another),
    (2, replace_by_directory),
    (4, hard_link),
    (3, make_symlink),
    (1, make_fifo),
    (4, change_mode),
    (4, touch),
    (3, attribute),
    (2, empty_trash),
    (2, take_from_trash),
    (4, occupy),
    (3, start_project),
    (2, unpack),
    (4, download),
];

/// Does one of them. What the system refuses (a name that is taken, a file that has just gone) has not happened.
pub(crate) fn act(life: &mut Life, random: &mut Random) {
    let action = random.weighted(ACTIONS);
    let crowded = random.percent(25) && files(life).len() > CROWD;
    let action = if crowded { clear_up } else { action };
    match action(life, random) {
        Ok(()) => {}
        Err(e) => life.result(format_args!("{e}")),
    }
}

fn files(life: &Life) -> Vec<Found> {
    let trash = life.home().join(".local");
    let mut found = life.names();
    found.retain(|f| f.kind == Kind::File && !f.path.starts_with(&trash) && !life.is_busy(&f.path));
    found.retain(|f| !f.path.to_string_lossy().contains("/.Trash-"));
    // What tidyd is in the middle of copying is nobody's yet.
    found.retain(|f| !disk::is_leftover(&f.path));
    found
}

fn directories(life: &Life) -> Vec<PathBuf> {
    let trash = life.home().join(".local");
    let mut found = disk::names(&life.home());
    found.retain(|f| f.kind == Kind::Directory && !f.path.starts_with(&trash));
    found.into_iter().map(|f| f.path).collect()
}

/// Directories that may be renamed and removed: not the watched ones.
fn loose_directories(life: &Life) -> Vec<PathBuf> {
    let fixed = [life.home().join("Downloads"), life.home().join("Inbox")];
    let mut found = directories(life);
    found.retain(|dir| !fixed.contains(dir) && !life.is_busy(dir));
    found
}

/// A directory to put something into; mostly one that is watched.
fn somewhere(life: &Life, random: &mut Random) -> PathBuf {
    let root = if random.percent(70) { "Downloads" } else { "Inbox" };
    if random.percent(60) {
        return life.home().join(root);
    }
    random.pick(directories(life)).unwrap_or_else(|| life.home().join(root))
}

/// A name from a stock that is small enough for names to be taken, with the extension of the content, mostly.
fn name(random: &mut Random, extension: &str) -> OsString {
    const STEMS: &[&str] = &[
        "a",
        "b",
        "c",
        "report",
        "IMG_1",
        "IMG_2",
        "photo (2)",
        "two words",
        "-n",
        "naïve",
        "nai\u{308}ve",
        "REPORT",
        "note",
        "new\nline",
        "keep",
        "100%",
        "x.y",
        "a (2)",
        ".hidden",
    ];
    let mut name: OsString = match random.below(25) {
        0 => "long ".repeat(48).into(),
        1 => OsString::from_vec(b"bytes \xff\xfe".to_vec()),
        2 => format!("unique {}", random.below(1_000_000)).into(),
        _ => random.one_of(STEMS).into(),
    };
    match random.below(20) {
        0 => {}
        1 => name.push(format!(".{}", extension.to_uppercase())),
        2 => name.push(random.one_of(&[".pdf", ".txt", ".bak", ".tmp", ".part", ".zip"])),
        _ => name.push(format!(".{extension}")),
    }
    name
}

/// Bytes that no other file has, and the extension that belongs to them.
fn content(life: &mut Life, random: &mut Random) -> (Vec<u8>, &'static str) {
    life.contents += 1;
    let id = life.contents;
    let (mut bytes, extension) = match random.below(8) {
        0 => (format!("fn main() {{}} // {id}\n").into_bytes(), "rs"),
        1 => ([&[0, 1, 2, 255][..], format!("nothing known {id}").as_bytes()].concat(), "dat"),
        n => {
            let sample = Sample::ALL[n - 2];
            (sample.content(id), sample.extension())
        }
    };
    let more = match random.below(12) {
        0 => 4096 - bytes.len().min(4096),
        1 => 100_000,
        2 => 1_000_000,
        _ => 0,
    };
    bytes.resize(bytes.len() + more, b' ');
    (bytes, extension)
}

/// A new file, open for writing. It has the name from the beginning.
fn create_new(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

/// What has this name, open for writing.
fn open_to_write(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

fn write_new(life: &mut Life, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create_new(path)?;
    life.hands.insert(path.to_owned());
    file.write_all(bytes)?;
    life.model.made(Thing::of(&file)?, path);
    Ok(())
}

/// Removes a name; what it was the last name of is gone.
fn unlink(life: &mut Life, path: &Path) -> io::Result<()> {
    let handle = thing::hold(path)?;
    displace(life, &handle, path, || fs::remove_file(path))
}

/// A call that takes a name away from what `handle` is on, if nobody was faster.
fn displace(
    life: &mut Life,
    handle: &File,
    path: &Path,
    call: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let before = handle.metadata()?;
    let thing = if before.is_file() { Some(Thing::of(handle)?) } else { None };
    call()?;
    let after = handle.metadata()?;
    match thing {
        _ if after.nlink() >= before.nlink() => {
            // It went away just before the call, which hit something else, or nothing.
            life.result(format_args!("hit another file"));
            life.model.missed();
        }
        // A copy that tidyd has not finished is nobody's loss.
        Some(_) if disk::is_leftover(path) => {}
        Some(thing) if after.nlink() == 0 => life.model.gone(thing),
        _ => {}
    }
    // One name less: whoever has one name only may be moved.
    life.fixed.retain(|_, inode| *inode != before.ino());
    Ok(())
}

/// A change to an open file: what it was is gone, what it is now was made.
fn change(
    life: &mut Life,
    file: &File,
    path: &Path,
    call: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let before = Thing::of(file)?;
    let called = call();
    let after = Thing::of(file)?;
    life.model.changed(before, after, path);
    called
}

/// Something where a rollback would put a file.
fn occupy(life: &mut Life, random: &mut Random) -> io::Result<()> {
    if life.daemon.is_none() {
        return Ok(());
    }
    let log = life.world.ctl_json(["log", "--limit", "40"]);
    let sources = log.as_array().into_iter().flatten().filter(|op| op["src"].is_string());
    let sources: Vec<PathBuf> = sources.map(|op| tidy_tests::path(&op["src"])).collect();
    let trash = trash(life);
    // A file that is called like a folder of the configuration is an error in that, at the next start.
    let home = life.home();
    let free = |p: &PathBuf| !p.starts_with(&trash) && p.parent() != Some(&home);
    let Some(path) = random.pick(sources).filter(free) else {
        return Ok(());
    };
    if random.percent(20) {
        life.note(format_args!("occupy {path:?} with a directory"));
        return fs::create_dir_all(path);
    }
    let (bytes, _) = content(life, random);
    life.note(format_args!("occupy {path:?}"));
    write_new(life, &path, &bytes)
}

fn start_project(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let marker = random.one_of(&MARKERS);
    let existing = random.pick(loose_directories(life)).filter(|_| random.percent(30));
    let directory = match existing {
        Some(directory) => directory,
        None => {
            let directory = somewhere(life, random).join(format!("project{}", random.below(20)));
            fs::create_dir(&directory)?;
            directory
        }
    };
    life.note(format_args!("make {directory:?} a project with {marker}"));
    match marker {
        ".git" => fs::create_dir(directory.join(".git"))?,
        _ => write_new(life, &directory.join(marker), b"")?,
    }
    for _ in 0..random.below(4) {
        let (bytes, extension) = content(life, random);
        let below = if random.percent(40) { directory.join("src") } else { directory.clone() };
        fs::create_dir_all(&below)?;
        write_new(life, &below.join(name(random, extension)), &bytes)?;
    }
    Ok(())
}

/// Several files in directories at once.
fn unpack(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let top = somewhere(life, random).join(format!("unpacked{}", random.below(50)));
    life.note(format_args!("unpack into {top:?}"));
    fs::create_dir(&top)?;
    for n in 0..random.below(12) {
        let below = top.join(format!("{}", n % 3));
        fs::create_dir_all(&below)?;
        let (bytes, extension) = content(life, random);
        write_new(life, &below.join(name(random, extension)), &bytes)?;
    }
    Ok(())
}

/// As browsers do: an unfinished name, with or without an empty file under the final one.
fn download(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let unfinished =
        files(life).into_iter().filter(|f| f.path.extension().is_some_and(|e| e == "part"));
    if let Some(found) = random.pick(unfinished.collect()).filter(|_| random.percent(60)) {
        let finished = found.path.with_extension("");
        life.note(format_args!("finish the download {finished:?}"));
        return replace(life, &found.path, &finished);
    }
    let (bytes, extension) = content(life, random);
    let finished = somewhere(life, random).join(name(random, extension));
    let mut part = finished.clone().into_os_string();
    part.push(".part");
    life.note(format_args!("begin the download {finished:?}"));
    if random.percent(50) {
        write_new(life, &finished, b"")?;
    }
    write_new(life, Path::new(&part), &bytes[..bytes.len() / 2])
}
