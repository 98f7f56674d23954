//! `resolve`: shows what would go, asks, and does it.

use tidy_protocol::{ExitCode, JobInfo, Plan, Request, ResolveQuery, Response, WirePath};

use super::job::{self, Asked};
use super::organize::applied;
use crate::cli::ResolveArgs;
use crate::error::Failure;
use crate::given;
use crate::render::{count, operation, size};
use crate::run::{Ended, Session};

/// Resolves duplicates.
pub(crate) fn resolve(s: &mut Session, args: ResolveArgs) -> Ended {
    let directory = |p: Option<std::path::PathBuf>| -> Result<Option<WirePath>, Failure> {
        p.as_deref().map(given::directory).transpose().map_err(Failure::from_cwd)
    };
    let which = ResolveQuery {
        action: args.action,
        folder: directory(args.folder)?,
        keep: Some(args.keep),
        prefer: args.prefer,
        protect: args.protect,
        under: directory(args.under)?,
        digest: args.digest,
        min_size: args.min_size,
    };
    let request = |dry_run| Request::Resolve { which: which.clone(), dry_run };
    if args.dry_run || !args.yes {
        let Response::Plan(plan) = s.ask(&request(true))? else { return Err(Failure::Unexpected) };
        if args.dry_run || plan.steps.is_empty() {
            return preview(s, &plan);
        }
        if !s.out.can_ask() {
            return Err(Failure::usage(
                format!("{} would go, and nobody is there to be asked", gone(&plan)),
                "look with --dry-run, then say --yes",
            ));
        }
        preview(s, &plan)?;
        if !s.out.confirm("Go on?")? {
            s.out.remark("nothing was done")?;
            return Ok(ExitCode::Failed);
        }
    }
    match job::ask(s, &request(false))? {
        Asked::Answer(Response::Plan(plan)) => preview(s, &plan),
        Asked::Answer(_) => Err(Failure::Unexpected),
        Asked::Job(job) => ended(s, &job),
    }
}

/// The copies that go, with their bytes.
fn gone(plan: &Plan) -> String {
    let going = plan.steps.iter().filter(|p| matches!(p.kind.as_str(), "trash" | "move"));
    let (files, bytes) = going.fold((0, 0_u64), |(files, bytes), p| {
        (files + 1, bytes.saturating_add(p.size.unwrap_or_default()))
    });
    format!("{} ({})", count(files, "copy"), size::readable(bytes))
}

fn preview(s: &mut Session, plan: &Plan) -> Ended {
    s.out.show(plan, |look, plan| {
        operation::plan(look, &plan.steps) + &operation::left(look, &plan.left)
    })?;
    match plan.steps.is_empty() {
        true => s.out.remark("there is nothing to resolve")?,
        false => s.out.remark(&format!("{} would go", gone(plan)))?,
    }
    Ok(ExitCode::Ok)
}

fn ended(s: &mut Session, job: &JobInfo) -> Ended {
    job::check(job)?;
    applied(s, job, |applied, cancelled| {
        let stopped = if cancelled { "; it was cancelled before its end" } else { "" };
        let mut out = format!("{} resolved{stopped}\n", count(applied.filed, "copy"));
        if let Some(batch) = applied.batch.filter(|_| applied.filed > 0) {
            out.push_str(&format!("put everything back with: tidyctl rollback batch:{batch}\n"));
        }
        out
    })
}
