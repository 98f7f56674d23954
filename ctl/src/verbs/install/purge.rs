//! Removing configuration and state, and nothing else.
//!
//! A directory may have been put where other things are (`TIDYD_STATE=~`): only what has tidyd's own names goes, a
//! directory only when it is empty then. Symlinks are removed, never followed.
#![expect(
    clippy::disallowed_methods,
    reason = "removes what tidyd itself wrote (journal, index, configuration), at a person's request and confirmed"
)]

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tidy_config::{Environment, LOCK_FILE, is_own_entry};
use tidy_protocol::ExitCode;

use crate::error::Failure;
use crate::render::path::shown;

/// Where the configuration, the state and the cache of scans are, as far as they are there.
pub(super) fn places(env: &Environment) -> Vec<PathBuf> {
    let all = [env.config_file(), env.state_dir(), env.cache_dir()];
    all.into_iter().filter(|p| fs::symlink_metadata(p).is_ok()).collect()
}

/// What became of the places.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Purged {
    pub(super) removed: Vec<PathBuf>,
    /// What is in them that is not tidyd's, and how that is known.
    pub(super) kept: Vec<(PathBuf, &'static str)>,
}

/// It has no name that tidyd gives.
const NOT_MADE: &str = "tidyd has not made it";

/// A directory of state without a lock.
const NEVER_USED: &str = "tidyd has never run with it, so nothing in it was touched";

/// Removes them.
///
/// # Errors
/// One of them is in use, or cannot be removed.
pub(super) fn purge(env: &Environment) -> Result<Purged, Failure> {
    let directories = [env.state_dir(), env.cache_dir()];
    if let Some(dir) = directories.iter().find(|dir| env.home.starts_with(dir)) {
        let message = format!("{} is more than tidyd's", shown(dir.as_os_str()));
        let hint = "your home is in it: remove what is tidyd's by hand";
        return Err(Failure::new(ExitCode::Refused, message, hint));
    }
    // All locks before the first file goes, and until the last is gone.
    let locks = directories.iter().map(|dir| lock(dir)).collect::<Result<Vec<_>, _>>()?;
    let mut done = Purged::default();
    for dir in &directories {
        let emptied = match fs::canonicalize(dir) {
            Ok(real) if *dir == env.state_dir() && !was_used(&real) => {
                done.kept.push((real, NEVER_USED));
                false
            }
            // Through a link, so that it is the directory that is emptied.
            Ok(real) => empty(&real, Path::new(""), &mut done.kept).map_err(|e| failed(dir, &e))?,
            Err(_) => false,
        };
        if emptied {
            remove_empty(dir).map_err(|e| failed(dir, &e))?;
            done.removed.push(dir.clone());
        }
    }
    drop(locks);
    let config = env.config_file();
    if unlink(&config).map_err(|e| failed(&config, &e))? {
        done.removed.push(config.clone());
    }
    // The directory of the configuration is tidyd's own only under its usual name.
    if let Some(dir) = config.parent().filter(|_| env.config.is_none()) {
        let left = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
        let left: Vec<PathBuf> = left.collect();
        if left.is_empty() && dir.is_dir() {
            remove_empty(dir).map_err(|e| failed(dir, &e))?;
            done.removed.push(dir.to_owned());
        }
        done.kept.extend(left.into_iter().map(|path| (path, NOT_MADE)));
    }
    done.kept.sort();
    Ok(done)
}

/// Whether tidyd has ever run with this state directory: before it makes anything else in there, it writes its number into
/// the file of its lock. Where it has not, a file called `errors` or `folders` is somebody's.
fn was_used(state: &Path) -> bool {
    let lock = fs::symlink_metadata(state.join(LOCK_FILE)).is_ok_and(|lock| lock.is_file());
    let number = lock.then(|| fs::read(state.join(LOCK_FILE)).unwrap_or_default());
    number.is_some_and(|n| n.len() <= 32 && n.iter().all(|b| b.is_ascii_digit() || *b == b'\n'))
}

/// Nobody else uses a directory while this lives.
fn lock(dir: &Path) -> Result<Option<File>, Failure> {
    let path = dir.join(LOCK_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if is_absent(&e) => return Ok(None),
        Err(e) => return Err(failed(&path, &e)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            let message = format!("{} is in use by a running tidyd", shown(dir.as_os_str()));
            Err(Failure::new(ExitCode::Refused, message, "end it first; nothing of it was removed"))
        }
        Err(TryLockError::Error(e)) => Err(failed(&path, &e)),
    }
}

