//! `init`: a configuration to start with.

use std::path::Path;
use std::{fs, io};

use serde_json::json;
use tidy_config::{Config, DEFAULT_TOML, Environment, FolderNames};
use tidy_protocol::{ExitCode, WirePath};

use crate::cli::InitArgs;
use crate::error::Failure;
use crate::output;
use crate::render::path::shown;
use crate::run::{Ended, Session};

/// The line of the default configuration that names the folder.
const WATCH: &str = "watch = [\"~/Downloads\"]";

/// Writes it, or prints it.
pub(crate) fn init(s: &mut Session, args: &InitArgs) -> Ended {
    let env = Environment::from_process()?;
    let downloads = env.downloads();
    let names = FolderNames::of_person(&env, locale().as_deref());
    let text = text(&env.home, &downloads, &names)?;
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

/// With the folders above it.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        make_dirs(parent)?;
    }
    output::write_new(path, bytes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the directory of the configuration: made at a person's request, by no rule"
)]
fn make_dirs(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// The default configuration with this folder, and folders that are called as the person calls theirs. They are written
/// out, so that what happens later to the desktop's names changes nothing.
fn text(home: &Path, downloads: &Path, names: &FolderNames) -> Result<String, Failure> {
    let spelled = match downloads.strip_prefix(home) {
        Ok(rest) => Path::new("~").join(rest),
        Err(_) => downloads.to_owned(),
    };
    let Some(spelled) = spelled.to_str() else {
        let message = format!("the Downloads folder {} is not UTF-8", shown(downloads.as_os_str()));
        let hint = "`tidyctl init --print` with XDG_CONFIG_HOME set elsewhere prints one to edit";
        return Err(Failure::new(ExitCode::Failed, message, hint));
    };
    let text = DEFAULT_TOML.replacen(WATCH, &format!("watch = [{}]", quoted(spelled)), 1);
    Ok(text.split_inclusive('\n').map(|line| named(line, names)).collect())
}

/// A line of the default configuration with its folder's name in it.
fn named(line: &str, names: &FolderNames) -> String {
    let key = line.split([' ', '=']).next().unwrap_or_default();
    let name = match key {
        "others" => Some(names.duplicates()),
        category => names.category(category),
    };
    let folder = line.split('"').nth(1).filter(|folder| folder.ends_with('/'));
    match folder.zip(name) {
        Some((folder, name)) => {
            let name = format!("{}/", name.replace('{', "{{").replace('}', "}}"));
            line.replacen(&quoted(folder), &quoted(&name), 1)
        }
        None => line.to_owned(),
    }
}

/// Of messages, as the C library reads it (locale(7)).
fn locale() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(variable)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn english() -> FolderNames {
        FolderNames::of_person(&Environment::of_home(Path::new("/nowhere")), None)
    }

    #[test]
    fn folders_are_called_as_the_person_calls_theirs() {
        let home = Path::new("/nowhere");
        let german = FolderNames::of_person(&Environment::of_home(home), Some("de_DE.UTF-8"));
        let text_of = |names: FolderNames| text(home, &home.join("Downloads"), &names).unwrap();
        assert_eq!(text_of(english()), DEFAULT_TOML);
        let text = text_of(german);
        let lines = [
            "image     = \"Bilder/\"",
            "document  = \"Dokumente/\"       # with",
            "others = { folder = \"Duplikate/\" }",
        ];
        for line in lines {
            assert!(text.contains(&format!("\n{line}")), "{line} in {text}");
        }
        Config::parse(&text, "test").unwrap_or_else(|e| panic!("{e}"));
    }

    #[test]
    fn what_is_written_names_the_folder_and_is_right() {
        let home = Path::new("/home/a");
        for (dir, want) in [
            ("/home/a/Downloads", "watch = [\"~/Downloads\"]"),
            ("/home/a/Té \"x\"\\", "watch = [\"~/Té \\\"x\\\"\\\\\"]"),
            ("/data/dl", "watch = [\"/data/dl\"]"),
        ] {
            let text = text(home, Path::new(dir), &english()).unwrap();
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
