//! Extended attributes that belong to the file's user: what rules ask of tags and other marks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use rustix::io::Errno;
use tidy_core::facts::{Attributes, Fact, Source};

/// Bytes of all names together: what Linux allows a list of them (xattr(7)).
const NAMES: usize = 64 * 1024;

/// Bytes of all values together, and how many there may be. A file with more says nothing, rather than a part.
const VALUES: usize = 1024 * 1024;
const COUNT: usize = 256;

/// All of them. [`Fact::Absent`] where the file has none, or its file system has no such thing.
pub fn attributes(file: &File) -> Fact<Attributes> {
    match read(file) {
        Ok(all) if all.is_empty() => Fact::Absent,
        Ok(all) => Fact::Known(all, Source::Xattr),
        Err(e) => Fact::Unreadable(e.to_string().into()),
    }
}

fn read(file: &File) -> io::Result<Attributes> {
    let mut list = vec![0; NAMES];
    let len = match rustix::fs::flistxattr(file, &mut list[..]) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Attributes::new()),
        len => len?,
    };
    list.truncate(len);
    let mut all = BTreeMap::new();
    let mut left = VALUES;
    let mut buffer = Vec::new();
    for name in list.split(|b| *b == 0).filter(|n| n.starts_with(b"user.")) {
        // One that is no text cannot be asked for.
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let value = match value(file, name, &mut buffer) {
            // Removed since it was listed.
            Ok(None) => continue,
            Ok(Some(value)) => value,
            Err(e) => return Err(e.into()),
        };
        left = left.checked_sub(value.len()).filter(|_| all.len() < COUNT).ok_or_else(too_many)?;
        all.insert(name.to_owned(), value.to_vec());
    }
    Ok(all)
}

/// The longest value that Linux allows (xattr(7)).
const VALUE: usize = 64 * 1024;

fn value<'b>(file: &File, name: &str, buffer: &'b mut Vec<u8>) -> Result<Option<&'b [u8]>, Errno> {
    buffer.resize(VALUE, 0);
    match rustix::fs::fgetxattr(file, name, &mut buffer[..]) {
        Ok(n) => Ok(Some(&buffer[..n])),
        #[cfg(target_os = "linux")]
        Err(Errno::NODATA) => Ok(None),
        #[cfg(not(target_os = "linux"))]
        Err(Errno::NOATTR) => Ok(None),
        Err(e) => Err(e),
    }
}

fn too_many() -> io::Error {
    io::Error::other("it has too many extended attributes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, fsetxattr};

    #[test]
    #[expect(clippy::print_stderr, reason = "says why it was skipped")]
    fn all_attributes_of_the_user_are_read() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(attributes(&file), Fact::Absent);
        if let Err(e) = fsetxattr(&file, "user.xdg.tags", b"a,b\xff", XattrFlags::empty()) {
            eprintln!("skipped, because this file system has no user attributes: {e}");
            return;
        }
        fsetxattr(&file, "user.empty", b"", XattrFlags::empty()).unwrap();
        let found = attributes(&file);
        let found = found.value().unwrap();
        assert_eq!(found.get("user.xdg.tags").map(Vec::as_slice), Some(&b"a,b\xff"[..]));
        assert_eq!(found.get("user.empty").map(Vec::as_slice), Some(&b""[..]));
        assert_eq!(found.len(), 2);
    }
}
