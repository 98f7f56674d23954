//! What people and their programs do to files. Every call goes by a name and follows no link; which inode it really hit
//! is looked at through a handle, since tidyd may be moving the same file at that moment.

use std::ffi::OsString;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, XattrFlags, fsetxattr, open, renameat_with};
use tidy_tests::files::Sample;

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

fn create(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let (mut bytes, extension) = content(life, random);
    if random.percent(3) {
        bytes.clear();
    }
    let path = somewhere(life, random).join(name(random, extension));
    life.note(format_args!("create {path:?}, {} bytes", bytes.len()));
    write_new(life, &path, &bytes)
}

fn create_equal(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(other) = random.pick(files(life)) else { return Ok(()) };
    let extension = other.path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let path = somewhere(life, random).join(name(random, &extension));
    life.note(format_args!("copy {:?} to {path:?}", other.path));
    let mut source = thing::open_regular(&other.path)?;
    let mut file = create_new(&path)?;
    let copied = io::copy(&mut source, &mut file);
    if random.percent(50) {
        // cp -p
        let times = FileTimes::new().set_modified(source.metadata()?.modified()?);
        file.set_times(times)?;
    }
    life.model.made(Thing::of(&file)?, &path);
    life.hands.insert(path);
    copied.map(drop)
}

fn begin_writing(life: &mut Life, random: &mut Random) -> io::Result<()> {
    if life.writers.len() > 3 {
        return Ok(());
    }
    let existing = random.pick(files(life)).filter(|_| random.percent(30));
    let (bytes, extension) = content(life, random);
    if let Some(found) = existing {
        life.note(format_args!("open {:?} to append slowly", found.path));
        let file = open_to_write(&found.path)?;
        let path = thing::place_of(&file)?;
        life.writers.push(Writer { file, path, from_birth: false });
        return Ok(());
    }
    let path = somewhere(life, random).join(name(random, extension));
    life.note(format_args!("begin to write {path:?}"));
    let mut file = create_new(&path)?;
    let half = bytes.len().min(200) / 2;
    file.write_all(&bytes[..half])?;
    life.model.made(Thing::of(&file)?, &path);
    life.hands.insert(path.clone());
    life.writers.push(Writer { file, path, from_birth: true });
    Ok(())
}

fn go_on_writing(life: &mut Life, random: &mut Random) -> io::Result<()> {
    if life.writers.is_empty() {
        return append(life, random);
    }
    let index = random.below(life.writers.len());
    let writer = life.writers.swap_remove(index);
    let ends = random.percent(35);
    let path = writer.path.clone();
    life.note(format_args!("write on in {path:?}{}", if ends { ", and close" } else { "" }));
    let written = append_to(life, random, &writer.file, &path);
    if !ends {
        life.writers.push(writer);
    }
    written
}

fn append_to(life: &mut Life, random: &mut Random, file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let (bytes, _) = content(life, random);
    let end = file.metadata()?.len();
    change(life, file, path, || file.write_all_at(&bytes[..bytes.len().min(3000)], end))
}

fn append(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    life.note(format_args!("append to {:?}", found.path));
    let file = open_to_write(&found.path)?;
    append_to(life, random, &file, &found.path)
}

fn rewrite(life: &mut Life, random: &mut Random) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let (mut bytes, _) = content(life, random);
    let same_size = random.percent(40) && found.size > 16;
    if same_size {
        bytes = format!("{:08} ", life.contents).into_bytes();
    }
    let how = if same_size { "in place, same size" } else { "in place" };
    life.note(format_args!("rewrite {:?} {how}", found.path));
    let file = open_to_write(&found.path)?;
    change(life, &file, &found.path, || {
        if !same_size {
            file.set_len(0)?;
        }
        file.write_all_at(&bytes, 0)
    })
}

