//! Roots: which watched folders can be used, and which cannot and why.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;
use tidy_core::name;

use crate::error::nearest;
use crate::locations::Environment;
use crate::model::Override;
use crate::sharing::Exposed;
use crate::walk::At;

use super::{Resolver, recursive};

/// A root that can be used.
pub(super) struct Candidate<'c> {
    pub(super) given: PathBuf,
    /// Absolute, symlinks resolved.
    pub(super) path: PathBuf,
    pub(super) with: Option<&'c Override>,
    span: Range<usize>,
}

/// A root that cannot.
pub(super) struct Problem {
    pub(super) given: PathBuf,
    pub(super) path: PathBuf,
    pub(super) missing: bool,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) span: Range<usize>,
}

/// What is wrong with one folder.
struct Refusal {
    missing: bool,
    message: String,
    hint: Option<String>,
}

impl Refusal {
    fn fatal(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self { missing: false, message: message.into(), hint: hint.map(str::to_owned) }
    }
}

impl From<Exposed> for Refusal {
    fn from(Exposed { message, hint }: Exposed) -> Self {
        Self { missing: false, message: format!("not safe: {message}"), hint: Some(hint) }
    }
}

/// tidyd's own directories, symlinks resolved as far as they exist.
pub(super) struct Own {
    home: PathBuf,
    state: PathBuf,
    trash: PathBuf,
}

impl Own {
    pub(super) fn of(env: &Environment) -> Self {
        Self {
            home: resolved_as_far_as_it_exists(&env.home),
            state: resolved_as_far_as_it_exists(&env.state_dir()),
            trash: resolved_as_far_as_it_exists(&env.trash_dir()),
        }
    }

    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    /// Which of them `dir` is or lies in.
    pub(super) fn holding(&self, dir: &Path) -> Option<&'static str> {
        if dir.starts_with(&self.state) {
            Some("the state directory of tidyd")
        } else if dir.starts_with(&self.trash) {
            Some("the trash")
        } else {
            None
        }
    }

    fn refusal(&self, root: &Path) -> Option<Refusal> {
        let shown = |path: &Path| name::shown(path.as_os_str());
        if let Some(what) = self.holding(root) {
            return Some(Refusal::fatal(format!("the folder lies in {what}"), None));
        }
        if root.parent().is_none() || self.home.starts_with(root) {
            let message = format!("{} holds far more than files to sort", shown(root));
            let hint = "watch folders inside your home directory, such as ~/Downloads";
            return Some(Refusal::fatal(message, Some(hint)));
        }
        if self.state.starts_with(root) {
            let message = format!("tidyd's state directory {} lies inside it", shown(&self.state));
            let hint = "move it elsewhere with --state or TIDYD_STATE";
            return Some(Refusal::fatal(message, Some(hint)));
        }
        if self.trash.starts_with(root) {
            let message = format!("the trash {} lies inside it", shown(&self.trash));
            return Some(Refusal::fatal(message, Some("watch folders beside it instead")));
        }
        None
    }
}

impl<'c> Resolver<'c> {
    /// The usable roots, merged, and the others.
    pub(super) fn roots(&mut self) -> (Vec<Candidate<'c>>, Vec<Problem>) {
        let overrides = self.overrides();
        let mut usable: Vec<Candidate<'c>> = Vec::new();
        let mut problems = Vec::new();
        for At { value: given, span } in &self.config.watch {
            let expanded = self.env.expand(given);
            let with = overrides.iter().find(|(path, _)| *path == same(&expanded)).map(|(_, o)| *o);
            let usable_root = usable_root(&expanded)
                .and_then(|p| self.own.refusal(&p).map_or(Ok(p), Err))
                .and_then(|p| self.sharing.directory(&p).map(|()| p).map_err(Refusal::from));
            match usable_root {
                Ok(path) if usable.iter().any(|c| c.path == path) => {}
                Ok(path) => {
                    usable.push(Candidate { given: given.clone(), path, with, span: span.clone() });
                }
                Err(Refusal { missing, message, hint }) => {
                    let message = format!("{}: {message}", name::shown(given.as_os_str()));
                    let (given, span) = (given.clone(), span.clone());
                    problems.push(Problem { given, path: expanded, missing, message, hint, span });
                }
            }
        }
        let usable = without_nested(usable, &mut problems);
        (usable, problems)
    }

