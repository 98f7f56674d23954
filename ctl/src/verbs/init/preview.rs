//! What would be done to the files that lie there: `tidyd --once --dry-run`, summed up.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use tidy_config::Environment;
use tidy_protocol::{Plan, PlannedStep, WirePath};

use crate::render::path::one_line;
use crate::render::{Look, count, operation};
use crate::verbs::install;

/// So many steps are shown.
const SHOWN: usize = 5;

/// A plan in a few numbers.
#[derive(Debug, Serialize)]
pub(super) struct Preview {
    pub(super) files: u64,
    pub(super) left: u64,
    /// Where to, most files first; without a folder: what stays in its own, and gets another name, say.
    pub(super) folders: Vec<Folder>,
    /// The first steps.
    first: Vec<PlannedStep>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Folder {
    pub(super) folder: Option<WirePath>,
    pub(super) files: u64,
}

/// Asks tidyd. Its words about single files are not shown: there may be thousands.
///
/// # Errors
/// Why it could not say, for people.
pub(super) fn look(env: &Environment) -> Result<Preview, String> {
    let job = install::job(env, None).map_err(|e| format!("no preview: {e}"))?;
    let mut command = Command::new(&job.tidyd);
    command.args(["--once", "--dry-run", "--json", "--log-format", "text"]);
    command.env("TIDYD_LOG", "error").stdin(Stdio::null());
    let failed = |e: io::Error| format!("no preview: tidyd cannot be run: {e}");
    let output = command.output().map_err(failed)?;
    match serde_json::from_slice::<Plan>(&output.stdout) {
        Ok(plan) => Ok(summed(plan)),
        Err(_) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let why = said.lines().find_map(|l| l.strip_prefix("error: "));
            let why = why.or_else(|| said.lines().last()).unwrap_or("tidyd said nothing");
            Err(format!("no preview: {}", one_line(why)))
        }
    }
}

fn summed(plan: Plan) -> Preview {
    let mut folders: BTreeMap<Option<PathBuf>, u64> = BTreeMap::new();
    let left = plan.left.len() as u64;
    let mut steps = plan.steps;
    steps.retain(|step| !operation::is_directory(&step.kind));
    for step in &steps {
        let parent = |p: &WirePath| p.as_path().parent().map(Path::to_owned);
        let to = step.dst.as_ref().and_then(parent);
        let from = step.src.as_ref().and_then(parent);
        *folders.entry(to.filter(|to| from.as_ref() != Some(to))).or_default() += 1;
    }
    let mut folders: Vec<Folder> = folders
        .into_iter()
        .map(|(folder, files)| Folder { folder: folder.as_deref().map(Into::into), files })
        .collect();
    folders.sort_by_key(|f| std::cmp::Reverse(f.files));
    let files = steps.len() as u64;
    steps.truncate(SHOWN);
    Preview { files, left, folders, first: steps }
}

/// For people.
pub(super) fn text(look: &Look, seen: &Preview) -> String {
    let left = match seen.left {
        0 => String::new(),
        n => format!("; {} would stay where they are", count(n, "other")),
    };
    if seen.files == 0 {
        return format!("\nNothing would be filed now{left}.\n");
    }
    let mut out = format!("\n{} would be filed{left}:\n", count(seen.files, "file"));
    for Folder { folder, files } in seen.folders.iter().take(SHOWN * 2) {
        match folder {
            Some(folder) => {
                let folder = look.path(folder.as_path());
                out.push_str(&format!("  {files:>6}  into {folder}\n"));
            }
            None => out.push_str(&format!("  {files:>6}  get another name, or go to the trash\n")),
        }
    }
    out.push_str("\nThe first of them:\n");
    out.push_str(&operation::plan(look, &seen.first));
    if seen.files > SHOWN as u64 {
        out.push_str("All of them: tidyd --once --dry-run\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{plain, terminal};

    fn step(kind: &str, src: &str, dst: &str) -> PlannedStep {
        let path = |p: &str| (!p.is_empty()).then(|| WirePath(p.into()));
        PlannedStep {
            kind: kind.into(),
            src: path(src),
            dst: path(dst),
            rule: "default document".into(),
            why: "kind = document".into(),
            size: None,
            tags: None,
        }
    }

    #[test]
    fn a_plan_is_summed_up_by_where_files_go() {
        let mut steps = vec![step("mkdir", "", "/home/a/Downloads/Documents")];
        let to = |n: u32, dir: &str| {
            let name = format!("{n}.pdf");
            step("move", &format!("/home/a/Downloads/{name}"), &format!("{dir}/{name}"))
        };
        steps.extend((0..6).map(|n| to(n, "/home/a/Downloads/Documents")));
        steps.push(to(7, "/home/a/Pictures"));
        steps.push(step("move", "/home/a/Downloads/x", "/home/a/Downloads/y"));
        let seen = summed(Plan { steps, left: Vec::new() });
        let shown = plain(&text(&terminal(), &seen));
        assert!(
            shown.starts_with("\n8 files would be filed:\n       6  into ~/Downloads/Documents\n"),
            "{shown}"
        );
        assert!(shown.contains("       1  into ~/Pictures\n"), "{shown}");
        assert!(shown.contains("       1  get another name"), "{shown}");
        assert_eq!(seen.first.len(), SHOWN);
        assert!(shown.ends_with("All of them: tidyd --once --dry-run\n"), "{shown}");
        let none = summed(Plan { steps: Vec::new(), left: Vec::new() });
        assert_eq!(text(&terminal(), &none), "\nNothing would be filed now.\n");
    }
}
