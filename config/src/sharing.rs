//! Folders and files that others may change under our hands.
//!
//! In a folder that everybody may write, anybody can put something else in the place of what was
//! looked at; whoever may write above it can replace the folder as a whole. What tidyd does itself is
//! safe against that, but where files then end up, and what is taken for the configuration, would be
//! up to strangers. So such folders are refused unless `allow-shared` names them.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tidy_core::name;

/// Only the owner of an entry may remove or rename it in such a directory (inode(7)).
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o002;

/// Why a path is not safe, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exposed {
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// Whom and what to trust.
pub(crate) struct Sharing {
    trusted: Vec<u32>,
    allowed: Vec<PathBuf>,
}

impl Sharing {
    /// `allowed`: directories that may be shared, with what is in them; symlinks resolved.
    pub(crate) fn new(allowed: Vec<PathBuf>) -> Self {
        let mut trusted = vec![rustix::process::geteuid().as_raw(), 0];
        // Within a user namespace root may have another number.
        trusted.extend(fs::metadata("/").map(|root| root.uid()));
        Self { trusted, allowed }
    }

    /// Whether others can change what is in `dir`, or what it is. Symlinks must be resolved.
    pub(crate) fn directory(&self, dir: &Path) -> Result<(), Exposed> {
        self.chain(dir, dir.ancestors())
    }

    /// The same of what lies above `path`.
    pub(crate) fn above(&self, path: &Path) -> Result<(), Exposed> {
        self.chain(path, path.ancestors().skip(1))
    }

    /// Whether others can change a file, or what it is.
    pub(crate) fn file(&self, path: &Path, meta: &Metadata) -> Result<(), Exposed> {
        self.one(path, meta, meta.mode() & OTHERS_WRITE != 0)?;
        match fs::canonicalize(path) {
            Ok(real) => self.above(&real),
            // What has no path, such as a pipe, has nothing above it.
            Err(_) => Ok(()),
        }
    }

    fn chain<'p>(&self, path: &Path, dirs: impl Iterator<Item = &'p Path>) -> Result<(), Exposed> {
        for dir in dirs {
            // Not there yet, or hidden from us: opening it will tell.
            let Ok(meta) = fs::metadata(dir) else { continue };
            if self.allowed.iter().any(|allowed| dir.starts_with(allowed)) {
                continue;
            }
            let open = meta.mode() & OTHERS_WRITE != 0 && meta.mode() & STICKY == 0;
            self.one(dir, &meta, open).map_err(|exposed| Exposed {
                message: if dir == path {
                    exposed.message
                } else {
                    format!("it lies in {}", exposed.message)
                },
                hint: format!(
                    "{}, or allow it: allow-shared = [{}]",
                    exposed.hint,
                    toml::Value::String(dir.to_string_lossy().into_owned())
                ),
            })?;
        }
        Ok(())
    }

    fn one(&self, path: &Path, meta: &Metadata, open: bool) -> Result<(), Exposed> {
        let shown = name::shown(path.as_os_str());
        if open {
            Err(Exposed {
                message: format!("{shown}, which everybody may change"),
                hint: format!("run `chmod o-w '{shown}'`"),
            })
        } else if !self.trusted.contains(&meta.uid()) {
            Err(Exposed {
                message: format!("{shown}, which belongs to another user (uid {})", meta.uid()),
                hint: format!("make it yours (`chown`), or root's: '{shown}'"),
            })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set up files")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn told(result: Result<(), Exposed>) -> String {
        result.map_or_else(|e| format!("{} / {}", e.message, e.hint), |()| String::new())
    }

    #[test]
    fn what_everybody_may_change_is_exposed_wherever_it_is_on_the_way() {
        let t = tempfile::tempdir().unwrap();
        let base = t.path().canonicalize().unwrap();
        let inner = base.join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        let nobody = || Sharing::new(Vec::new());
        // Directory, its mode, what is said of a/b.
        let cases: [(&str, u32, &str); 6] = [
            ("a/b", 0o755, ""),
            ("a/b", 0o775, ""),
            ("a/b", 0o777, "everybody may change"),
            ("a/b", 0o1777, ""),
            ("a", 0o777, "it lies in"),
            ("a", 0o1777, ""),
        ];
        for (dir, bits, expected) in cases {
            mode(&base.join(dir), bits).unwrap();
            let said = told(nobody().directory(&inner));
            assert_eq!(said.is_empty(), expected.is_empty(), "{dir} {bits:o}: {said}");
            assert!(said.contains(expected), "{dir} {bits:o}: {said}");
            if !said.is_empty() {
                assert!(said.contains("chmod o-w") && said.contains("allow-shared = ["), "{said}");
                assert!(nobody().directory(&base).is_ok(), "{dir} {bits:o}");
                assert_eq!(told(Sharing::new(vec![base.join(dir)]).directory(&inner)), "");
            }
            mode(&base.join(dir), 0o755).unwrap();
        }
    }

    #[test]
    fn what_belongs_to_another_user_is_exposed() {
        let t = tempfile::tempdir().unwrap();
        let dir = t.path().canonicalize().unwrap();
        let mut sharing = Sharing::new(Vec::new());
        assert_eq!(told(sharing.directory(&dir)), "");
        let ours = fs::metadata(&dir).unwrap().uid();
        sharing.trusted = vec![ours + 1];
        let said = told(sharing.directory(&dir));
        assert!(said.contains(&format!("another user (uid {ours})")), "{said}");
    }

    #[test]
    fn a_file_is_exposed_by_its_mode_and_by_what_it_lies_in() {
        let t = tempfile::tempdir().unwrap();
        let file = t.path().join("config.toml");
        fs::write(&file, "").unwrap();
        let told = || told(Sharing::new(Vec::new()).file(&file, &fs::metadata(&file).unwrap()));
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        for (bits, exposed) in [(0o600, false), (0o664, false), (0o646, true)] {
            mode(&file, bits).unwrap();
            assert_eq!(told().contains("everybody may change"), exposed, "{bits:o}: {}", told());
        }
        mode(&file, 0o600).unwrap();
        mode(t.path(), 0o777).unwrap();
        assert!(told().contains("it lies in"), "{}", told());
        mode(t.path(), 0o700).unwrap();
    }
}
