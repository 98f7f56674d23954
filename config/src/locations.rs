//! Where things are: configuration, state, cache, control socket, trash.
//!
//! The XDG base directories on every system; macOS has its own trash and no runtime directory, so
//! there the socket lies in the state directory.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};
use tidy_core::name;

/// The longest path of a Unix socket in bytes: `sun_path` without its NUL (unix(7): 108 on Linux;
/// 104 on macOS and the BSDs).
pub const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The environment as far as places depend on it. Fields are public: command-line options go into
/// `config`, `state` and `socket`, and tests make one without touching the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The home directory, absolute.
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`
    pub config_home: PathBuf,
    /// `$XDG_STATE_HOME`
    pub state_home: PathBuf,
    /// `$XDG_DATA_HOME`
    pub data_home: PathBuf,
    /// `$XDG_CACHE_HOME`
    pub cache_home: PathBuf,
    /// `$XDG_RUNTIME_DIR`
    pub runtime_home: Option<PathBuf>,
    /// `--config` or `$TIDYD_CONFIG`: the configuration file.
    pub config: Option<PathBuf>,
    /// `--state` or `$TIDYD_STATE`: the state directory.
    pub state: Option<PathBuf>,
    /// `--socket` or `$TIDYD_SOCKET`: the control socket.
    pub socket: Option<PathBuf>,
}

/// Why a place cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    #[error("the home directory is not known; set HOME to an absolute path")]
    NoHome,
    #[error("{variable} is `{}`, which cannot be made an absolute path", name::shown(.value))]
    NotAbsolute { variable: &'static str, value: OsString },
    #[error(
        "the socket path `{}` has {} bytes, the system allows {SOCKET_PATH_MAX}; set TIDYD_SOCKET to \
         a shorter one", name::shown(.0.as_os_str()), .0.as_os_str().len()
    )]
    SocketPathTooLong(PathBuf),
}

/// Where the journal's segments are, in the state directory.
pub const JOURNAL_DIR: &str = "journal";

/// Where the index is, in the state directory.
pub const STORE_DIR: &str = "store";

/// Where copies of journal and configuration are when nothing else is configured, in the state directory.
pub const BACKUPS_DIR: &str = "backups";

/// The last problems as JSON, one a line, oldest first: in the state directory.
pub const ERRORS_FILE: &str = "errors";

/// Held by the process that uses the state directory.
pub const LOCK_FILE: &str = "lock";

/// The small files of the state directory.
const FILES: [&str; 7] =
    [ERRORS_FILE, LOCK_FILE, "control.sock", "folders", "format", "log-key", "stopped"];

/// Whether something in the state directory, or in the cache directory, is tidyd's own; `path` is relative to it. `tidyctl
/// service uninstall --purge` removes these and nothing else, so that a directory that somebody put elsewhere
/// (`TIDYD_STATE=~`) loses nothing but them: what is new in there has to be named here.
pub fn is_own_entry(path: &Path) -> bool {
    let parts: Option<Vec<&str>> = path.iter().map(OsStr::to_str).collect();
    let Some(parts) = parts else { return false };
    let is_store = |name: &str| {
        name.strip_prefix(STORE_DIR).is_some_and(|rest| {
            matches!(rest, "" | ".new" | ".old")
                || rest.starts_with(".corrupt-")
                || rest.starts_with(".aside-")
        })
    };
    let is_replaced = |name: &str| {
        matches!(name, "restore.part" | "restore.ready")
            || name.starts_with("before-restore-") && name.ends_with(".aside")
    };
    let is_backup = |name: &str| {
        ["tidyd-", ".tidyd-", "before-format-"].iter().any(|start| name.starts_with(start))
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match parts.as_slice() {
        [name] => {
            let file = name.strip_suffix(".new").unwrap_or(name);
            FILES.contains(&file)
                || matches!(*name, JOURNAL_DIR | BACKUPS_DIR | "cookies")
                || is_store(name)
                || is_replaced(name)
        }
        [replaced, "plan.json"] if is_replaced(replaced) => true,
        [replaced, rest @ ..] if is_replaced(replaced) => {
            is_own_entry(&rest.iter().collect::<PathBuf>())
        }
        [BACKUPS_DIR, name] => is_backup(name) || *name == LOCK_FILE,
        [BACKUPS_DIR, backup, rest @ ..] if is_backup(backup) => match rest {
            ["manifest.json" | "config.toml" | "state" | JOURNAL_DIR] => true,
            ["state", rest @ ..] => is_own_entry(&rest.iter().collect::<PathBuf>()),
            rest => is_own_entry(&rest.iter().collect::<PathBuf>()),
        },
        [JOURNAL_DIR, name] => match name.rsplit_once('.') {
            Some((number, "log" | "damaged")) => digits(number),
            _ => matches!(*name, LOCK_FILE | "gaps" | "gaps.new"),
        },
        // What sled makes.
        [store, name] if is_store(store) => {
            matches!(*name, "db" | "conf" | "blobs") || name.starts_with("snap.")
        }
        [store, "blobs", name] if is_store(store) => digits(name),
        ["cookies", name] => name.strip_prefix("cookie-").is_some_and(digits),
        _ => false,
    }
}

impl Environment {
    /// From the environment variables of this process. Relative XDG variables are ignored, as the
    /// XDG base directory specification demands; relative `TIDYD_…` ones are taken from the working
    /// directory.
    pub fn from_process() -> Result<Self, LocationError> {
        let xdg = Xdg::new().map_err(|_| LocationError::NoHome)?;
        let home = xdg.home_dir().to_path_buf();
        if !home.is_absolute() {
            return Err(LocationError::NoHome);
        }
        Ok(Self {
            config_home: xdg.config_dir(),
            state_home: xdg.state_dir().unwrap_or_else(|| home.join(".local/state")),
            data_home: xdg.data_dir(),
            cache_home: xdg.cache_dir(),
            runtime_home: xdg.runtime_dir(),
            config: absolute_variable("TIDYD_CONFIG")?,
            state: absolute_variable("TIDYD_STATE")?,
            socket: absolute_variable("TIDYD_SOCKET")?,
            home,
        })
    }

    /// The places of a person whose home this is and who has no XDG variables set.
    pub fn of_home(home: &Path) -> Self {
        Self {
            home: home.to_path_buf(),
            config_home: home.join(".config"),
            state_home: home.join(".local/state"),
            data_home: home.join(".local/share"),
            cache_home: home.join(".cache"),
            runtime_home: None,
            config: None,
            state: None,
            socket: None,
        }
    }

    /// The configuration file: `$XDG_CONFIG_HOME/tidyd/config.toml`.
    pub fn config_file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| self.config_home.join("tidyd/config.toml"))
    }

    /// The state directory, with journal and catalog: `$XDG_STATE_HOME/tidyd`.
    pub fn state_dir(&self) -> PathBuf {
        self.state.clone().unwrap_or_else(|| self.state_home.join("tidyd"))
    }

    /// What `tidyd scan` remembers, and nobody misses: `$XDG_CACHE_HOME/tidyd`.
    pub fn cache_dir(&self) -> PathBuf {
        self.cache_home.join("tidyd")
    }

    /// The control socket: `$XDG_RUNTIME_DIR/tidyd/control.sock`, or `control.sock` in the state
    /// directory where there is no runtime directory.
    pub fn socket_path(&self) -> Result<PathBuf, LocationError> {
        let path = match (&self.socket, &self.runtime_home) {
            (Some(socket), _) => socket.clone(),
            (None, Some(runtime)) => runtime.join("tidyd/control.sock"),
            (None, None) => self.state_dir().join("control.sock"),
        };
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(LocationError::SocketPathTooLong(path));
        }
        Ok(path)
    }

    /// The trash for files on the home directory's file system: `$XDG_DATA_HOME/Trash` (freedesktop.org
    /// Trash specification 1.0), `~/.Trash` on macOS.
    pub fn trash_dir(&self) -> PathBuf {
        if cfg!(target_os = "macos") {
            self.home.join(".Trash")
        } else {
            self.data_home.join("Trash")
        }
    }

    /// `path` with a leading `~` replaced by the home directory.
    pub fn expand(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("~") {
            Ok(rest) if rest.as_os_str().is_empty() => self.home.clone(),
            Ok(rest) => self.home.join(rest),
            Err(_) => path.to_path_buf(),
        }
    }
}

