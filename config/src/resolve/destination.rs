//! Destinations: which existing directory confines them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tidy_core::name;
use tidy_core::requirement::Mounted;
use tidy_core::template::{Base, Template};

use crate::build::Places;
use crate::model::{Anchor, Destination};
use crate::need::MountedConfig;
use crate::sharing::Exposed;
use crate::walk::At;

use super::Resolver;
use super::roots::resolved_as_far_as_it_exists;

impl Places for Resolver<'_> {
    fn template(&mut self, of: &Destination) -> Option<Template> {
        self.destination(of)
    }

    fn mounted(&mut self, of: &MountedConfig, to: Option<&Template>) -> Option<Mounted> {
        let (folder, key) = match of {
            MountedConfig::Apart => {
                let home = resolved_as_far_as_it_exists(&self.env.home);
                return Some(Mounted::Apart(home.into()));
            }
            MountedConfig::At { folder, key } => (folder, key),
        };
        let at = resolved_as_far_as_it_exists(&self.env.expand(&folder.value));
        // Of one below the watched folder it is known only when that is.
        let fixed = to.and_then(|to| to.fixed_dir(to.base_dir()?));
        if let Some(fixed) = fixed.filter(|fixed| !fixed.starts_with(&at)) {
            let message = format!(
                "the destination is not in {}, but in {}",
                name::shown(at.as_os_str()),
                name::shown(fixed.as_os_str())
            );
            let hint = "name the folder that the disk of the destination is mounted at, or write mounted = true";
            self.findings.add_with_hint(folder.span.clone(), key, message, hint);
            return None;
        }
        Some(Mounted::At(at.into()))
    }
}

impl Resolver<'_> {
    /// The template of a destination. An absolute one is confined to its nearest existing ancestor,
    /// symlinks resolved; below that none is followed.
    fn destination(&mut self, destination: &Destination) -> Option<Template> {
        let Destination { at, key } = destination;
        let (anchor, rest) = Destination::anchored(&at.value);
        let start = match anchor {
            Anchor::Root => {
                return self.parsed(&at.value, Base::Root, destination);
            }
            Anchor::Home => self.env.home.as_path(),
            Anchor::Absolute => Path::new("/"),
        };
        let (fixed, open) = split(rest);
        match existing(start, &fixed) {
            Ok((base, used)) => {
                let below: PathBuf = fixed[used..].iter().collect();
                self.refuse_own(&base.join(below), at, key)?;
                self.refuse_shared(&base, at, key)?;
                let mut text = fixed[used..].join("/");
                if !text.is_empty() {
                    text.push('/');
                }
                text.push_str(open);
                self.parsed(&text, Base::Dir(base.into()), destination)
            }
            Err(why) => {
                self.findings.add(at.span.clone(), key, why);
                None
            }
        }
    }

    fn parsed(&mut self, text: &str, base: Base, of: &Destination) -> Option<Template> {
        match Template::parse(text, base, &self.config.tz) {
            Ok(template) => Some(template),
            // It was parsed when the file was read; only its base is new.
            Err(why) => {
                self.findings.add(of.at.span.clone(), &of.key, why.to_string());
                None
            }
        }
    }

    /// The folder for duplicates: relative as it is; absolute resolved. Its parent must exist, since
    /// that is what confines it.
    pub(super) fn duplicates_folder(&mut self, at: &At<String>) -> Option<PathBuf> {
        let key = "duplicates.others";
        let (anchor, rest) = Destination::anchored(&at.value);
        let start = match anchor {
            Anchor::Root => return Some(PathBuf::from(at.value.trim_end_matches('/'))),
            Anchor::Home => self.env.home.clone(),
            Anchor::Absolute => PathBuf::from("/"),
        };
        let fixed: Vec<&str> = rest.split('/').filter(|c| !c.is_empty()).collect();
        let (base, used) = match existing(&start, &fixed) {
            Ok(found) => found,
            Err(why) => {
                self.findings.add(at.span.clone(), key, why);
                return None;
            }
        };
        let dir = fixed[used..].iter().fold(base, |dir, name| dir.join(name));
        if fixed.len() - used > 1 {
            let parent = dir.parent().unwrap_or(&dir);
            let message = format!("{} does not exist", name::shown(parent.as_os_str()));
            self.findings.add_with_hint(at.span.clone(), key, message, "make that directory first");
            return None;
        }
        self.refuse_own(&dir, at, key)?;
        self.refuse_shared(&dir, at, key)?;
        Some(dir)
    }

    /// Nothing is filed where others may take it away.
    fn refuse_shared(&mut self, dir: &Path, at: &At<String>, key: &str) -> Option<()> {
        let Err(Exposed { message, hint }) = self.sharing.directory(dir) else { return Some(()) };
        let message = format!("files are not safe there: {message}");
        self.findings.add_with_hint(at.span.clone(), key, message, hint);
        None
    }

    /// Nothing is filed into the state directory or the trash.
    fn refuse_own(&mut self, dir: &Path, at: &At<String>, key: &str) -> Option<()> {
        let Some(what) = self.own.holding(dir) else { return Some(()) };
        self.findings.add(at.span.clone(), key, format!("nothing can be filed into {what}"));
        None
    }
}

/// The leading directories without placeholders, and the rest of the text.
fn split(text: &str) -> (Vec<&str>, &str) {
    let mut fixed = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_once('/') {
        if first.contains(['{', '}']) {
            break;
        }
        if !first.is_empty() {
            fixed.push(first);
        }
        rest = after;
    }
    (fixed, rest)
}

/// The nearest existing directory on the way from `start` down `names`, symlinks resolved, and how
/// many of the names it used up. Only "not found" means that something is not there.
fn existing(start: &Path, names: &[&str]) -> Result<(PathBuf, usize), String> {
    for used in (0..=names.len()).rev() {
        let path = names[..used].iter().fold(start.to_path_buf(), |p, n| p.join(n));
        let shown = || name::shown(path.as_os_str());
        match fs::canonicalize(&path) {
            Ok(real) => match fs::metadata(&real) {
                Ok(meta) if meta.is_dir() => return Ok((real, used)),
                Ok(_) => return Err(format!("{} is not a directory", shown())),
                Err(why) => return Err(format!("{}: {why}", shown())),
            },
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                if fs::symlink_metadata(&path).is_ok() {
                    return Err(format!("{} is a symlink to something that is not there", shown()));
                }
            }
            Err(why) => return Err(format!("{}: {why}", shown())),
        }
    }
    Err(format!("{} does not exist", name::shown(start.as_os_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_directories_end_at_the_first_placeholder_or_name() {
        let table: &[(&str, &[&str], &str)] = &[
            ("a/b/", &["a", "b"], ""),
            ("a//b/{stem}", &["a", "b"], "{stem}"),
            ("a/{modified:%Y/%m}/b/", &["a"], "{modified:%Y/%m}/b/"),
            ("a/x{{y}}/b/", &["a"], "x{{y}}/b/"),
            ("{stem}", &[], "{stem}"),
        ];
        for (text, fixed, open) in table {
            assert_eq!(split(text), (fixed.to_vec(), *open), "{text}");
        }
    }
}
