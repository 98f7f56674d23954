//! `resolve`: what a person asks for, checked before anything is looked at.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tidy_core::globset::{GlobBuilder, GlobMatcher};
use tidy_core::name;
use tidy_core::resolve::{Choice, Keeper, Replace};
use tidy_protocol::{Error, ErrorCode, Outcome, ResolveQuery, Response, WirePath};

use super::convert;
use super::error::failed;
use super::handler::{Service, blocking};
use super::jobs::Asker;
use super::queries::{digest, pick};
use crate::filing::{Found, Progress, Setup, Wanted, Watcher};

impl Service {
    /// Resolves duplicates, as a job, or says what would be done.
    pub(super) async fn resolve(
        self: &Arc<Self>,
        query: ResolveQuery,
        dry_run: bool,
    ) -> Result<Response, Error> {
        let setup = self.setup();
        let wanted = wanted(&setup, query)?;
        let me = self.clone();
        let (wanted, found) = blocking(move || {
            let found = me.filing().find_groups(&me.setup(), &wanted).map_err(|e| failed(&e))?;
            Ok((wanted, found))
        })
        .await?;
        if dry_run || found.groups.is_empty() {
            let (me, asker) = (self.clone(), Asker::default());
            let gone = asker.gone();
            return blocking(move || me.planned(&wanted, found, &gone)).await;
        }
        self.start_job("resolve", move |me, job| {
            let progress = |p: Progress<'_>| me.job_progress(job, &p);
            let watcher = Watcher { progress: &progress, stop: &job.stop };
            let report = me.filing().resolve(&me.setup(), &wanted, found, false, watcher)?;
            me.batch_done(&report);
            Ok((Outcome::Organize(convert::resolved(&report)), report.stopped))
        })
        .await
    }

    fn planned(&self, wanted: &Wanted, found: Found, stop: &AtomicBool) -> Result<Response, Error> {
        let watcher = Watcher { progress: &|_| {}, stop };
        let report = self
            .filing()
            .resolve(&self.setup(), wanted, found, true, watcher)
            .map_err(|e| failed(&e))?;
        Ok(Response::Plan(convert::plan(&report)))
    }
}

fn bad(message: String, hint: &str) -> Error {
    Error::new(ErrorCode::BadRequest, message, hint)
}

fn wanted(setup: &Setup, query: ResolveQuery) -> Result<Wanted, Error> {
    let keepers: Vec<_> = Keeper::ALL.to_vec();
    let keeper = pick(query.keep.as_deref(), &keepers, |k| k.0, "policy")?.map(|k| k.1);
    let word = pick(Some(&query.action), Replace::WORDS, |w| w, "action")?;
    let replace = match (word.unwrap_or_default(), query.folder) {
        ("folder", Some(folder)) => self::folder(setup, &folder)?,
        ("folder", None) => {
            return Err(bad("no folder is named".into(), "name one below a watched folder"));
        }
        (_, Some(_)) => {
            return Err(bad(
                "a folder is named that nothing goes to".into(),
                "use action `folder`",
            ));
        }
        ("hardlink", None) => Replace::HardLink,
        ("reflink", None) => Replace::Reflink,
        ("symlink", None) => Replace::Symlink,
        _ => Replace::Trash,
    };
    Ok(Wanted {
        digest: query.digest.as_deref().map(digest).transpose()?,
        min_size: query.min_size.unwrap_or(1),
        under: query.under.map(|p| p.0),
        protect: globs(&query.protect)?,
        choice: Choice { keeper: keeper.unwrap_or_default(), prefer: globs(&query.prefer)? },
        replace,
    })
}

/// What files are moved into must be within reach, as everything else that files are moved into.
fn folder(setup: &Setup, folder: &WirePath) -> Result<Replace, Error> {
    let path = folder.as_path();
    let root = setup.root_of(path).and_then(|r| Some((r, path.strip_prefix(&r.path).ok()?)));
    match root {
        Some((root, rel)) => Ok(Replace::Folder(root.path.clone(), rel.to_owned())),
        None => Err(bad(
            format!("{} is not below a watched folder", name::shown(path.as_os_str())),
            "name one below a watched folder; it is made if need be",
        )),
    }
}

/// As in the configuration: `*` stays within one directory, `**` does not. A path without pattern
/// stands for everything below it, too.
fn globs(patterns: &[String]) -> Result<Vec<GlobMatcher>, Error> {
    let mut out = Vec::new();
    for pattern in patterns {
        if !Path::new(pattern).is_absolute() && !pattern.starts_with("**") {
            return Err(bad(
                format!("`{}` is no absolute path or pattern", pattern.escape_debug()),
                "begin with / or **/",
            ));
        }
        for pattern in [pattern.clone(), format!("{}/**", pattern.trim_end_matches('/'))] {
            let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
            let glob = glob.map_err(|e| bad(e.to_string(), "see the patterns of `ignore`"))?;
            out.push(glob.compile_matcher());
        }
    }
    Ok(out)
}
