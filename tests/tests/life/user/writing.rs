//! New content: files that come, are written to, saved over, and get other attributes.

use super::*;

pub(super) fn create(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let (mut bytes, extension) = content(life, random);
    if random.percent(3) {
        bytes.clear();
    }
    let path = somewhere(life, random).join(name(random, extension));
    life.note(format_args!("create {path:?}, {} bytes", bytes.len()));
    write_new(life, &path, &bytes)
}

pub(super) fn create_equal(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn begin_writing(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn go_on_writing(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn append_to(
    life: &mut Life,
    random: &mut Random,
    file: &File,
    path: &Path,
) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let (bytes, _) = content(life, random);
    let end = file.metadata()?.len();
    change(life, file, path, || file.write_all_at(&bytes[..bytes.len().min(3000)], end))
}

pub(super) fn append(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    life.note(format_args!("append to {:?}", found.path));
    let file = open_to_write(&found.path)?;
    append_to(life, random, &file, &found.path)
}

pub(super) fn rewrite(life: &mut Life, random: &mut Random) -> io::Result<()> {
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
pub(super) fn save_over(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let (bytes, _) = content(life, random);
    let directory = found.path.parent().expect("a file is in a directory");
    let new = directory.join(format!(".goutputstream-{}", life.contents));
    life.note(format_args!("save over {:?}", found.path));
    write_new(life, &new, &bytes)?;
    replace(life, &new, &found.path)
}

pub(super) fn change_mode(life: &mut Life, random: &mut Random) -> io::Result<()> {
    const MODES: [u32; 6] = [0o600, 0o644, 0o640, 0o400, 0o755, 0o4755];
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let mode = MODES[random.below(MODES.len())];
    life.note(format_args!("chmod {mode:04o} {:?}", found.path));
    let file = thing::open_regular(&found.path)?;
    change(life, &file, &found.path, || file.set_permissions(Permissions::from_mode(mode)))
}

pub(super) fn touch(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let days = [0, 1, 40, 4000][random.below(4)];
    life.note(format_args!("touch -d '{days} days ago' {:?}", found.path));
    let file = thing::open_regular(&found.path)?;
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    change(life, &file, &found.path, || file.set_times(FileTimes::new().set_modified(then)))
}

pub(super) fn attribute(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(files(life)) else { return Ok(()) };
    let name = random.one_of(&["user.xdg.origin.url", "user.note"]);
    let value = format!("https://example.org/{}", random.below(1000));
    life.note(format_args!("setfattr -n {name} {:?}", found.path));
    let file = thing::open_regular(&found.path)?;
    change(life, &file, &found.path, || {
        Ok(fsetxattr(&file, name, value.as_bytes(), XattrFlags::empty())?)
    })
}
