//! `rollback` and `redo`.

use std::collections::BTreeMap;

use owo_colors::OwoColorize;
use tidy_protocol::{ExitCode, Outcome, Request, Response, RollbackReport, Selector, UndoneFile};

use super::job::{self, Asked};
use crate::cli::{Chosen, How, RedoArgs, RollbackArgs};
use crate::error::Failure;
use crate::given::{self, Target};
use crate::render::path::one_line;
use crate::render::{Look, count};
use crate::run::{Ended, Session};

/// More files than this are not put back without asking, on a terminal.
const ASK_ABOVE: u64 = 100;

/// Puts files back.
pub(crate) fn rollback(s: &mut Session, args: RollbackArgs) -> Ended {
    let chosen = selector(args.chosen)?.or(args.to.map(Selector::To));
    let selector = chosen.ok_or_else(|| {
        Failure::usage("nothing says what to put back", "try `tidyctl rollback --last`")
    })?;
    let request = |dry_run| Request::Rollback { selector: selector.clone(), dry_run };
    carry_out(s, &request, &args.how, &Words::ROLLBACK)
}

/// Takes back rollbacks.
pub(crate) fn redo(s: &mut Session, args: RedoArgs) -> Ended {
    let selector = selector(args.chosen)?.unwrap_or(Selector::Last(1));
    let request = |dry_run| Request::Redo { selector: selector.clone(), dry_run };
    carry_out(s, &request, &args.how, &Words::REDO)
}

/// The command line lets at most one choice through.
fn selector(chosen: Chosen) -> Result<Option<Selector>, Failure> {
    let path = chosen.path.as_deref().map(given::directory).transpose();
    let path = path.map_err(Failure::from_cwd)?;
    let target = chosen.target.map(|target| match target {
        Target::Operation(id) => Selector::Operation(id),
        Target::Batch(id) => Selector::Batch(id),
    });
    Ok(target
        .or(chosen.last.map(Selector::Last))
        .or(chosen.batch.map(Selector::Batch))
        .or(chosen.rule.map(Selector::Rule))
        .or(path.map(Selector::Path))
        .or(chosen.since.map(Selector::Since)))
}

/// How a rollback and a redo are told apart in words.
struct Words {
    done: &'static str,
    would: &'static str,
    ask: &'static str,
    nothing: &'static str,
    folders: &'static str,
    /// The verb that takes it back.
    inverse: &'static str,
}

impl Words {
    const ROLLBACK: Self = Self {
        done: "put back",
        would: "would be put back",
        ask: "put back",
        nothing: "there is nothing to put back",
        folders: "removed",
        inverse: "take it back with: tidyctl redo",
    };
    const REDO: Self = Self {
        done: "filed again",
        would: "would be filed again",
        ask: "filed again",
        nothing: "there is no rollback to take back",
        folders: "made",
        inverse: "put them back with: tidyctl rollback --last",
    };
}

fn carry_out(
    s: &mut Session,
    request: &dyn Fn(bool) -> Request,
    how: &How,
    words: &Words,
) -> Ended {
    if how.dry_run {
        let report = preview(s, request)?;
        return show(s, &report, words, true);
    }
    if !how.yes && s.out.can_ask() {
        let report = preview(s, request)?;
        let files = report.restored.saturating_add(report.not_restored);
        let question = format!("{} would be {}. Go on?", count(files, "file"), words.ask);
        if files > ASK_ABOVE && !s.out.confirm(&question)? {
            s.out.remark("nothing was done")?;
            return Ok(ExitCode::Failed);
        }
    }
    match job::ask(s, &request(false))? {
        Asked::Answer(Response::Rollback(report)) => show(s, &report, words, false),
        Asked::Answer(_) => Err(Failure::Unexpected),
        Asked::Job(job) => {
            job::check(&job)?;
            match &job.outcome {
                Some(Outcome::Rollback(report)) => show(s, report, words, false),
                _ => Err(Failure::Unexpected),
            }
        }
    }
}

fn preview(s: &Session, request: &dyn Fn(bool) -> Request) -> Result<RollbackReport, Failure> {
    match s.ask(&request(true))? {
        Response::Rollback(report) => Ok(report),
        _ => Err(Failure::Unexpected),
    }
}

fn show(s: &mut Session, report: &RollbackReport, words: &Words, dry_run: bool) -> Ended {
    s.out.show(report, |look, report| text(look, report, words, dry_run))?;
    let all = report.not_restored == 0 && !report.stopped;
    Ok(if all { ExitCode::Ok } else { ExitCode::Partly })
}

