//! Which programs the service runs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tidy_config::Environment;
use tidy_protocol::ExitCode;

use super::manager::Job;
use crate::error::Failure;
use crate::render::path::shown;

/// What the service is to run, and with which places.
pub(crate) fn job(env: &Environment, given: Option<&Path>) -> Result<Job, Failure> {
    let tidyctl = env::current_exe().map_err(|e| {
        let message = format!("it cannot be told where this tidyctl is: {e}");
        Failure::new(ExitCode::Failed, message, "start it by its whole path")
    })?;
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path).filter(|d| d.is_absolute()).collect();
    let tidyd = match given {
        Some(given) => {
            let given = std::path::absolute(given).map_err(Failure::from_cwd)?;
            if !is_program(&given) {
                let message = format!("{} is no program", shown(given.as_os_str()));
                return Err(Failure::usage(message, "name the tidyd to run"));
            }
            given
        }
        None => daemon(&tidyctl, &dirs).ok_or_else(|| {
            let message = "tidyd is neither beside this tidyctl nor in PATH";
            Failure::new(ExitCode::Failed, message, "say where it is with --program FILE")
        })?,
    };
    let tidyctl = lasting(&tidyctl, &dirs);
    Ok(Job { tidyd, tidyctl, environment: environment(env), home: env.home.clone() })
}

/// The tidyd that belongs to a tidyctl: beside it, else of the path.
pub(crate) fn daemon(tidyctl: &Path, dirs: &[PathBuf]) -> Option<PathBuf> {
    let beside = tidyctl.with_file_name("tidyd");
    if is_program(&beside) {
        return Some(lasting(&beside, dirs));
    }
    dirs.iter().map(|dir| dir.join("tidyd")).find(|file| is_program(file))
}

/// The name under which a program is in the path, if it is: that one leads to the next version, too, when what it leads to
/// is in a directory of its own (Homebrew, Nix, stow).
fn lasting(program: &Path, dirs: &[PathBuf]) -> PathBuf {
    let Some(name) = program.file_name() else { return program.to_owned() };
    let real = fs::canonicalize(program).ok();
    let same = |file: &PathBuf| real.is_some() && fs::canonicalize(file).ok() == real;
    dirs.iter().map(|dir| dir.join(name)).find(same).unwrap_or_else(|| program.to_owned())
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// What a service manager does not know of, and this shell does.
fn environment(env: &Environment) -> Vec<(&'static str, PathBuf)> {
    let usual = Environment::of_home(&env.home);
    let moved = |place: &Path, usual: &Path| (place != usual).then(|| place.to_owned());
    let all = [
        ("TIDYD_CONFIG", env.config.clone()),
        ("TIDYD_STATE", env.state.clone()),
        ("TIDYD_SOCKET", env.socket.clone()),
        ("XDG_CONFIG_HOME", moved(&env.config_home, &usual.config_home)),
        ("XDG_STATE_HOME", moved(&env.state_home, &usual.state_home)),
        ("XDG_DATA_HOME", moved(&env.data_home, &usual.data_home)),
        ("XDG_CACHE_HOME", moved(&env.cache_home, &usual.cache_home)),
    ];
    all.into_iter().filter_map(|(name, place)| Some((name, place?))).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes its own scratch files")]
mod tests {
    use super::*;

    fn program(file: &Path) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_daemon_beside_comes_first_and_under_a_name_that_lasts() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (cellar, bin, other) = (root.join("0.1/bin"), root.join("bin"), root.join("other"));
        let dirs = [other.clone(), bin.clone()];
        let tidyctl = cellar.join("tidyctl");
        assert_eq!(daemon(&tidyctl, &dirs), None);
        program(&other.join("tidyd"));
        assert_eq!(daemon(&tidyctl, &dirs), Some(other.join("tidyd")));
        program(&cellar.join("tidyd"));
        assert_eq!(daemon(&tidyctl, &dirs), Some(cellar.join("tidyd")));
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(cellar.join("tidyd"), bin.join("tidyd")).unwrap();
        assert_eq!(daemon(&tidyctl, &dirs), Some(bin.join("tidyd")));
        fs::set_permissions(cellar.join("tidyd"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(daemon(&tidyctl, &dirs), Some(other.join("tidyd")));
    }

    #[test]
    fn only_places_that_were_moved_are_written_down() {
        let mut env = Environment::of_home(Path::new("/home/a"));
        assert_eq!(environment(&env), []);
        env.config = Some("/c".into());
        env.state_home = "/s".into();
        let want = [("TIDYD_CONFIG", "/c".into()), ("XDG_STATE_HOME", "/s".into())];
        assert_eq!(environment(&env), want);
    }
}