/// As editors do: a new file beside it, then the name.
fn save_over(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let (bytes, _) = content(life, random);
    let directory = found.path.parent().expect("a file is in a directory");
    let new = directory.join(format!(".goutputstream-{}", life.contents));
    life.note(format_args!("save over {:?}", found.path));
    write_new(life, &new, &bytes)?;
    replace(life, &new, &found.path)
}

/// rename(2): what has the name `to` goes.
fn replace(life: &mut Life, from: &Path, to: &Path) -> io::Result<()> {
    let Ok(handle) = thing::hold(to) else {
        rename_to_free(from, to)?;
        life.touched(from);
        life.hands.insert(to.to_owned());
        return Ok(());
    };
    if handle.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if thing::hold(from)?.metadata()?.ino() == handle.metadata()?.ino() {
        // Two names of one file: rename(2) does nothing.
        return Ok(());
    }
    life.touched(from);
    life.touched(to);
    displace(life, &handle, to, || fs::rename(from, to))
}

fn rename(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let extension = found.path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let to = found.path.with_file_name(name(random, &extension));
    life.note(format_args!("rename {:?} to {to:?}", found.path));
    rename_to_free(&found.path, &to)?;
    life.touched(&found.path);
    life.hands.insert(to);
    Ok(())
}

fn relocate(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let to = somewhere(life, random).join(found.path.file_name().expect("a name"));
    life.note(format_args!("move {:?} to {to:?}", found.path));
    rename_to_free(&found.path, &to)?;
    life.touched(&found.path);
    life.hands.insert(to);
    Ok(())
}

const DIRECTORIES: &[&str] =
    &["d", "e", "old stuff", "Documents", "Pictures", "Keep", "Duplicates", "All", "Album", ".dot"];

fn make_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let path = somewhere(life, random).join(random.one_of(DIRECTORIES));
    life.note(format_args!("make the directory {path:?}"));
    fs::create_dir(path)
}

fn move_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(from) = random.pick(loose_directories(life)) else { return Ok(()) };
    let to = match random.percent(50) {
        true => somewhere(life, random).join(from.file_name().expect("a name")),
        false => from.with_file_name(random.one_of(DIRECTORIES)),
    };
    life.note(format_args!("move the directory {from:?} to {to:?}"));
    rename_to_free(&from, &to)?;
    life.touched(&from);
    life.hands.insert(to);
    Ok(())
}

fn remove_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(path) = random.pick(loose_directories(life)) else { return Ok(()) };
    if random.percent(40) {
        life.note(format_args!("rmdir {path:?}"));
        fs::remove_dir(&path)?;
        life.touched(&path);
        return Ok(());
    }
    life.note(format_args!("rm -r {path:?}"));
    remove_tree(life, &path)
}

fn remove_tree(life: &mut Life, path: &Path) -> io::Result<()> {
    life.touched(path);
    let below = disk::names(path);
    for found in below.iter().filter(|f| f.kind != Kind::Directory) {
        life.touched(&found.path);
        // Gone already is as good.
        let _ = unlink(life, &found.path);
    }
    for directory in below.iter().rev().filter(|f| f.kind == Kind::Directory) {
        fs::remove_dir(&directory.path)?;
    }
    fs::remove_dir(path)
}

fn clear_up(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let mut found = files(life);
    life.note(format_args!("delete every second file of {}", found.len()));
    found.retain(|_| random.percent(50));
    for f in found {
        life.touched(&f.path);
        let _ = unlink(life, &f.path);
    }
    Ok(())
}

fn delete(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let mut found = life.names();
    let trash = life.home().join(".local");
    found.retain(|f| f.kind != Kind::Directory && !f.path.starts_with(&trash));
    found.retain(|f| !life.is_busy(&f.path));
    let Some(found) = random.pick(found) else { return Ok(()) };
    life.note(format_args!("delete {:?}", found.path));
    life.touched(&found.path);
    unlink(life, &found.path)
}

