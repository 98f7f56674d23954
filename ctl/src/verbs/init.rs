//! `init`: a configuration to start with, what it would do, and the service.

mod preview;

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;
use tidy_config::{Config, DEFAULT_TOML, Environment, FolderNames};
use tidy_protocol::{ExitCode, WirePath};

use super::install::{self, Installed};
use crate::cli::{InitArgs, InstallArgs};
use crate::error::Failure;
use crate::output;
use crate::render::Look;
use crate::render::path::{printable, shown};
use crate::run::{Ended, Session};
use preview::Preview;

/// The line of the default configuration that names the folder.
const WATCH: &str = "watch = [\"~/Downloads\"]";

/// Writes it, or prints it.
pub(crate) fn init(s: &mut Session, args: &InitArgs) -> Ended {
    let env = Environment::from_process()?;
    let names = FolderNames::of_person(&env, locale().as_deref());
    let path = env.config_file();
    if !args.print && fs::symlink_metadata(&path).is_ok() {
        // Before anything is asked.
        return Err(refused(&path, &io::ErrorKind::AlreadyExists.into()));
    }
    let watch = watched(s, &env, args)?;
    let text = text(&env.home, &watch, &names)?;
    // What is written is right by construction; a wrong one would be worse than none.
    Config::parse(&text, "the new configuration")?;
    if args.print {
        s.out.text(&text)?;
        return Ok(ExitCode::Ok);
    }
    write_new(&path, text.as_bytes()).map_err(|e| refused(&path, &e))?;
    let mut made = Made::new(&path, &watch);
    if !s.out.json {
        let said = written(&s.out.look, &made);
        s.out.text(&said)?;
    }
    for folder in watch.iter().filter(|folder| !folder.is_dir()) {
        s.out.remark(&format!("note: {} does not exist yet", shown(folder.as_os_str())))?;
    }
    if !args.no_preview && watch.iter().any(|folder| folder.is_dir()) {
        s.out.remark("\nLooking at what lies there; nothing is changed …")?;
        match preview::look(&env) {
            Ok(seen) => made.preview = Some(seen),
            // It says what is wrong with the machine, not with the configuration, which stands.
            Err(why) => s.out.remark(&format!("note: {}", printable(&why)))?,
        }
    }
    if let Some(seen) = made.preview.as_ref().filter(|_| !s.out.json) {
        let said = preview::text(&s.out.look, seen);
        s.out.text(&said)?;
    }
    let code = start(s, &env, args, &mut made)?;
    if s.out.json {
        s.out.json(&made)?;
    } else {
        let said = next(&s.out.look, &made);
        s.out.text(&said)?;
    }
    Ok(code)
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    written: WirePath,
    watch: Vec<WirePath>,
    /// What would be done to the files that lie there.
    preview: Option<Preview>,
    service: Option<Installed>,
}

impl Made {
    fn new(config: &Path, watch: &[PathBuf]) -> Self {
        Self {
            written: config.into(),
            watch: watch.iter().map(|p| p.as_path().into()).collect(),
            preview: None,
            service: None,
        }
    }
}

/// The folders: those that were named, else Downloads, and the desktop for whoever wants that.
fn watched(s: &mut Session, env: &Environment, args: &InitArgs) -> Result<Vec<PathBuf>, Failure> {
    if !args.watch.is_empty() {
        let absolute = |p: &PathBuf| std::path::absolute(env.expand(p)).map_err(Failure::from_cwd);
        return args.watch.iter().map(absolute).collect();
    }
    let mut watch = vec![env.downloads()];
    let desktop = env.desktop();
    // A desktop that is the home directory itself, or Downloads, is no folder of its own.
    let asks = !args.print && !args.yes && s.out.can_ask() && desktop.is_dir();
    if asks && desktop != env.home && !watch.contains(&desktop) {
        let (downloads, shown) = (s.out.look.path(&watch[0]), s.out.look.path(&desktop));
        if s.out.confirm(&format!("{downloads} is kept in order. {shown}, too?"))? {
            watch.push(desktop);
        }
    }
    Ok(watch)
}

/// Starts the service if that is wanted. What was written stays, whatever comes of it.
fn start(
    s: &mut Session,
    env: &Environment,
    args: &InitArgs,
    made: &mut Made,
) -> Result<ExitCode, Failure> {
    if args.no_start || !(args.yes || s.out.can_ask()) {
        return Ok(ExitCode::Ok);
    }
    let manager = install::of_this_system(env);
    if let Err(none) = manager.look() {
        s.out.remark(&format!("note: {}\n      {}", printable(&none.why), none.hint))?;
        return Ok(if args.yes { ExitCode::Partly } else { ExitCode::Ok });
    }
    let question = "\nStart tidyd now, and at every login? It goes on with what was shown.";
    if !args.yes && !s.out.confirm(question)? {
        return Ok(ExitCode::Ok);
    }
    let how = InstallArgs { program: None, no_start: false, force: false };
    match install::install(s, manager.as_ref(), &how) {
        Ok(installed) => {
            if !s.out.json {
                let said = install::installed_text(&s.out.look, &installed);
                s.out.text(&said)?;
            }
            made.service = Some(installed);
            Ok(ExitCode::Ok)
        }
        Err(failure) => {
            s.out.flush()?;
            output::complain(&failure);
            Ok(ExitCode::Partly)
        }
    }
}

fn written(look: &Look, made: &Made) -> String {
    let folders: Vec<String> = made.watch.iter().map(|p| look.path(p.as_path())).collect();
    let config = look.path(made.written.as_path());
    format!("{config} is written; it watches {}.\n", folders.join(" and "))
}

fn next(_: &Look, made: &Made) -> String {
    if made.service.is_some() {
        return String::new();
    }
    "\nNext:\n  \
     tidyd --check                          is everything right?\n  \
     tidyd --once --dry-run                 what would be done? changes nothing\n  \
     tidyctl service install                keep it in order from now on, from every login on\n  \
     tidyd                                  the same in this terminal, until Ctrl-C\n"
        .to_owned()
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

/// The default configuration with these folders, and folders that are called as the person calls theirs. They are written
/// out, so that what happens later to the desktop's names changes nothing.
fn text(home: &Path, watch: &[PathBuf], names: &FolderNames) -> Result<String, Failure> {
    let mut list = Vec::new();
    for folder in watch {
        let spelled = match folder.strip_prefix(home) {
            Ok(rest) => Path::new("~").join(rest),
            Err(_) => folder.to_owned(),
        };
        let Some(spelled) = spelled.to_str() else {
            let message = format!("the folder {} is not UTF-8", shown(folder.as_os_str()));
            let hint = "name another one with --watch; the configuration is text";
            return Err(Failure::new(ExitCode::Failed, message, hint));
        };
        list.push(quoted(spelled));
    }
    let text = DEFAULT_TOML.replacen(WATCH, &format!("watch = [{}]", list.join(", ")), 1);
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
        let text_of = |names: FolderNames| text(home, &[home.join("Downloads")], &names).unwrap();
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
            let text = text(home, &[dir.into()], &english()).unwrap();
            assert!(text.contains(want), "{want}");
            Config::parse(&text, "test").unwrap_or_else(|e| panic!("{e}"));
        }
        let two = text(home, &["/home/a/x".into(), "/y".into()], &english()).unwrap();
        assert!(two.contains("watch = [\"~/x\", \"/y\"]"), "{two}");
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