/// Removes what is tidyd's own below `base`; `rel` is where one is. Returns whether nothing is left there.
fn empty(base: &Path, rel: &Path, kept: &mut Vec<(PathBuf, &'static str)>) -> io::Result<bool> {
    let mut all = true;
    for entry in fs::read_dir(base.join(rel))? {
        let entry = entry?;
        let (path, rel) = (entry.path(), rel.join(entry.file_name()));
        let is_dir = entry.file_type()?.is_dir();
        if !is_own_entry(&rel) {
            kept.push((path, NOT_MADE));
            all = false;
        } else if !is_dir {
            fs::remove_file(&path)?;
        } else if empty(base, &rel, kept)? {
            fs::remove_dir(&path)?;
        } else {
            all = false;
        }
    }
    Ok(all)
}

/// A directory, or the link that led to it: then the directory stays, empty.
fn remove_empty(dir: &Path) -> io::Result<()> {
    match fs::symlink_metadata(dir)?.is_symlink() {
        true => fs::remove_file(dir),
        false => fs::remove_dir(dir),
    }
}

/// Whether there was one.
fn unlink(file: &Path) -> io::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(e) if is_absent(&e) => Ok(false),
        Err(e) => Err(e),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be removed: {error}", shown(path.as_os_str()));
    Failure::new(
        ExitCode::Partly,
        message,
        "what is left can be removed by hand, once tidyd has ended",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (tempfile::TempDir, Environment) {
        let dir = tempfile::tempdir().unwrap();
        let env = Environment::of_home(dir.path());
        for file in [
            ".config/tidyd/config.toml",
            ".local/state/tidyd/lock",
            ".local/state/tidyd/journal/0000000000000001.log",
            ".local/state/tidyd/store/db",
            ".local/state/tidyd/store.corrupt-20261121/db",
            ".local/state/tidyd/stopped",
            ".local/state/tidyd/errors.new",
            ".cache/tidyd/store/db",
            "Downloads/mine",
        ] {
            let file = dir.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "1\n").unwrap();
        }
        (dir, env)
    }

    #[test]
    fn all_of_tidyd_goes_and_nothing_else() {
        let (dir, env) = world();
        assert_eq!(places(&env).len(), 3);
        let done = purge(&env).unwrap();
        assert_eq!(done.kept, []);
        assert_eq!(places(&env), [] as [PathBuf; 0]);
        assert!(!dir.path().join(".config/tidyd").exists());
        assert!(dir.path().join("Downloads/mine").exists());
        // Once more: there is nothing to do.
        assert_eq!(purge(&env).unwrap(), Purged::default());
    }

    #[test]
    fn what_somebody_else_put_there_stays() {
        let (dir, mut env) = world();
        let mine = dir.path().join(".local/state/tidyd/notes.txt");
        fs::write(&mine, "mine").unwrap();
        let old = dir.path().join(".config/tidyd/config.toml.bak");
        fs::write(&old, "mine").unwrap();
        assert_eq!(purge(&env).unwrap().kept.len(), 2);
        assert!(mine.exists() && old.exists());

        // A directory that was given as the state directory by mistake.
        let shared = dir.path().canonicalize().unwrap().join("shared");
        let journal = shared.join("journal");
        fs::create_dir_all(&journal).unwrap();
        for name in ["0000000000000001.log", "my diary.log"] {
            fs::write(journal.join(name), "x").unwrap();
        }
        fs::write(shared.join("a.txt"), "x").unwrap();
        env.state = Some(shared.clone());
        fs::write(shared.join("errors"), "of mine, since tidyd was never here").unwrap();
        assert!(purge(&env).unwrap().kept.contains(&(shared.clone(), NEVER_USED)));
        for name in ["errors", "journal/0000000000000001.log"] {
            assert!(shared.join(name).exists(), "{name}");
        }
        fs::write(shared.join("lock"), "4711\n").unwrap();
        let kept = purge(&env).unwrap().kept;
        for mine in [journal.join("my diary.log"), shared.join("a.txt")] {
            assert!(kept.contains(&(mine.clone(), NOT_MADE)) && mine.exists(), "{kept:?}");
        }
        assert!(!journal.join("0000000000000001.log").exists());
        env.state = Some(dir.path().to_owned());
        assert_eq!(purge(&env).unwrap_err().exit_code(), ExitCode::Refused);
    }

    #[test]
    fn what_is_in_use_is_not_touched() {
        let (dir, env) = world();
        let held = File::open(dir.path().join(".local/state/tidyd/lock")).unwrap();
        held.try_lock().unwrap();
        assert_eq!(purge(&env).unwrap_err().exit_code(), ExitCode::Refused);
        assert_eq!(places(&env).len(), 3);
        drop(held);
        purge(&env).unwrap();
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let (dir, env) = world();
        let precious = dir.path().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("a"), "x").unwrap();
        let cookies = dir.path().join(".local/state/tidyd/cookies");
        std::os::unix::fs::symlink(&precious, &cookies).unwrap();
        let dotfiles = dir.path().join("dotfiles.toml");
        fs::rename(env.config_file(), &dotfiles).unwrap();
        std::os::unix::fs::symlink(&dotfiles, env.config_file()).unwrap();
        purge(&env).unwrap();
        assert!(precious.join("a").exists() && dotfiles.exists());
        assert_eq!(places(&env), [] as [PathBuf; 0]);
    }
}
