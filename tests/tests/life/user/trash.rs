//! What people do in the trash.

use super::*;

pub(super) fn trash(life: &Life) -> PathBuf {
    life.home().join(".local/share/Trash")
}

pub(super) fn trashed(life: &Life) -> Vec<Found> {
    let mut found = disk::names(&trash(life).join("files"));
    found.retain(|f| f.kind == Kind::File);
    found
}

pub(super) fn note_about(life: &Life, file: &Path) -> PathBuf {
    let mut name = file.file_name().expect("a name").to_owned();
    name.push(".trashinfo");
    trash(life).join("info").join(name)
}

pub(super) fn empty_trash(life: &mut Life, random: &mut Random) -> io::Result<()> {
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

pub(super) fn take_from_trash(life: &mut Life, random: &mut Random) -> io::Result<()> {
    let Some(found) = random.pick(trashed(life)) else { return Ok(()) };
    let to = somewhere(life, random).join(found.path.file_name().expect("a name"));
    life.note(format_args!("take {:?} out of the trash, to {to:?}", found.path));
    rename_to_free(&found.path, &to)?;
    life.touched(&found.path);
    life.hands.insert(to);
    fs::remove_file(note_about(life, &found.path))
}
