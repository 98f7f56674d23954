//! The file that `install` writes and `uninstall` removes, and nothing beside it.
#![expect(
    clippy::disallowed_methods,
    reason = "writes, replaces and removes the one unit or agent that this verb wrote, at a person's request"
)]

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::seal::{self, Whose};

/// Longer than any of ours.
const MOST: u64 = 256 << 10;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Put {
    Written,
    /// It stood there already, as it is.
    Same,
    /// It is somebody else's, and was not touched.
    Kept,
    /// What a person had changed is there now.
    Aside(PathBuf),
}

/// Who wrote the file; `None`: it is not there.
///
/// # Errors
/// It cannot be read.
pub(super) fn whose(file: &Path) -> io::Result<Option<Whose>> {
    match fs::symlink_metadata(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
        // A link into somebody's collection of settings, or a mask.
        Ok(found) if !found.is_file() => return Ok(Some(Whose::Theirs)),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(MOST).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes);
    Ok(Some(text.map_or(Whose::Theirs, |text| seal::whose(&text))))
}

/// Has `text` stand in `file`.
///
/// # Errors
/// It cannot be written; then it is as it was.
pub(super) fn put(file: &Path, text: &str, force: bool) -> io::Result<Put> {
    let found = whose(file)?;
    if found == Some(Whose::Ours) && fs::read(file)? == text.as_bytes() {
        return Ok(Put::Same);
    }
    if found == Some(Whose::Theirs) && !force {
        return Ok(Put::Kept);
    }
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    let aside = match found {
        Some(Whose::Theirs) => Some(set_aside(file)?),
        _ => None,
    };
    let new = beside(file, ".new");
    // Left by one that was cut off.
    let _ = fs::remove_file(&new);
    let mut out = fs::File::create_new(&new)?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all())?;
    fs::rename(&new, file)?;
    Ok(aside.map_or(Put::Written, Put::Aside))
}

/// Under the first name that is free.
fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let names = std::iter::once(".old".to_owned()).chain((2..100).map(|n| format!(".old{n}")));
    for name in names {
        let to = beside(file, &name);
        if fs::symlink_metadata(&to).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            return fs::rename(file, &to).map(|()| to);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many old ones lie beside it"))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    name.into()
}

/// Removes it.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    fs::remove_file(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_changed_is_kept_or_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/tidyd.service");
        let text = |n: u32| seal::sealed(&format!("# {{checksum}}\nNice={n}\n"));
        assert_eq!(whose(&file).unwrap(), None);
        assert_eq!(put(&file, &text(1), false).unwrap(), Put::Written);
        assert_eq!(put(&file, &text(1), false).unwrap(), Put::Same);
        // An upgrade: it was ours, and is replaced.
        assert_eq!(put(&file, &text(2), false).unwrap(), Put::Written);
        assert_eq!(whose(&file).unwrap(), Some(Whose::Ours));

        for name in ["tidyd.service.old", "tidyd.service.old2"] {
            let changed = text(2).replace("Nice=2", "Nice=3");
            fs::write(&file, &changed).unwrap();
            assert_eq!(put(&file, &text(2), false).unwrap(), Put::Kept);
            assert_eq!(fs::read_to_string(&file).unwrap(), changed);
            let old = file.with_file_name(name);
            assert_eq!(put(&file, &text(2), true).unwrap(), Put::Aside(old.clone()));
            assert_eq!(fs::read_to_string(&old).unwrap(), changed);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), text(2));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 3);
    }

    #[test]
    fn a_link_is_a_persons_wherever_it_leads() {
        let dir = tempfile::tempdir().unwrap();
        let (file, real) = (dir.path().join("link"), dir.path().join("real"));
        let text = seal::sealed("# {checksum}\n");
        fs::write(&real, &text).unwrap();
        std::os::unix::fs::symlink(&real, &file).unwrap();
        assert_eq!(put(&file, &text, false).unwrap(), Put::Kept);
        put(&file, &text, true).unwrap();
        assert!(fs::symlink_metadata(&file).unwrap().is_file());
        assert_eq!(fs::read_to_string(&real).unwrap(), text);
    }
}