fn text(look: &Look, report: &RollbackReport, words: &Words, dry_run: bool) -> String {
    let files = report.restored.saturating_add(report.not_restored);
    if files == 0 && report.folders == 0 && !report.stopped {
        return format!("{}\n", words.nothing);
    }
    let mut out = String::new();
    for file in report.files.iter().filter(|f| dry_run || f.outcome != "restored") {
        out.push_str(&line(look, file));
    }
    let unlisted = files.saturating_sub(report.files.len() as u64);
    if dry_run && unlisted > 0 {
        out.push_str(&format!("… and {}\n", count(unlisted, "more file")));
    }
    let done = if dry_run { words.would } else { words.done };
    out.push_str(&format!("{} {done}", count(report.restored, "file")));
    if report.not_restored > 0 {
        let not = format!("{} not{}", report.not_restored, reasons(report));
        out.push_str(&format!(", {}", not.red()));
    }
    if files == 0 && report.folders > 0 {
        out.push_str(&format!(", {} {}", count(report.folders, "folder"), words.folders));
    }
    out.push('\n');
    if report.stopped {
        let rest = count(report.not_reached, "file");
        out.push_str(&format!(
            "it was cancelled before its end: {rest} to go; the same command goes on with them\n"
        ));
    }
    if report.commands > 0 && report.restored > 0 {
        let commands = count(report.commands, "command");
        out.push_str(&format!("what {commands} of the rules did stays: tidyctl log --kind run\n"));
    }
    if !dry_run && report.batch.is_some() && report.restored > 0 {
        out.push_str(&format!("{}\n", words.inverse));
    }
    out
}

/// One file and what became of it.
fn line(look: &Look, file: &UndoneFile) -> String {
    let mut out = format!("{:<13} {}", one_line(&file.outcome), look.path(&file.path.0));
    if let Some(other) = &file.restored_as {
        out.push_str(&format!("\n           as {}", look.path(&other.0)));
    }
    if let Some(detail) = &file.detail {
        out.push_str(&format!("\n              {}", one_line(detail)));
    }
    out.push('\n');
    out
}

/// ` (2 missing, 1 occupied)`, as far as files are listed.
fn reasons(report: &RollbackReport) -> String {
    let mut by_outcome: BTreeMap<&str, u64> = BTreeMap::new();
    let unlike = ["restored", "restored-as", "kept-edited"];
    for file in report.files.iter().filter(|f| !unlike.contains(&f.outcome.as_str())) {
        *by_outcome.entry(&file.outcome).or_default() += 1;
    }
    let words: Vec<_> =
        by_outcome.iter().map(|(word, n)| format!("{n} {}", one_line(word))).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{plain, terminal};

    fn file(outcome: &str, name: &str) -> UndoneFile {
        UndoneFile {
            operation: 1,
            path: std::path::PathBuf::from(format!("/home/a/Downloads/{name}")).into(),
            outcome: outcome.into(),
            restored_as: (outcome == "restored-as")
                .then(|| std::path::Path::new("/home/a/Downloads/b (2)").into()),
            detail: (outcome == "error").then(|| "no\nspace".into()),
        }
    }

    fn report() -> RollbackReport {
        RollbackReport {
            batch: Some(9),
            files: vec![
                file("missing", "gone"),
                file("error", "full"),
                file("restored", "a\x1b"),
                file("restored-as", "b"),
                file("kept-edited", "c"),
            ],
            restored: 3,
            not_restored: 2,
            commands: 2,
            ..RollbackReport::default()
        }
    }

    #[test]
    fn what_is_not_simply_back_is_named() {
        insta::assert_snapshot!(plain(&text(&terminal(), &report(), &Words::ROLLBACK, false)), @r"
        missing       ~/Downloads/gone
        error         ~/Downloads/full
                      no\nspace
        restored-as   ~/Downloads/b
                   as ~/Downloads/b (2)
        kept-edited   ~/Downloads/c
        3 files put back, 2 not (1 error, 1 missing)
        what 2 commands of the rules did stays: tidyctl log --kind run
        take it back with: tidyctl redo
        ");
    }

    #[test]
    fn a_preview_names_every_file() {
        insta::assert_snapshot!(plain(&text(&terminal(), &report(), &Words::ROLLBACK, true)), @r"
        missing       ~/Downloads/gone
        error         ~/Downloads/full
                      no\nspace
        restored      ~/Downloads/a\x1b
        restored-as   ~/Downloads/b
                   as ~/Downloads/b (2)
        kept-edited   ~/Downloads/c
        3 files would be put back, 2 not (1 error, 1 missing)
        what 2 commands of the rules did stays: tidyctl log --kind run
        ");
    }

    #[test]
    fn what_was_cancelled_says_how_to_go_on() {
        let report = RollbackReport {
            files: Vec::new(),
            not_restored: 0,
            not_reached: 4,
            commands: 0,
            ..report()
        };
        let cancelled = RollbackReport { stopped: true, ..report };
        insta::assert_snapshot!(plain(&text(&terminal(), &cancelled, &Words::ROLLBACK, false)), @r"
        3 files put back
        it was cancelled before its end: 4 files to go; the same command goes on with them
        take it back with: tidyctl redo
        ");
    }

    #[test]
    fn nothing_to_do_is_said() {
        let none = RollbackReport::default();
        assert_eq!(
            text(&terminal(), &none, &Words::REDO, false),
            "there is no rollback to take back\n"
        );
    }
}