/// A variable's path; `None` when it is unset or empty.
fn absolute_variable(variable: &'static str) -> Result<Option<PathBuf>, LocationError> {
    let Some(value) = std::env::var_os(variable).filter(|v| !v.is_empty()) else {
        return Ok(None);
    };
    match std::path::absolute(&value) {
        Ok(path) => Ok(Some(path)),
        Err(_) => Err(LocationError::NotAbsolute { variable, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_home_directory_and_options_win() {
        let mut env = Environment::of_home(Path::new("/home/a"));
        assert_eq!(env.config_file(), Path::new("/home/a/.config/tidyd/config.toml"));
        assert_eq!(env.state_dir(), Path::new("/home/a/.local/state/tidyd"));
        assert_eq!(env.cache_dir(), Path::new("/home/a/.cache/tidyd"));
        assert_eq!(env.socket_path(), Ok(PathBuf::from("/home/a/.local/state/tidyd/control.sock")));
        env.runtime_home = Some("/run/user/1000".into());
        assert_eq!(env.socket_path(), Ok(PathBuf::from("/run/user/1000/tidyd/control.sock")));
        env.state = Some("/s".into());
        env.socket = Some("/x".into());
        assert_eq!((env.state_dir(), env.socket_path()), ("/s".into(), Ok("/x".into())));
        assert_eq!(env.expand(Path::new("~/Downloads")), Path::new("/home/a/Downloads"));
        assert_eq!(env.expand(Path::new("~")), Path::new("/home/a"));
        assert_eq!(env.expand(Path::new("~b/x")), Path::new("~b/x"));
    }

    #[test]
    fn what_tidyd_makes_is_its_own_and_nothing_beside_it() {
        for (path, own) in [
            ("log-key", true),
            ("stopped.new", true),
            ("cookies/cookie-12", true),
            ("cookies/recipe.txt", false),
            ("cookies/cookie-", false),
            ("journal/0000000000000001.log", true),
            ("journal/diary.log", false),
            ("store/snap.0000000000000001", true),
            ("store/mine", false),
            ("store.old/db", true),
            ("store.mine/db", false),
            ("store.corrupt-20261121/db", true),
            ("backups/tidyd-20261121T200000Z/state/folders", true),
            ("backups/tidyd-20261121T200000Z/note", false),
            ("before-restore-20261121T200000Z.aside/store/db", true),
            ("folders/mine", false),
            ("", false),
        ] {
            assert_eq!(is_own_entry(Path::new(path)), own, "{path}");
        }
    }

    #[test]
    fn a_socket_path_that_no_system_takes_is_an_error_that_says_so() {
        let mut env = Environment::of_home(Path::new("/h"));
        let longest = format!("/{}", "x".repeat(SOCKET_PATH_MAX - 1));
        env.socket = Some(longest.clone().into());
        assert_eq!(env.socket_path(), Ok(longest.clone().into()));
        env.socket = Some(format!("{longest}x").into());
        let error = env.socket_path().unwrap_err().to_string();
        assert!(error.contains(&format!("{} bytes", SOCKET_PATH_MAX + 1)), "{error}");
        assert!(error.contains("TIDYD_SOCKET"), "{error}");
    }
}
