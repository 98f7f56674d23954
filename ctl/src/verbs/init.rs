//! `init`: a configuration to start with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use tidy_config::{Config, DEFAULT_TOML, Environment};
use tidy_protocol::{ExitCode, WirePath};

use crate::cli::InitArgs;
use crate::error::Failure;
use crate::render::path::shown;
use crate::run::{Ended, Session};

/// The line of the default configuration that names the folder.
const WATCH: &str = "watch = [\"~/Downloads\"]";

/// Writes it, or prints it.
pub(crate) fn init(s: &mut Session, args: &InitArgs) -> Ended {
    let env = Environment::from_process()?;
    let downloads = downloads(&env);
    let text = text(&env.home, &downloads)?;
    // What is written is right by construction; a wrong one would be worse than none.
    Config::parse(&text, "the new configuration")?;
    if args.print {
        s.out.text(&text)?;
        return Ok(ExitCode::Ok);
    }
    let path = env.config_file();
    write_new(&path, text.as_bytes()).map_err(|e| refused(&path, &e))?;
    let watched = WirePath(downloads.clone());
    s.out.show(
        &json!({ "written": WirePath::from(path.as_path()), "watch": [watched] }),
        |look, _| {
            format!(
                "{} is written; it watches {}.\n\nNext:\n  \
             tidyd --check                          is everything right?\n  \
             tidyd --once --dry-run                 what would be done? changes nothing\n  \
             tidyd                                  keep it in order from now on; as a service: see README.md\n",
                look.path(&path),
                look.path(&downloads)
            )
        },
    )?;
    if !downloads.is_dir() {
        s.out.remark(&format!("note: {} does not exist yet", shown(downloads.as_os_str())))?;
    }
    Ok(ExitCode::Ok)
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let place = shown(path.as_os_str());
    if error.kind() == io::ErrorKind::AlreadyExists {
        return Failure::new(
            ExitCode::Failed,
            format!("there is a configuration already: {place}"),
            "it is never overwritten: edit it, move it away, or see a new one with `tidyctl init --print`",
        );
    }
    let hint = "set TIDYD_CONFIG to another place, or use `tidyctl init --print`";
    Failure::new(ExitCode::Failed, format!("{place} cannot be written: {error}"), hint)
}

/// Never replaces a file, nor writes through a symlink.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        make_dirs(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the directory of the configuration: made at a person's request, by no rule"
)]
fn make_dirs(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// The default configuration with this folder.
fn text(home: &Path, downloads: &Path) -> Result<String, Failure> {
    let spelled = match downloads.strip_prefix(home) {
        Ok(rest) => Path::new("~").join(rest),
        Err(_) => downloads.to_owned(),
    };
    let Some(spelled) = spelled.to_str() else {
        let message = format!("the Downloads folder {} is not UTF-8", shown(downloads.as_os_str()));
        let hint = "`tidyctl init --print` with XDG_CONFIG_HOME set elsewhere prints one to edit";
        return Err(Failure::new(ExitCode::Failed, message, hint));
    };
    Ok(DEFAULT_TOML.replacen(WATCH, &format!("watch = [{}]", quoted(spelled)), 1))
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The Downloads folder: `XDG_DOWNLOAD_DIR` of `user-dirs.dirs` (xdg-user-dirs), else `~/Downloads`.
fn downloads(env: &Environment) -> PathBuf {
    let file = fs::read_to_string(env.config_home.join("user-dirs.dirs")).unwrap_or_default();
    user_dir(&file, "XDG_DOWNLOAD_DIR", &env.home).unwrap_or_else(|| env.home.join("Downloads"))
}

/// A line `NAME="$HOME/…"` or `NAME="/…"`, as user-dirs.dirs(5) has it. The home directory itself means that there is no
/// such folder.
fn user_dir(file: &str, name: &str, home: &Path) -> Option<PathBuf> {
    let value = file.lines().rev().find_map(|line| {
        line.trim_start()
            .strip_prefix(name)?
            .trim_start()
            .strip_prefix('=')?
            .trim()
            .strip_prefix('"')
    })?;
    let mut path = String::new();
    let mut chars = value.chars();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => path.push(chars.next()?),
            c => path.push(c),
        }
    }
    let path = match path.strip_prefix("$HOME") {
        Some("") => home.to_owned(),
        Some(rest) => home.join(rest.strip_prefix('/')?),
        None => PathBuf::from(path),
    };
    // Components, so that a slash at the end makes no difference.
    let path: PathBuf = path.components().collect();
    (path.is_absolute() && path != home).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_downloads_folder_is_the_one_of_the_desktop() {
        let home = Path::new("/home/a");
        let of = |line: &str| user_dir(line, "XDG_DOWNLOAD_DIR", home);
        let table = [
            ("XDG_DOWNLOAD_DIR=\"$HOME/Téléchargements\"", Some("/home/a/Téléchargements")),
            ("# c\nXDG_DOWNLOAD_DIR = \"/data/dl/\"\n", Some("/data/dl")),
            ("XDG_DOWNLOAD_DIR=\"$HOME/a \\\"b\\\"\"", Some("/home/a/a \"b\"")),
            ("XDG_DOWNLOAD_DIR=\"$HOME/\"", None),
            ("XDG_DOWNLOAD_DIR=\"$HOME\"", None),
            ("XDG_DOWNLOAD_DIR=\"$HOMEWORK/x\"", None),
            ("XDG_DOWNLOAD_DIR=\"relative\"", None),
            ("XDG_DOWNLOAD_DIR=\"unfinished", None),
            ("#XDG_DOWNLOAD_DIR=\"/x\"", None),
            ("", None),
        ];
        for (line, want) in table {
            assert_eq!(of(line).as_deref(), want.map(Path::new), "{line}");
        }
    }

    #[test]
    fn what_is_written_names_the_folder_and_is_right() {
        let home = Path::new("/home/a");
        for (dir, want) in [
            ("/home/a/Downloads", "watch = [\"~/Downloads\"]"),
            ("/home/a/Té \"x\"\\", "watch = [\"~/Té \\\"x\\\"\\\\\"]"),
            ("/data/dl", "watch = [\"/data/dl\"]"),
        ] {
            let text = text(home, Path::new(dir)).unwrap();
            assert!(text.contains(want), "{want}");
            Config::parse(&text, "test").unwrap_or_else(|e| panic!("{e}"));
        }
    }

    #[test]
    fn a_configuration_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/config.toml");
        write_new(&path, b"first").unwrap();
        let error = write_new(&path, b"second").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert!(refused(&path, &error).hint().unwrap().contains("never overwritten"));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        assert_eq!(write_new(&link, b"x").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