fn replace_by_another(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let (from, to) = (random.pick(files(life)), random.pick(files(life)));
    let (Some(from), Some(to)) = (from, to) else { return Ok(()) };
    life.note(format_args!("mv -f {:?} {:?}", from.path, to.path));
    replace(life, &from.path, &to.path)
}

fn replace_by_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    life.note(format_args!("a directory instead of {:?}", found.path));
    life.touched(&found.path);
    unlink(life, &found.path)?;
    fs::create_dir(&found.path)
}

fn hard_link(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let to = somewhere(life, random).join(name(random, "lnk"));
    life.note(format_args!("ln {:?} {to:?}", found.path));
    fs::hard_link(&found.path, &to)?;
    life.hands.insert(to.clone());
    life.linked.insert(disk::look(&to)?.inode);
    Ok(())
}

fn make_symlink(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let target = match random.below(3) {
        0 => Some(PathBuf::from("nowhere")),
        1 => random.pick(directories(life)),
        _ => random.pick(files(life)).map(|f| f.path),
    };
    let target = target.unwrap_or_default();
    let path = somewhere(life, random).join(name(random, "pdf"));
    life.note(format_args!("ln -s {target:?} {path:?}"));
    symlink(target, path)
}

fn make_fifo(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let path = somewhere(life, random).join(name(random, "txt"));
    life.note(format_args!("mkfifo {path:?}"));
    let mode = Mode::from_raw_mode(0o600);
    Ok(rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, mode, 0)?)
}

fn change_mode(life: &mut Life, random: &mut Random) -> io::Result<()> {
    const MODES: [u32; 6] = [0o600, 0o644, 0o640, 0o400, 0o755, 0o4755];
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let mode = MODES[random.below(MODES.len())];
    life.note(format_args!("chmod {mode:04o} {:?}", found.path));
    let file = thing::open_regular(&found.path)?;
    change(life, &file, &found.path, || file.set_permissions(Permissions::from_mode(mode)))
}

fn touch(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let days = [0, 1, 40, 4000][random.below(4)];
    life.note(format_args!("touch -d '{days} days ago' {:?}", found.path));
    let file = thing::open_regular(&found.path)?;
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    change(life, &file, &found.path, || file.set_times(FileTimes::new().set_modified(then)))
}

fn attribute(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let name = random.one_of(&["user.xdg.origin.url", "user.note"]);
    let value = format!("https://example.org/{}", random.below(1000));
    life.note(format_args!("setfattr -n {name} {:?}", found.path));
    let file = thing::open_regular(&found.path)?;
    change(life, &file, &found.path, || {
        Ok(fsetxattr(&file, name, value.as_bytes(), XattrFlags::empty())?)
    })
}

fn trash(life: &Life) -> PathBuf {
    life.home().join(".local/share/Trash")
}

fn trashed(life: &Life) -> Vec<Found> {
    let mut found = disk::names(&trash(life).join("files"));
    found.retain(|f| f.kind == Kind::File);
    found
}

fn note_about(life: &Life, file: &Path) -> PathBuf {
    let mut name = file.file_name().expect("a name").to_owned();
    name.push(".trashinfo");
    trash(life).join("info").join(name)
}

fn empty_trash(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let all = random.percent(50);
    life.note(format_args!("empty {} the trash", if all { "all of" } else { "a part of" }));
    for found in trashed(life) {
        life.hands.insert(found.path.clone());
        if (all || random.percent(30)) && unlink(life, &found.path).is_ok() {
            fs::remove_file(note_about(life, &found.path))?;
        }
    }
    Ok(())
}

fn take_from_trash(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(trashed(life)) else { return Ok(()) };
    let to = somewhere(life, random).join(found.path.file_name().expect("a name"));
    life.note(format_args!("take {:?} out of the trash, to {to:?}", found.path));
    rename_to_free(&found.path, &to)?;
    life.hands.extend([found.path.clone(), to]);
    fs::remove_file(note_about(life, &found.path))
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
    let Some(path) = random.pick(sources).filter(|p| !p.starts_with(&trash)) else {
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
