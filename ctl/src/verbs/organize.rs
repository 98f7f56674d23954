//! `organize`, `jobs`, `cancel`.

use tidy_protocol::{Applied, ExitCode, JobInfo, JobState, Outcome, Plan, Request, Response};

use super::job::{self, Asked};
use super::service::done;
use super::{directories, expect_answer};
use crate::cli::{JobsArgs, OrganizeArgs};
use crate::error::Failure;
use crate::output;
use crate::render::path::one_line;
use crate::render::{count, operation, table};
use crate::run::{Ended, Session};

/// Files what is there now, or says what would be done.
pub(crate) fn organize(s: &mut Session, args: &OrganizeArgs) -> Ended {
    let request = Request::Organize { paths: directories(&args.paths)?, dry_run: args.dry_run };
    match job::ask(s, &request)? {
        Asked::Answer(Response::Plan(plan)) => planned(s, &plan),
        Asked::Answer(_) => Err(Failure::Unexpected),
        Asked::Job(job) => ended(s, &job),
    }
}

fn planned(s: &mut Session, plan: &Plan) -> Ended {
    s.out.show(plan, |look, plan| {
        operation::plan(look, &plan.steps) + &operation::left(look, &plan.left)
    })?;
    let filed = plan.steps.iter().filter(|p| !operation::is_directory(&p.kind)).count() as u64;
    let left = plan.left.len();
    s.out
        .remark(&format!("{} would be filed, {left} left where they are", count(filed, "file")))?;
    Ok(ExitCode::Ok)
}

fn ended(s: &mut Session, job: &JobInfo) -> Ended {
    job::check(job)?;
    applied(s, job, summary)
}

/// What a job did to files, in the words of `summary`, and what failed.
pub(super) fn applied(
    s: &mut Session,
    job: &JobInfo,
    summary: fn(&Applied, cancelled: bool) -> String,
) -> Ended {
    let Some(Outcome::Organize(applied)) = &job.outcome else { return Err(Failure::Unexpected) };
    let cancelled = job.state == JobState::Cancelled;
    s.out.show(applied, |_, applied| summary(applied, cancelled))?;
    if !s.out.json {
        s.out.flush()?;
        for f in &applied.failed {
            let why = f.detail.as_deref().unwrap_or(&f.text);
            output::note(&format!("error: {}: {}", s.out.look.path(&f.path.0), one_line(why)));
        }
    }
    Ok(if applied.failed_count > 0 || cancelled { ExitCode::Partly } else { ExitCode::Ok })
}

fn summary(applied: &Applied, cancelled: bool) -> String {
    let Applied { filed, left, failed_count, .. } = applied;
    let failed = if *failed_count > 0 { format!(", {failed_count} failed") } else { String::new() };
    let stopped = if cancelled { "; it was cancelled before its end" } else { "" };
    let mut out =
        format!("{} filed, {left} left where they are{failed}{stopped}\n", count(*filed, "file"));
    if let Some(batch) = applied.batch.filter(|_| *filed > 0) {
        out.push_str(&format!("put everything back with: tidyctl rollback batch:{batch}\n"));
    }
    out
}

/// Long work; or one job, followed to its end.
pub(crate) fn jobs(s: &mut Session, args: &JobsArgs) -> Ended {
    let Some(id) = args.follow else {
        let jobs = expect_answer!(s.ask(&Request::Jobs)?, Jobs);
        return list(s, jobs);
    };
    let mut client = s.connect()?;
    let job = expect_answer!(client.call(&Request::Job { id })?, Job);
    let ended = job::follow(s, &mut client, job)?;
    let code = match ended.state {
        JobState::Failed => ExitCode::Failed,
        JobState::Cancelled => ExitCode::Partly,
        JobState::Running | JobState::Done => ExitCode::Ok,
    };
    list(s, vec![*ended]).map(|_| code)
}

fn list(s: &mut Session, jobs: Vec<JobInfo>) -> Ended {
    if jobs.is_empty() && !s.out.json {
        s.out.remark("there are no jobs")?;
        return Ok(ExitCode::Ok);
    }
    s.out.show(&jobs, |look, jobs| {
        let mut table =
            table::table(look, ["JOB", "WHAT", "STATE", "STARTED", "FILES", "BATCH", "ERROR"]);
        for j in jobs {
            let total = if j.total == 0 { String::new() } else { format!("/{}", j.total) };
            table.add_row([
                table::number(j.id),
                table::whole(one_line(&j.kind)),
                table::state(state(j.state)),
                table::whole(look.moment(j.started_ns)),
                table::number(format!("{}{total}", j.done)),
                table::number(j.batch.map(|b| b.to_string()).unwrap_or_default()),
                table::words(one_line(j.error.as_deref().unwrap_or_default())),
            ]);
        }
        table.text()
    })?;
    Ok(ExitCode::Ok)
}

pub(super) fn state(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Cancelled => "cancelled",
        JobState::Failed => "failed",
    }
}

/// Stops a job.
pub(crate) fn cancel(s: &mut Session, id: u64) -> Ended {
    done(s, &Request::Cancel { id }, &format!("job {id} stops after the file it is at"))
}
