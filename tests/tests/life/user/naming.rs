//! Names: what is renamed, moved, removed, replaced and linked.

use super::*;

/// rename(2): what has the name `to` goes.
pub(super) fn replace(life: &mut Life, from: &Path, to: &Path) -> io::Result<()> {
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

pub(super) fn rename(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let extension = found.path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let to = found.path.with_file_name(name(random, &extension));
    life.note(format_args!("rename {:?} to {to:?}", found.path));
    rename_to_free(&found.path, &to)?;
    life.touched(&found.path);
    life.hands.insert(to);
    Ok(())
}

pub(super) fn relocate(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn make_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let path = somewhere(life, random).join(random.one_of(DIRECTORIES));
    life.note(format_args!("make the directory {path:?}"));
    fs::create_dir(path)
}

pub(super) fn move_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn remove_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn remove_tree(life: &mut Life, path: &Path) -> io::Result<()> {
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

pub(super) fn clear_up(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let mut found = files(life);
    life.note(format_args!("delete every second file of {}", found.len()));
    found.retain(|_| random.percent(50));
    for f in found {
        life.touched(&f.path);
        let _ = unlink(life, &f.path);
    }
    Ok(())
}

pub(super) fn delete(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let mut found = life.names();
    let trash = life.home().join(".local");
    found.retain(|f| f.kind != Kind::Directory && !f.path.starts_with(&trash));
    found.retain(|f| !life.is_busy(&f.path));
    let Some(found) = random.pick(found) else { return Ok(()) };
    life.note(format_args!("delete {:?}", found.path));
    life.touched(&found.path);
    unlink(life, &found.path)
}

pub(super) fn replace_by_another(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let (from, to) = (random.pick(files(life)), random.pick(files(life)));
    let (Some(from), Some(to)) = (from, to) else { return Ok(()) };
    life.note(format_args!("mv -f {:?} {:?}", from.path, to.path));
    replace(life, &from.path, &to.path)
}

pub(super) fn replace_by_directory(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    life.note(format_args!("a directory instead of {:?}", found.path));
    life.touched(&found.path);
    unlink(life, &found.path)?;
    fs::create_dir(&found.path)
}

pub(super) fn hard_link(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let to = somewhere(life, random).join(name(random, "lnk"));
    life.note(format_args!("ln {:?} {to:?}", found.path));
    fs::hard_link(&found.path, &to)?;
    life.hands.insert(to.clone());
    life.linked.insert(disk::look(&to)?.inode);
    Ok(())
}

pub(super) fn make_symlink(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn make_fifo(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let path = somewhere(life, random).join(name(random, "txt"));
    life.note(format_args!("mkfifo {path:?}"));
    let mode = Mode::from_raw_mode(0o600);
    Ok(rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, mode, 0)?)
}
