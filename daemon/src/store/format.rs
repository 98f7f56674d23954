//! The format of the state directory as a whole: one number in a file.
//!
//! What is in the directory has versions of its own (segments, records, the index, the small files). This number says which
//! program can make sense of all of it together: a newer one is refused before anything is opened, an older one is brought up.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{StateDir, StoreError};

/// The format that this program writes, and the highest that it reads.
///
/// | format | since | what is different |
/// |---|---|---|
/// | 0 | – | no file `format` |
/// | 1 | 0.1.0 | there is one |
pub const FORMAT: u32 = 1;

const FILE: &str = "format";

/// Much more than two lines.
const MAX: u64 = 4_096;

/// What a state directory says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// It is new: nothing is in it.
    New,
    /// It holds something, and is of this format.
    Is(u32),
}

/// The format of the state directory `path`. Changes nothing.
///
/// # Errors
/// [`StoreError::Newer`], [`StoreError::Io`].
pub fn of(path: &Path) -> Result<Format, StoreError> {
    let file = path.join(FILE);
    let mut text = String::new();
    match File::open(&file).and_then(|f| f.take(MAX).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let kept = [tidy_config::JOURNAL_DIR, tidy_config::STORE_DIR, "stopped"];
            let holds = kept.iter().any(|name| path.join(name).symlink_metadata().is_ok());
            return Ok(if holds { Format::Is(0) } else { Format::New });
        }
        // What it is not is a number: it is written anew, and what is in the directory has its own versions.
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Ok(Format::Is(0)),
        // What is wrong with the directory is said when it is opened.
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(Format::New);
        }
        Err(e) => return Err(StoreError::io(&file, e)),
    }
    let found = number(text.lines().next().unwrap_or_default());
    if found > FORMAT {
        let by = text.lines().nth(1).unwrap_or("a newer tidyd").to_owned();
        return Err(StoreError::Newer { path: path.to_owned(), found, by });
    }
    Ok(Format::Is(found))
}

/// The number that the first line has, 0 if there is none. Whatever stands behind it, and however long it is: what this program has
/// not written may be the work of a newer one.
fn number(line: &str) -> u32 {
    let rest = line.strip_prefix("tidyd state ").unwrap_or_default();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    match digits.parse() {
        Ok(number) => number,
        Err(_) if digits.is_empty() => 0,
        Err(_) => u32::MAX,
    }
}

impl StateDir {
    /// Says in the state directory that it is of the present format; durable.
    ///
    /// # Errors
    /// It says what it said before.
    pub fn set_format(&self) -> Result<(), StoreError> {
        let path = self.path().join(FILE);
        self.write_format(&path).map_err(|e| StoreError::io(&path, e))
    }

    fn write_format(&self, path: &Path) -> io::Result<()> {
        let text =
            format!("tidyd state {FORMAT}\nwritten by tidyd {}\n", env!("CARGO_PKG_VERSION"));
        let new: PathBuf = path.with_extension("new");
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(self.path())?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_says_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        assert_eq!(of(&path).unwrap(), Format::New, "it is not there");
        let state = StateDir::open(&path).unwrap();
        assert_eq!(of(&path).unwrap(), Format::New, "only locked");
        fs::create_dir(state.journal()).unwrap();
        assert_eq!(of(&path).unwrap(), Format::Is(0), "as before there was a number");
        state.set_format().unwrap();
        assert_eq!(of(&path).unwrap(), Format::Is(FORMAT));
        fs::write(path.join("format"), b"\xff\xfe").unwrap();
        assert_eq!(of(&path).unwrap(), Format::Is(0), "damage is no newer format");
        fs::write(path.join("format"), "tidyd state 1\nwritten by tidyd 0.1.0\n").unwrap();
        assert_eq!(of(&path).unwrap(), Format::Is(1), "bytes as format 1 has them");
        fs::write(path.join("format"), "tidyd state 7\nwritten by tidyd 3.0\nmore").unwrap();
        let said = of(&path).unwrap_err().to_string();
        assert!(said.contains("format 7") && said.contains("tidyd 3.0"), "{said}");
        for newer in ["tidyd state 2.1", "tidyd state 99999999999999999999", "tidyd state 3-beta"] {
            fs::write(path.join("format"), newer).unwrap();
            assert!(matches!(of(&path), Err(StoreError::Newer { .. })), "{newer}");
        }
        for damaged in ["tidyd state", "tidyd state -1", "tidyd state x", "", "\n2"] {
            fs::write(path.join("format"), damaged).unwrap();
            assert_eq!(of(&path).unwrap(), Format::Is(0), "{damaged:?}");
        }
    }
}