    /// The overrides by the folder they are about; those about none are errors.
    fn overrides(&mut self) -> Vec<(PathBuf, &'c Override)> {
        let watched: Vec<PathBuf> =
            self.config.watch.iter().map(|w| same(&self.env.expand(&w.value))).collect();
        let mut out: Vec<(PathBuf, &'c Override)> = Vec::new();
        for with in &self.config.overrides {
            let path = same(&self.env.expand(&with.path.value));
            let key = "watch-override.path";
            let span = with.path.span.clone();
            if out.iter().any(|(p, _)| *p == path) {
                self.findings.add(span, key, "there is an override of this folder already");
            } else if watched.contains(&path) {
                out.push((path, with));
            } else if !self.config.watch_is_given {
                let given = name::shown(with.path.value.as_os_str());
                let words: Vec<String> = self
                    .config
                    .watch
                    .iter()
                    .map(|w| w.value.to_string_lossy().into_owned())
                    .collect();
                let near = nearest(&given, words.iter().map(String::as_str))
                    .map(|n| format!("; did you mean `{n}`?"))
                    .unwrap_or_default();
                let message = format!("`{given}` is not watched{near}");
                self.findings.add_with_hint(span, key, message, "add it to `watch`");
            }
        }
        out
    }
}

/// Roots beneath a recursive root are part of it; with a policy of their own it is not clear which
/// applies, so that is refused.
fn without_nested<'c>(
    mut usable: Vec<Candidate<'c>>,
    problems: &mut Vec<Problem>,
) -> Vec<Candidate<'c>> {
    let outer: Vec<PathBuf> =
        usable.iter().filter(|c| recursive(c.with)).map(|c| c.path.clone()).collect();
    usable.retain(|c| {
        let Some(outer) = outer.iter().find(|o| c.path != **o && c.path.starts_with(o)) else {
            return true;
        };
        if c.with.is_some() {
            let (given, around) = (c.given.as_os_str(), outer.as_os_str());
            let message = format!(
                "{} lies inside {}, which is watched with other settings",
                name::shown(given),
                name::shown(around)
            );
            let hint = "give the outer folder an override with recursive = false, or ignore the inner one there";
            problems.push(Problem {
                given: c.given.clone(),
                path: c.path.clone(),
                missing: false,
                message,
                hint: Some(hint.to_owned()),
                span: c.span.clone(),
            });
        }
        false
    });
    usable
}

/// The folder with symlinks resolved, if files can be listed in it and moved out of it.
fn usable_root(path: &Path) -> Result<PathBuf, Refusal> {
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            return Err(Refusal {
                missing: true,
                message: "there is no such folder".to_owned(),
                hint: Some("make it, mount its disk, or take it out of `watch`".to_owned()),
            });
        }
        Err(why) if Errno::from_io_error(&why) == Some(Errno::LOOP) => {
            return Err(Refusal::fatal("the symlinks of this path lead in a circle", None));
        }
        Err(why) => return Err(Refusal::fatal(why.to_string(), None)),
    };
    match fs::metadata(&real) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(Refusal::fatal("this is not a directory", None)),
        Err(why) => return Err(Refusal::fatal(why.to_string(), None)),
    }
    let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    match rustix::fs::access(&real, needed) {
        Ok(()) => Ok(real),
        Err(Errno::ROFS) => Err(Refusal::fatal("its file system is read-only", None)),
        Err(Errno::ACCESS) => Err(Refusal::fatal(
            "you may not list it and move files out of it",
            Some("check its owner and permissions"),
        )),
        Err(why) => Err(Refusal::fatal(io::Error::from(why).to_string(), None)),
    }
}

/// The path by which two spellings of one folder are compared.
fn same(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.components().collect())
}

/// The path with the symlinks of what exists of it resolved.
pub(super) fn resolved_as_far_as_it_exists(path: &Path) -> PathBuf {
    for existing in path.ancestors() {
        if let Ok(real) = fs::canonicalize(existing) {
            let below = path.strip_prefix(existing).unwrap_or(Path::new(""));
            // Joining an empty path would add a slash at the end.
            return real.join(below).components().collect();
        }
    }
    path.to_path_buf()
}
